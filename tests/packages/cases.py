"""Which packages are taken, each with why; what is not the same in two installations of one package, and why."""
from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    package: str
    kind: str
    # Answers to debconf's questions, for debconf-set-selections.
    answers: str = ""


CASES = [
    Case("nginx-light", "web server"),
    Case("lighttpd", "web server"),
    Case("haproxy", "proxy, a user of its own"),
    Case("postgresql", "database, makes a cluster"),
    Case("cron", "cron, set-group-id, a group"),
    Case("at", "jobs, set-id, a spool"),
    Case("openssh-server", "ssh server, debconf, ucf, makes keys"),
    Case(
        "postfix",
        "mail server, debconf, users, a chroot",
        "postfix postfix/main_mailer_type select Internet Site\npostfix postfix/mailname string node.example\n",
    ),
    Case("exim4-daemon-light", "mail server, debconf, generated configuration"),
    Case("nfs-kernel-server", "kernel module"),
    Case("wireguard-tools", "kernel module"),
    Case("lvm2", "kernel module, device mapper"),
    Case("open-iscsi", "kernel module, makes a name"),
    Case("mdadm", "kernel module, debconf"),
    Case("initramfs-tools", "boot, triggers, without a boot loader"),
    Case("molly-guard", "diversions, of reboot and its kind"),
    Case("keyboard-configuration", "many debconf questions"),
    Case("locales", "debconf, generated files", "locales locales/locales_to_be_generated multiselect en_GB.UTF-8 UTF-8\n"),
    Case("tftpd-hpa", "debconf, a user and a folder"),
    Case("dbus", "message bus, in the root already"),
    Case("rsyslog", "log daemon"),
    Case("chrony", "time, a user"),
    Case("bind9", "name server, makes a key"),
    Case("unbound", "name server, makes an anchor"),
    Case("dnsmasq", "name server"),
    Case("samba", "file server, debconf, ucf"),
    Case("snmpd", "debconf, a user"),
    Case("sudo", "set-user-id, conffiles"),
]

# A few that are small, and of different kinds.
SAMPLE = ["cron", "tftpd-hpa", "molly-guard"]

# Path -> why it is not compared. A path that ends with / stands for all below it.
VOLATILE = {
    "/run/": "of the running system",
    "/var/log/": "every line has its time",
    "/var/cache/ldconfig/aux-cache": "inode numbers and times of libraries",
    "/etc/ssh/ssh_host_": "new keys are random",
    "/etc/ssl/": "new keys and certificates are random; the links to them are called by their sums",
    "/etc/bind/rndc.key": "a new key is random",
    "/etc/iscsi/initiatorname.iscsi": "a new name is random",
    "/etc/mdadm/mdadm.conf": "says when it was made",
    "/etc/aliases.db": "a database of Berkeley DB has a number of its own, made of its inode and the time",
    "/var/lib/postgresql/": "a new cluster has a random number and times",
    "/var/lib/mysql/": "a new database has random numbers and times",
    "/var/lib/samba/": "a new database has a random number",
    "/var/lib/unbound/root.key": "says when it was made",
}

# What is known of differences that are there, by what they are about.
KNOWN = {
    "udev (start)": "udev's script looks whether /proc/1/root is its own root, may not look there in a sandbox, takes it for a "
    "chroot, and does not ask for its daemon",
}
