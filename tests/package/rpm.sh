# shellcheck shell=bash disable=SC2016,SC2154
# rpm.sh - sourced by scripts/package-check: the rpm, by Debian's rpm, in a root that has nothing else.

rpm_file() { printf '%s\n' target/generate-rpm/disco-*.rpm; }

rpm_has_its_files() {
  local list want
  list=$(rpm -qlp "$(rpm_file)")
  for want in /usr/bin/disco /usr/bin/disco-overlayfs /usr/bin/disco-param /usr/lib/systemd/system/disco-dlm.service \
    /usr/lib/systemd/system/disco-dance.timer /usr/lib/systemd/system/disco-agent.socket /usr/lib/systemd/system/disco-agent.service \
    /usr/lib/systemd/system/disco-agent-helper.socket /usr/lib/systemd/system/disco-agent-helper.service /usr/share/man/man1/disco-agent.1.gz /usr/lib/systemd/system-preset/50-disco.preset /usr/lib/sysusers.d/disco.conf \
    /usr/lib/tmpfiles.d/disco.conf /usr/share/man/man1/disco-dance.1.gz /usr/share/man/man8/disco-overlayfs.8.gz \
    /usr/share/zsh/site-functions/_disco /usr/share/bash-completion/completions/disco \
    /usr/share/fish/vendor_completions.d/disco.fish /usr/share/licenses/disco/LICENSE; do
    grep -qx "$want" <<<"$list" || fail "the rpm has no $want"
  done
  ! grep -E '^/(etc/init.d|usr/local|usr/share/zsh/vendor)' <<<"$list" || fail 'the rpm has what is only for Debian'
  ok "the rpm has its $(wc -l <<<"$list") files"
  holds 'it asks for what it needs' bash -c "rpm -qpR '$(rpm_file)' | grep -x rsync && rpm -qpR '$(rpm_file)' | grep libc.so.6"
  holds 'it has scripts for both ends' bash -c "rpm -qp --scripts '$(rpm_file)' | grep -c scriptlet | grep -x 4"
  holds 'its digests are sound' rpm -K --nosignature "$(rpm_file)"
  local script
  for script in dist/rpm/*; do holds "sh reads ${script##*/}" sh -n "$script"; done
}

rpm_installs() {
  local root=$folder/rpm
  rm -rf "$root"
  mkdir -p "$root"
  holds 'rpm installs it into an empty root' rpm --root "$root" --dbpath /var/lib/rpm --nodeps --noscripts --ignorearch -i "$(realpath "$(rpm_file)")"
  holds 'as the package says' rpm --root "$root" --dbpath /var/lib/rpm -V --nodeps --noscripts disco
  holds 'the program runs' "$root/usr/bin/disco" --version
  # The scripts do what they say in a root with what they call; a node's own root has that.
  holds 'its scripts make the account and the folders, and keep a merge' unshare --mount --fork bash -euo pipefail -c '
    mkdir -p "$1/upper" "$1/work" "$1/root"
    mount -t overlay -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/work" rpm "$1/root"
    cp -a "$1/usr" "$1/root/"; cp -r dist/rpm "$1/root/srv/scripts"
    not() { if "$@"; then return 1; fi; }
    run() { chroot "$1/root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin sh "/srv/scripts/$2" "$3"; }
    run "$1" pre 1; run "$1" post 1
    chroot "$1/root" getent passwd disco-dlm
    chroot "$1/root" getent passwd disco-agent | grep nologin
    [ -z "$(find "$1/root/etc/systemd/system" -name "disco-agent*")" ]
    [ "$(stat -c %a "$1/root/var/disco")" = 700 ] && [ -d "$1/root/etc/disco" ]
    [ -L "$1/root/etc/systemd/system/sysinit.target.wants/disco-recover-files.service" ]
    [ ! -L "$1/root/etc/systemd/system/timers.target.wants/disco-dance.timer" ]
    mkdir "$1/root/var/disco/journal"; touch "$1/root/var/disco/journal/x"
    not run "$1" pre 2; not run "$1" preun 0; rm "$1/root/var/disco/journal/x"
    run "$1" preun 1; [ -L "$1/root/etc/systemd/system/sysinit.target.wants/disco-recover-files.service" ]
    run "$1" preun 0; run "$1" postun 0
    [ ! -L "$1/root/etc/systemd/system/sysinit.target.wants/disco-recover-files.service" ]' bash "$root" "$folder/root"
  holds 'rpm removes it' rpm --root "$root" --dbpath /var/lib/rpm --nodeps --noscripts -e disco
  [ ! -e "$root/usr/bin/disco" ] || fail 'the program is still there'
  rm -rf "$root"
}

# By rpm itself and its scripts, in a node's root in which no systemd runs.
rpm_upgrades() {
  local top=$folder/rpm
  rm -rf "$top"
  mkdir -p "$top"/{upper,work,root}
  holds 'rpm -U keeps settings, records and what is enabled or not; a merge that is not finished keeps the old one; rpm -e keeps what is not its' \
    unshare --mount --pid --fork --kill-child bash -euxo pipefail -c '
    root=$1/root
    mount -t overlay -o "lowerdir=$2,upperdir=$1/upper,workdir=$1/work" rpm "$root"
    mount -t proc proc "$root/proc"; mount --bind /dev "$root/dev"; mount -t tmpfs run "$root/run"
    not() { if "$@"; then return 1; fi; }
    by_rpm() { rpm --root "$root" --dbpath /var/lib/rpm "$@"; }
    is() { [ "$(by_rpm -q --qf "%{RELEASE}" disco)" = "$1" ]; [ "$(by_rpm -V --nodeps disco | grep -c missing || true)" = 0 ]; }
    wanted() { ls "$root/etc/systemd/system/$1.wants" | grep disco | paste -sd,; }
    by_rpm -i --nodeps --ignorearch "$3"; is 1
    [ "$(wanted sysinit.target) $(wanted multi-user.target)" = "disco-recover-files.service disco-lock-release.service,disco-recover.service" ]
    [ "$(stat -c "%a" "$root/var/disco" "$root/etc/disco" | paste -sd,)" = 700,755 ]
    chroot "$root" systemctl disable disco-recover.service; chroot "$root" systemctl enable disco-agent.socket disco-agent-helper.socket disco-dance.timer
    mkdir -p "$root/var/disco/runs/x"; echo mine | tee "$root/etc/disco/agent.toml" "$root/var/disco/runs/x/record.json"
    before=$(cd "$root" && find etc/disco var/disco -type f -exec sha256sum {} + | sort; wanted sockets.target; wanted timers.target; wanted multi-user.target)
    by_rpm -U --nodeps --ignorearch "$4"; is 2
    [ "$before" = "$(cd "$root" && find etc/disco var/disco -type f -exec sha256sum {} + | sort; wanted sockets.target; wanted timers.target; wanted multi-user.target)" ]
    [ "$(wanted multi-user.target)" = disco-agent-helper.service,disco-lock-release.service ]; wanted sockets.target | grep disco-agent.socket; wanted timers.target | grep disco-dance.timer
    chroot "$root" disco --version
    mkdir "$root/var/disco/journal"; touch "$root/var/disco/journal/x"
    not by_rpm -U --nodeps --ignorearch --oldpackage "$3"; not by_rpm -e --nodeps disco; is 2
    chroot "$root" disco --version; wanted sysinit.target | grep disco
    rm "$root/var/disco/journal/x"
    by_rpm -U --nodeps --ignorearch --oldpackage "$3"; is 1
    flock "$root/var/disco/lock" sleep 1000 & holder=$!; sleep 0.3
    not by_rpm -e --nodeps disco; is 1
    kill "$holder"; rm "$root/var/disco/lock"
    by_rpm -e --nodeps disco
    not by_rpm -q disco; not ls "$root/usr/bin/disco"; [ -z "$(find "$root/etc/systemd/system" -name "disco*")" ]
    grep -qx mine "$root/etc/disco/agent.toml"; grep -qx mine "$root/var/disco/runs/x/record.json"' \
    bash "$top" "$folder/root" "$(realpath "$(rpm_file)")" "$folder/packages/second.rpm"
  rm -rf "$top"
}
