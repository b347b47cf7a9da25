//! Rows: a command line, and what is done about it.
//!
//! Longer than other files because it is rows, a table for each kind of command: a command is looked up in one place.

use super::*;

/// A verdict in a word or two: its kind, and the effect's kind and target.
fn told(line: &str, booted: bool) -> String {
    let words = shell_words::split(line).unwrap();
    match verdict(&words[0], &words[1..], booted) {
        Verdict::RunReal => "real".to_owned(),
        Verdict::Files => "files".to_owned(),
        Verdict::Look(_) => "look".to_owned(),
        Verdict::Effect(Wanted { kind, target, .. }) => format!("{kind:?} {target}").trim_end().to_owned(),
        Verdict::FilesAndEffect(Wanted { kind, target, .. }) => format!("files and {kind:?} {target}"),
    }
}

#[track_caller]
fn rows(rows: &[(&str, &str)]) {
    for (line, expected) in rows {
        assert_eq!(told(line, true), *expected, "{line}");
    }
}

#[test]
fn systemctl_by_its_verb() {
    rows(&[
        ("systemctl restart ssh", "Service ssh"),
        ("systemctl start a.service b@1", "Service a.service b@1"),
        ("systemctl --no-block stop ssh", "Service ssh"),
        ("systemctl --quiet is-active ssh", "look"),
        ("systemctl is-failed ssh", "look"),
        ("systemctl is-system-running", "look"),
        ("systemctl list-units --all", "look"),
        ("systemctl list-timers", "look"),
        ("systemctl list-units --type=service --state=running", "look"),
        ("systemctl -t service list-units", "look"),
        ("systemctl show -p MainPID --value ssh", "look"),
        ("systemctl show --property=A,B ssh", "look"),
        ("systemctl -n 5 status ssh", "look"),
        ("systemctl status --no-pager --lines=0 ssh", "look"),
        ("systemctl cat ssh", "look"),
        ("systemctl", "look"),
        ("systemctl is-enabled ssh", "files"),
        ("systemctl get-default", "files"),
        ("systemctl list-unit-files", "files"),
        ("systemctl enable ssh", "files"),
        ("systemctl disable ssh", "files"),
        ("systemctl mask ssh", "files"),
        ("systemctl preset-all", "files"),
        ("systemctl --root=/mnt enable ssh", "files"),
        ("systemctl --root=/mnt start ssh", "files"),
        ("systemctl --root /mnt status ssh", "files"),
        ("systemctl --image=/x is-enabled ssh", "files"),
        ("systemctl enable --now ssh", "files and Service ssh"),
        ("systemctl --now disable ssh", "files and Service ssh"),
        ("systemctl preset --now ssh", "files"),
        ("systemctl daemon-reload", "Service"),
        ("systemctl daemon-reexec", "Service"),
        ("systemctl set-property --runtime x CPUWeight=50", "Service x CPUWeight=50"),
        ("systemctl kill -s HUP ssh", "Service ssh"),
        ("systemctl isolate rescue.target", "Service rescue.target"),
        ("systemctl reset-failed", "Service"),
        ("systemctl reboot", "Power reboot"),
        ("systemctl poweroff --force --force", "Power poweroff"),
        ("systemctl --force", "Service --force"),
        ("systemctl -p status stop ssh", "Service ssh"),
        ("systemctl -p enable restart ssh", "Service ssh"),
        ("systemctl --user stop ssh", "real"),
        ("systemctl -H root@other status ssh", "real"),
        ("systemctl --host=other status ssh", "real"),
        ("systemctl -M box stop ssh", "real"),
        ("systemctl --help", "real"),
        ("systemctl --version", "real"),
        ("systemctl --frobnicate", "real"),
        ("systemctl frobnicate ssh", "real"),
        ("systemctl status --no-wall ssh", "Service status --no-wall ssh"),
    ]);
    for line in ["start ssh", "is-active ssh", "status ssh", "daemon-reload", "reboot", "--frobnicate"] {
        assert_eq!(
            told(&format!("systemctl {line}"), false),
            "real",
            "{line}: it says itself that it cannot"
        );
    }
    assert_eq!(told("systemctl enable --now ssh", false), "files");
    assert_eq!(told("systemctl is-enabled ssh", false), "files");
}

#[test]
fn services_by_other_ways() {
    rows(&[
        ("service postgresql stop", "Service postgresql"),
        ("service postgresql status", "look"),
        ("service --status-all", "look"),
        ("service status stop", "Service status"),
        ("service ../../usr/bin/touch status", "real"),
        ("service ../../usr/bin/touch start", "real"),
        ("service postgresql status x", "Service postgresql"),
        ("service postgresql stop --list", "Service postgresql"),
        ("service postgresql stop --query", "Service postgresql"),
        ("service", "real"),
        ("invoke-rc.d ssh start", "Service ssh"),
        ("invoke-rc.d --skip-systemd-native memcached start", "Service memcached"),
        ("invoke-rc.d --query ssh restart", "real"),
        ("invoke-rc.d --quiet ssh status", "look"),
        ("invoke-rc.d ssh stop --query", "Service ssh"),
        ("invoke-rc.d --rooty ssh stop", "real"),
        ("deb-systemd-invoke restart x.service y.service", "Service x.service y.service"),
        ("deb-systemd-invoke --user daemon-reload", "Service"),
        ("initctl list", "look"),
        ("initctl stop x", "Service x"),
        ("initctl --session list", "Service list"),
        ("rc-service ssh stop", "Service ssh"),
        ("rc-service ssh status", "look"),
        ("rc-service ssh stop --list", "Service ssh"),
        ("rc-service --list", "real"),
        ("start-stop-daemon --start --exec /usr/bin/x -- -f", "Service x"),
        ("start-stop-daemon -S -x /usr/bin/x --test", "real"),
        ("start-stop-daemon --stop --pidfile /run/x.pid --name y", "Service x.pid"),
        ("start-stop-daemon --status --pidfile /run/x.pid", "look"),
        ("start-stop-daemon --start --stop --exec /x", "real"),
        ("start-stop-daemon --help", "real"),
        ("start-stop-daemon --no-such", "real"),
    ]);
    assert_eq!(told("deb-systemd-invoke restart x.service", false), "real");
}

#[test]
fn power_is_power() {
    rows(&[
        ("reboot", "Power"),
        ("reboot -f", "Power"),
        ("shutdown -h now", "Power"),
        ("shutdown -h", "Power"),
        ("shutdown -c", "Power"),
        ("shutdown -h now --help", "Power"),
        ("shutdown --help", "real"),
        ("telinit 6", "Power 6"),
        ("telinit q", "Power q"),
        ("init 6", "Power 6"),
        ("init --version", "real"),
        ("init", "real"),
        ("runlevel", "real"),
        ("runlevel /tmp/x", "real"),
    ]);
}

#[test]
fn processes_are_acted_on_or_looked_for() {
    rows(&[
        ("kill 812", "Process 812"),
        ("kill -9 812 813", "Process 812 813"),
        ("kill -HUP 812", "Process 812"),
        ("kill -s TERM 812", "Process 812"),
        ("kill --signal TERM 812", "Process 812"),
        ("kill -s TERM -- -812", "Process -812"),
        ("kill -TERM -812", "Process -812"),
        ("kill -9 -1", "Process every process"),
        ("kill -TERM 0", "real"),
        ("kill -0 812", "look"),
        ("kill -s 0 812", "look"),
        ("kill -0 -812", "real"),
        ("kill -l", "real"),
        ("kill -l 9", "real"),
        ("kill -L", "real"),
        ("kill --help", "real"),
        ("kill", "real"),
        ("kill nginx", "Process nginx"),
        ("killall nginx", "Process nginx"),
        ("killall -HUP -q nginx", "Process nginx"),
        ("killall -s HUP nginx php", "Process nginx php"),
        ("killall -u www", "Process www"),
        ("killall -l", "real"),
        ("killall5 -9", "Process every process"),
        ("pkill nginx", "Process nginx"),
        ("pkill -9 -f 'nginx: worker'", "Process nginx: worker"),
        ("pkill -HUP -x nginx", "Process nginx"),
        ("pkill -P 12", "real"),
        ("pkill -0 nginx", "real"),
        ("pkill --help", "real"),
        ("skill -9 www", "Process www"),
        ("skill -l", "real"),
        ("pgrep nginx", "look"),
        ("pgrep -x -u root nginx", "look"),
        ("pgrep -af nginx", "look"),
        ("pgrep -P 12", "real"),
        ("pgrep -F /run/x.pid", "real"),
        ("pgrep --ns 1 --nslist pid .", "real"),
        ("pgrep -c nginx", "real"),
        ("pidof nginx", "look"),
        ("pidof -s /usr/sbin/nginx", "look"),
        ("pidof -o %PPID nginx", "real"),
        ("ps aux", "look"),
        ("ps -ef", "look"),
        ("ps -e -o pid,comm", "look"),
        ("ps -C nginx", "look"),
        ("ps -eo pid=,args= --sort=pid", "look"),
        ("ps", "real"),
        ("ps -p 12", "real"),
        ("ps -o comm= -p 12", "real"),
        ("ps 12", "real"),
        ("ps --ppid 12", "real"),
        ("ps --version", "real"),
        ("fuser /var/lock/x", "look"),
        ("fuser -v -n tcp 80", "look"),
        ("fuser -vm /mnt", "look"),
        ("fuser -k /mnt", "Process /mnt"),
        ("fuser -vmk /mnt", "Process /mnt"),
        ("fuser --kill /mnt", "Process /mnt"),
        ("fuser -k -n tcp 80", "Process 80"),
        ("fuser -HUP /mnt", "real"),
        ("lsof -t -i:80", "real"),
        ("lsof -t -i :80", "look"),
        ("lsof /var/lock/x", "look"),
        ("lsof -D b /x", "real"),
        ("lsof -Db /x", "real"),
        ("lsof +D /x", "real"),
        ("lsof +m /x", "real"),
        ("lsof -r 1", "real"),
    ]);
}

#[test]
fn mounts_are_made_or_listed() {
    rows(&[
        ("mount", "look"),
        ("mount -l", "look"),
        ("mount -t ext4", "look"),
        ("mount -a", "Mount"),
        ("mount -t ext4 -a", "Mount"),
        ("mount /dev/sda1 /mnt", "Mount /mnt"),
        ("mount -t tmpfs -o size=1m none /mnt", "Mount /mnt"),
        ("mount --bind /a /b", "Mount /b"),
        ("mount -o remount,ro /", "Mount /"),
        ("mount /mnt", "Mount /mnt"),
        ("mount -L data /mnt", "Mount /mnt"),
        ("mount --source /dev/sda1 --target /mnt", "Mount /mnt"),
        ("mount --make-rshared /", "Mount /"),
        ("mount -lT /tmp/fstab", "real"),
        ("mount --version", "real"),
        ("umount /mnt", "Mount /mnt"),
        ("umount -l /mnt /srv", "Mount /mnt /srv"),
        ("umount -a", "Mount"),
        ("umount -V", "real"),
        ("umount --fake /mnt", "real"),
        ("swapon", "real"),
        ("swapon --show", "real"),
        ("swapon -s", "real"),
        ("swapon -a", "Mount -a"),
        ("swapon /swapfile", "Mount /swapfile"),
        ("swapoff -a", "Mount -a"),
        ("losetup", "look"),
        ("losetup -a", "look"),
        ("losetup -l", "look"),
        ("losetup -j /image", "look"),
        ("losetup /dev/loop0", "look"),
        ("losetup /dev/loop0 /image", "Mount /image"),
        ("losetup -f", "Mount -f"),
        ("losetup -f --show /image", "Mount /image"),
        ("losetup -d /dev/loop0", "Mount /dev/loop0"),
        ("losetup -a -d", "Mount -d"),
        ("losetup -a -d /dev/loop0", "Mount /dev/loop0"),
        ("losetup -D", "Mount -D"),
        ("losetup -l -D", "Mount -D"),
        ("losetup -ld /dev/loop0", "Mount /dev/loop0"),
        ("losetup --list --detach-all", "Mount --detach-all"),
        ("losetup -c /dev/loop0", "Mount /dev/loop0"),
        ("findmnt", "look"),
        ("findmnt -n -o SOURCE /mnt", "look"),
        ("findmnt --fstab", "real"),
        ("findmnt -s", "real"),
        ("findmnt --tab-file /x", "real"),
        ("findmnt --poll", "real"),
        ("mountpoint -q /mnt", "look"),
        ("mountpoint /mnt", "look"),
        ("mountpoint mnt", "real"),
        ("mountpoint -x /dev/sda", "real"),
    ]);
}

#[test]
fn modules_are_loaded_or_told_of() {
    rows(&[
        ("modprobe br_netfilter", "KernelModule br_netfilter"),
        ("modprobe dummy numdummies=2", "KernelModule dummy"),
        ("modprobe -a a b", "KernelModule a b"),
        ("modprobe -r a", "KernelModule a"),
        ("modprobe -qr a", "KernelModule a"),
        ("modprobe -n a", "real"),
        ("modprobe --show-depends a", "real"),
        ("modprobe --dry-run a", "real"),
        ("modprobe -c", "real"),
        ("modprobe -C /tmp/x a", "KernelModule a"),
        ("modprobe -C /tmp/x -n a", "real"),
        ("modprobe --no-such a", "real"),
        ("insmod /tmp/x-y.ko a=1", "KernelModule x_y"),
        ("insmod --version", "real"),
        ("rmmod a", "KernelModule a"),
        ("rmmod", "real"),
        ("lsmod", "look"),
        ("lsmod --help", "real"),
    ]);
}

#[test]
fn networks_are_changed_or_shown() {
    rows(&[
        ("ip addr", "look"),
        ("ip a", "look"),
        ("ip a s", "look"),
        ("ip -j addr show dev eth0", "look"),
        ("ip -4 -o addr show", "look"),
        ("ip -br link", "look"),
        ("ip link show eth0", "look"),
        ("ip r", "look"),
        ("ip route show default", "look"),
        ("ip route get 192.0.2.1", "look"),
        ("ip -6 route list table all", "look"),
        ("ip rule", "look"),
        ("ip neigh show", "look"),
        ("ip netns list", "look"),
        ("ip netns", "look"),
        ("ip link s eth0", "Network link eth0"),
        ("ip link set dev eth0 up", "Network eth0"),
        ("ip link set eth0 up", "Network link eth0"),
        ("ip addr add 192.0.2.1/24 dev eth0", "Network eth0"),
        ("ip a flush dev eth0", "Network eth0"),
        ("ip route add default via 192.0.2.1", "Network route default"),
        ("ip netns add x", "Network netns x"),
        ("ip netns exec x ip a", "Network netns x"),
        ("ip -batch /tmp/x", "Network /tmp/x"),
        ("ip -b -", "Network"),
        ("ip -force -batch /tmp/x", "Network /tmp/x"),
        ("ip addr show -batch /tmp/x", "Network addr -batch"),
        ("ip -n x addr", "Network x addr"),
        ("ip -netns x addr show", "Network x show"),
        ("ip -s -s link", "look"),
        ("ip xfrm state", "Network xfrm state"),
        ("ip monitor", "real"),
        ("ip help", "real"),
        ("ip -V", "real"),
        ("ip", "real"),
        ("ifconfig", "look"),
        ("ifconfig -a", "look"),
        ("ifconfig eth0", "look"),
        ("ifconfig eth0 up", "Network eth0"),
        ("ifconfig eth0 192.0.2.1", "Network eth0"),
        ("route", "look"),
        ("route -n", "look"),
        ("route add default gw 192.0.2.1", "Network default gw 192.0.2.1"),
        ("route del default", "Network default"),
        ("tc qdisc show dev eth0", "look"),
        ("tc -s qdisc", "look"),
        ("tc qdisc add dev eth0 root netem delay 1ms", "Network eth0"),
        ("tc -b /tmp/x", "Network /tmp/x"),
        ("tc -force qdisc show", "Network qdisc show"),
        ("tc -n x qdisc show", "Network x show"),
        ("ethtool eth0", "look"),
        ("ethtool -i eth0", "look"),
        ("ethtool -s eth0 speed 100", "Network eth0"),
        ("ethtool -K eth0 gro off", "Network eth0"),
        ("ss -ltn", "look"),
        ("ss -ltnp 'sport = :80'", "look"),
        ("ss -K dst 192.0.2.1", "real"),
        ("ss -tK", "real"),
        ("ss --kill", "real"),
        ("ss -D /tmp/x", "real"),
        ("ss --diag=/tmp/x", "real"),
        ("ss -F /tmp/x", "real"),
        ("netstat -tlnp", "look"),
        ("netstat -c", "real"),
    ]);
}

#[test]
fn packet_filters_are_changed_or_shown() {
    rows(&[
        ("nft list ruleset", "look"),
        ("nft -a list table inet filter", "look"),
        ("nft -j list ruleset", "look"),
        ("nft flush ruleset", "Network flush ruleset"),
        ("nft -f /tmp/x", "Network /tmp/x"),
        ("nft list ruleset -f /tmp/x", "Network list ruleset -f /tmp/x"),
        ("nft list 'ruleset; flush ruleset'", "Network list ruleset; flush ruleset"),
        ("nft list ruleset ';' flush ruleset", "Network list ruleset ; flush ruleset"),
        ("nft 'list ruleset; flush ruleset'", "Network list ruleset; flush ruleset"),
        ("nft -i list ruleset", "Network list ruleset"),
        ("nft -D x=y list ruleset", "Network x=y list ruleset"),
        ("nft -I /tmp list ruleset", "Network /tmp list ruleset"),
        ("nft --optimize list ruleset", "Network list ruleset"),
        ("nft -c -f /tmp/x", "real"),
        ("nft add table inet x", "Network add table inet x"),
        ("nft --version", "real"),
        ("iptables -L", "look"),
        ("iptables -nvL INPUT --line-numbers", "look"),
        ("iptables -t nat -S", "look"),
        ("iptables -S INPUT 1", "look"),
        ("iptables -L -Z", "Network packet filter"),
        ("iptables -nvLZ", "Network packet filter"),
        ("iptables -L --modprobe=/tmp/x", "Network packet filter"),
        ("iptables -L -M /tmp/x", "Network /tmp/x"),
        ("iptables -A INPUT -p tcp --dport 80 -j ACCEPT", "Network INPUT"),
        ("iptables -F", "Network packet filter"),
        ("iptables -C INPUT -p tcp --dport 80 -j ACCEPT", "look"),
        ("iptables -C INPUT -m comment --comment x -j DROP", "look"),
        ("iptables -C INPUT -m bpf --object-pinned /x -j DROP", "real"),
        ("iptables -C INPUT -j ACCEPT --modprobe=/tmp/x", "real"),
        ("iptables -C INPUT -j ACCEPT -M /tmp/x", "real"),
        ("iptables-save", "look"),
        ("iptables-save -t nat", "look"),
        ("iptables-save -c", "look"),
        ("iptables-save -f /etc/x", "Network packet filter"),
        ("iptables-save -M /tmp/x", "Network packet filter"),
        ("iptables-save --file=/etc/x", "Network packet filter"),
        ("ip6tables-restore", "Network packet filter"),
        ("iptables-restore --test", "real"),
    ]);
}

#[test]
fn the_clock_and_the_name_are_set_or_told() {
    rows(&[
        ("date", "real"),
        ("date +%s", "real"),
        ("date -d yesterday +%F", "real"),
        ("date -u", "real"),
        ("date -f /etc/passwd", "real"),
        ("date -r /etc/passwd", "real"),
        ("date --iso-8601=seconds", "real"),
        ("date -Iseconds", "real"),
        ("date --no-such", "real"),
        ("date 99", "real"),
        ("date -s 2030-01-01", "Clock 2030-01-01"),
        ("date -us 2030-01-01", "Clock 2030-01-01"),
        ("date --set=2030-01-01 +%s", "Clock 2030-01-01"),
        ("date --se 2030-01-01", "Clock 2030-01-01"),
        ("date +%s -s 2030-01-01", "Clock 2030-01-01"),
        ("date 010112002030", "Clock 010112002030"),
        ("date 01011200", "Clock 01011200"),
        ("date 99991200", "real"),
        ("hwclock", "look"),
        ("hwclock -r", "look"),
        ("hwclock --systohc", "Clock hardware clock"),
        ("hwclock -w", "Clock hardware clock"),
        ("hwclock -r -w", "Clock hardware clock"),
        ("hwclock --show --adjfile=/etc/x", "Clock hardware clock"),
        ("timedatectl", "look"),
        ("timedatectl show -p Timezone --value", "look"),
        ("timedatectl set-timezone Europe/Berlin", "Clock Europe/Berlin"),
        ("timedatectl --no-ask-password set-ntp true", "Clock true"),
        ("timedatectl -H x status", "real"),
        ("timedatectl list-timezones", "real"),
        ("hostname", "look"),
        ("hostname -s", "look"),
        ("hostname -f", "real"),
        ("hostname -I", "look"),
        ("hostname box", "HostName box"),
        ("hostname -F /etc/hostname", "HostName /etc/hostname"),
        ("hostname 'a b'", "real"),
        ("hostname -b", "HostName -b"),
        ("hostnamectl", "look"),
        ("hostnamectl hostname", "look"),
        ("hostnamectl status --static", "look"),
        ("hostnamectl set-hostname box", "HostName box"),
        ("hostnamectl --static hostname box", "HostName box"),
        ("hostnamectl chassis vm", "HostName vm"),
    ]);
    assert_eq!(told("timedatectl set-ntp true", false), "real");
    assert_eq!(told("hostnamectl", false), "real");
}

#[test]
fn jobs_and_messages_are_kept() {
    let reads = |line: &str| {
        let words = shell_words::split(line).unwrap();
        verdict(&words[0], &words[1..], true).wanted().map(|wanted| wanted.reads)
    };
    rows(&[
        ("at now + 1 hour", "Job now + 1 hour"),
        ("at -l", "real"),
        ("at -c 3", "real"),
        ("at -d 3", "Job 3"),
        ("atrm 3", "Job 3"),
        ("atq", "real"),
        ("batch", "Job"),
        ("wall hello", "Message everybody"),
        ("write root pts/0", "Message root"),
        ("logger -t x hello", "Message the system's log"),
        ("logger --no-act hello", "real"),
        ("logger --help", "real"),
    ]);
    for (line, expected) in [
        ("at now", Some(true)),
        ("at -f /job now", Some(false)),
        ("wall hello", Some(false)),
        ("wall", Some(true)),
        ("logger -t x", Some(true)),
        ("logger -t x hello", Some(false)),
        ("logger -f /x", Some(false)),
        ("iptables-restore", Some(true)),
        ("iptables-restore /rules", Some(false)),
        ("nft -f -", Some(true)),
        ("nft -f /rules", Some(false)),
        ("kill 812", Some(false)),
        ("date", None),
    ] {
        assert_eq!(reads(line), expected, "{line}");
    }
}

#[test]
fn programs_of_several_commands_go_by_the_name_they_were_given() {
    for (name, argv, expected) in [
        ("systemctl", "systemctl stop x", "systemctl"),
        ("systemctl", "init 6", "init"),
        ("systemctl", "/sbin/reboot -f", "reboot"),
        ("kmod", "modinfo x", "modinfo"),
        ("kmod", "modprobe x", "modprobe"),
        ("killall5", "pidof x", "pidof"),
        ("xtables-nft-multi", "iptables-nft -L", "iptables"),
        ("xtables-nft-multi", "xtables-nft-multi iptables-save", "iptables-save"),
        ("iptables", "whatever -L", "iptables"),
        ("service", "systemctl x stop", "service"),
    ] {
        let argv: Vec<String> = argv.split(' ').map(str::to_owned).collect();
        assert_eq!(command(name, &argv).0, expected, "{argv:?}");
    }
    rows(&[("modinfo x", "real"), ("depmod -a", "real"), ("kmod list", "real"), ("no-such x", "real")]);
}
