//! What a run could leave on a node beside files of its root: sockets, namespaces, control groups, memory that is shared.

use super::World;

impl World {
    /// Mounts the control groups of the machine's memory and processes in the node, and returns the folders of the node's own,
    /// in which disco makes its own groups; nothing else is touched. Fewer than two where the machine has version 2 alone.
    pub fn mount_groups(&self) -> Vec<String> {
        let mut folders = Vec::new();
        for controller in ["memory", "pids"] {
            let at = format!("/mnt/groups/{controller}");
            let mount = format!("mkdir -p {at} && mount -t cgroup -o {controller} {controller} {at}");
            let own = format!("grep -E '^[0-9]+:{controller}:' /proc/self/cgroup | cut -d: -f3");
            if self.sh(&mount).status == Some(0) {
                folders.push(format!("{at}{}", self.sh(&own).stdout.trim()));
            }
        }
        let unified = std::path::Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
        assert!(unified || folders.len() == 2, "a machine without control groups: {folders:?}");
        folders
    }

    /// Does the same with those that tell figures and bound nothing: the group of block I/O, and of version 2 beside version 1,
    /// where the machine has them.
    pub fn mount_other_groups(&self) -> Vec<String> {
        let mut folders = Vec::new();
        for (name, mount, own) in [
            ("blkio", "mount -t cgroup -o blkio blkio", "^[0-9]+:blkio:"),
            ("unified", "mount -t cgroup2 unified", "^0::"),
        ] {
            let at = format!("/mnt/groups/{name}");
            if self.sh(&format!("mkdir -p {at} && {mount} {at}")).status == Some(0) {
                let group = self.sh(&format!("grep -E '{own}' /proc/self/cgroup | cut -d: -f3"));
                folders.push(format!("{at}{}", group.stdout.trim()));
            }
        }
        folders
    }

    /// The groups in those folders that are of runs of this node.
    pub fn groups(&self, folders: &[String]) -> Vec<String> {
        let patterns: Vec<String> = folders.iter().map(|folder| format!("{folder}/disco-*")).collect();
        let all = self.sh(&format!("ls -d {} 2>/dev/null", patterns.join(" "))).stdout.clone();
        let runs = self.sh("ls /var/disco/runs").stdout.clone();
        let ours = |group: &&str| runs.lines().any(|run| group.ends_with(&format!("/disco-{run}")));
        all.lines().filter(ours).map(String::from).collect()
    }

    /// Sockets by protocol and address, namespaces, shared memory and its kin, and what lies in the node's file systems in
    /// memory; one a line.
    pub fn traces(&self) -> Vec<String> {
        let script = r#"for p in unix tcp tcp6 udp udp6 raw raw6 packet netlink vsock; do
                [ ! -e /proc/net/$p ] || tail -n +2 /proc/net/$p | while read -r line; do echo "$p socket"; done
            done
            ss -xanH 2>/dev/null | awk '{ print "unix", $2, $5 }'
            readlink /proc/[0-9]*/ns/* | sort -u
            for p in shm msg sem; do tail -n +2 /proc/sysvipc/$p | awk -v p=$p '{ print p, $1, $2 }'; done
            find /dev/shm /dev/mqueue /run -mindepth 1 | sort"#;
        // A file of /proc that a process takes with it is gone: that is no failure.
        self.sh(script).stdout.lines().map(String::from).collect()
    }
}
