# shellcheck shell=bash disable=SC2016,SC2154
# ends.sh - sourced by scripts/package-check: what stays of the package when it goes.

keeps_state_when_removed() {
  # A node on which disco has changed nothing that is still to be seen: whoever has merged something before this has undone it.
  sh_node '[ ! -e /etc/othermodule ]; echo mine >/etc/disco/dlm.toml
    mkdir -p /var/lib/disco-dlm; echo locks >/var/lib/disco-dlm/locks'
  local state='find /var/disco /etc/disco /var/lib/disco-dlm -type f ! -name helper.lock -exec sha256sum {} + | sort -k 2 | sha256sum' before
  before=$(sh_node "$state")
  holds 'apt removes it' apt remove disco
  holds 'its programs are gone' sh_node 'not command -v disco; [ -z "$(ls /usr/bin/disco* 2>/dev/null)" ]'
  holds 'its units are gone' sh_node '[ -z "$(ls /usr/lib/systemd/system | grep disco || true)" ]; [ "$(systemctl is-active disco-dance.timer || true)" = inactive ]; not pgrep -x disco; not ls /run/disco/agent.sock 2>/dev/null'
  [ "$before" = "$(sh_node "$state")" ] || fail 'removing it has changed its state'
  ok 'parameters, records, undo data, locks and settings stay'
  holds 'it is installed again' apt install /srv/packages/second.deb
  holds 'with all that it knew' sh_node 'disco runs | grep merged; systemctl is-enabled disco-recover-files disco-recover disco-dance.timer'
}

leaves_nothing_when_purged() {
  sh_node 'mkdir -p /mnt/other /var/disco/other; mount -t tmpfs other /var/disco/other; echo mine >/var/disco/other/file'
  apt purge --auto-remove disco >"$folder/apt.log" 2>&1 || fail "apt: $(tail -n 5 "$folder/apt.log")"
  holds 'no other file system is emptied with it' node grep -q mine /var/disco/other/file
  sh_node 'umount /var/disco/other; rmdir /var/disco/other /var/disco /mnt/other'
  holds 'what the administrator has put into /etc/disco stays' sh_node 'grep -q mine /etc/disco/dlm.toml; grep -q ci /etc/disco/agent.keys; ls /etc/disco/agent.toml'
  sh_node 'rm -r /etc/disco'
  note_all after
  # Left out: what apt, dpkg and the node itself write, and the account, which docs/packages-of-disco.md has the reason for.
  local mine='^(/var/lib/(dpkg|apt|systemd|misc|pam)|/var/cache|/var/log|/run|/root|/etc/(passwd|group|shadow|gshadow|subuid|subgid|\.pwd\.lock|ld\.so\.cache|rc[0-9S]\.d/\.depend)|/etc/rc)[-./ ]?'
  local left
  left=$(diff <(grep -vE "$mine" "$folder/before.list" | grep -vE '  /etc/(passwd|group|shadow|gshadow)-?$') <(grep -vE "$mine" "$folder/after.list" | grep -vE '  /etc/(passwd|group|shadow|gshadow)-?$') || true)
  [ -z "$left" ] || { printf '%s\n' "$left" >&2; fail 'purging it has left something, or has taken too much'; }
  holds 'the node is as before the installation, but for the accounts disco-dlm and disco-agent' sh_node 'getent passwd disco-dlm disco-agent; [ ! -e /run/disco ]; not ls /var/log/disco* 2>/dev/null; not pgrep -u disco-agent; not ls /etc/rc?.d/*disco* /var/lib/systemd/deb-systemd-helper*/*disco* /var/lib/systemd/timers/*disco* 2>/dev/null'
}

keeps_an_unfinished_merge() {
  apt install /srv/packages/first.deb >"$folder/apt.log" 2>&1 || fail "apt: $(tail -n 5 "$folder/apt.log")"
  ok 'after a purge it is installed again'
  sh_node 'echo /usr/share/doc/disco/examples/modules | disco param set disco/server/uri; disco dance >/dev/null 2>&1'
  # Another program of that name, copied by hand, could have begun a merge after the removal.
  apt remove disco >"$folder/apt.log" 2>&1
  sh_node 'mkdir -p /var/disco/journal; echo "{}" >/var/disco/journal/left'
  holds 'a purge keeps a merge that is not finished' sh_node 'apt-get -y -qq purge disco 2>&1 | grep "/var/disco was kept"; [ -e /var/disco/journal/left ]; ls /var/disco/undo | grep .'
}

# The same package where something else than systemd is the first process.
lives_without_systemd() {
  local top=$folder/plain
  rm -rf "$top"
  mkdir -p "$top"/{upper,work,root}
  cp tests/package/plain.sh "$folder/packages/first.deb" "$top"
  holds 'init scripts recover and serve without systemd' unshare --mount --pid --net --fork --kill-child bash -euo pipefail -c '
    mount -t overlay -o "lowerdir=$1/root,upperdir=$2/upper,workdir=$2/work" plain "$2/root"
    mount -t proc proc "$2/root/proc"; mount -t tmpfs run "$2/root/run"; mount --bind /dev "$2/root/dev"
    mkdir "$2/root/srv/packages"; cp "$2/first.deb" "$2/plain.sh" "$2/root/srv/packages"
    exec chroot "$2/root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive bash -euxo pipefail /srv/packages/plain.sh' bash "$folder" "$top"
  rm -rf "$top"
}
