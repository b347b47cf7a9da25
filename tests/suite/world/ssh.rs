//! A real ssh daemon in a hermetic node, for modules by rsync over ssh, as in the seed's example: the user `disco` with a
//! key, and his `~/rsyncd.conf`.

use super::World;

/// Where the client's key and the list of known hosts are in the node.
const CLIENT: &str = "/root/.ssh-disco";

impl World {
    /// Publishes the module set in the home of the user `disco`, starts an ssh daemon on the node's loopback, and sets
    /// the node's `disco/server/uri` and `disco/client/cmds/rsync` to it.
    pub fn sshd(&self) {
        self.sh("id disco >/dev/null 2>&1 || useradd --create-home --shell /bin/bash --password '*' disco")
            .succeeds();
        self.publish();
        self.sh(&format!(
            r#"set -e
            install -d -m 755 /run/sshd
            install -d -m 700 {CLIENT} /tmp/sshd
            install -d -m 700 -o disco -g disco /home/disco/.ssh
            [ -e {CLIENT}/key ] || ssh-keygen -q -t ed25519 -N '' -f {CLIENT}/key
            [ -e /tmp/sshd/host ] || ssh-keygen -q -t ed25519 -N '' -f /tmp/sshd/host
            install -m 600 -o disco -g disco {CLIENT}/key.pub /home/disco/.ssh/authorized_keys
            echo "127.0.0.1 $(cut -d' ' -f1,2 /tmp/sshd/host.pub)" >{CLIENT}/known_hosts
            # The daemon that ssh starts is the user's own: no port, no address, no other user.
            install -m 644 -o disco -g disco <(grep -vE '^(port|address|pid file|uid|gid)' /tmp/master/rsyncd.conf) \
                /home/disco/rsyncd.conf
            cat >/tmp/sshd/config <<'END'
ListenAddress 127.0.0.1
Port 22
HostKey /tmp/sshd/host
PidFile /tmp/sshd/pid
UsePAM no
PasswordAuthentication no
AllowUsers disco
END
            /usr/sbin/sshd -f /tmp/sshd/config
            for try in {{1..100}}; do (exec 3<>/dev/tcp/127.0.0.1/22) 2>/dev/null && exit 0; sleep 0.05; done
            echo 'the ssh daemon does not answer' >&2; exit 1"#
        ))
        .succeeds();
        self.setting("disco/server/uri", "disco@127.0.0.1");
        self.setting(
            "disco/client/cmds/rsync",
            &format!(
                r#"rsync -qaWHe "ssh -i {CLIENT}/key -o BatchMode=yes -o UserKnownHostsFile={CLIENT}/known_hosts -o StrictHostKeyChecking=yes""#
            ),
        );
    }

    /// Makes the client expect another host key than the ssh daemon has.
    pub fn expect_another_host_key(&self) {
        self.sh(&format!(
            "ssh-keygen -q -t ed25519 -N '' -f /tmp/sshd/other &&
             echo \"127.0.0.1 $(cut -d' ' -f1,2 /tmp/sshd/other.pub)\" >{CLIENT}/known_hosts"
        ))
        .succeeds();
    }
}
