# shellcheck shell=bash disable=SC2016,SC2154
# life.sh - sourced by scripts/package-check: the package is installed, works, and is upgraded.

installs() {
  node sh -c '! command -v rsync && ! getent passwd disco-dlm' || fail 'the node is not clean: rsync or disco-dlm is there already'
  apt install /srv/packages/first.deb >"$folder/apt.log" 2>&1 || fail "apt: $(tail -n 5 "$folder/apt.log")"
  ! grep -iE 'warning|error|fail' "$folder/apt.log" || fail 'apt or dpkg has warned'
  ok 'apt installs it, with rsync'
  holds 'the program runs' sh_node '[ "$(command -v disco)" = /usr/bin/disco ]; disco --version'
  holds 'its old names are commands' sh_node 'disco-param dump; disco-fs-diff --help; disco-fs-init --help; disco-fs-mount --help; disco-sh-shell --help'
  holds '/var/disco is for root alone, /etc/disco for all' sh_node '[ "$(stat -c "%a %U:%G" /var/disco /etc/disco | paste -sd,)" = "700 root:root,755 root:root" ]'
  holds 'the lock server has a user' sh_node 'getent passwd disco-dlm | grep -E ":/var/lib/disco-dlm:/usr/sbin/nologin$"'
  holds 'init scripts and what logrotate reads are conffiles' sh_node '[ "$(dpkg-query -W -f "\${Conffiles}" disco | grep -c -e /etc/init.d/disco -e /etc/logrotate.d/disco)" = 6 ]'
}

starts_units() {
  holds 'recovery, and the release of locks after a restart, are enabled' node systemctl is-enabled disco-recover-files disco-recover disco-lock-release
  refuses 'the timer is left to the administrator' disabled node systemctl is-enabled disco-dance.timer
  refuses 'so is the lock server' disabled node systemctl is-enabled disco-dlm
  holds 'recovery starts, with nothing to do' sh_node 'systemctl start disco-recover-files disco-recover; not systemctl is-failed disco-recover-files disco-recover'
  holds 'the lock server does not start without its configuration' sh_node \
    'systemctl start disco-dlm; [ "$(systemctl show -P ActiveState -P ConditionResult disco-dlm | paste -sd,)" = inactive,no ]'
  # In its walls another command can be looked at from inside, whatever the server says.
  sh_node 'touch /etc/disco/dlm.toml; mkdir -p /run/systemd/system/disco-dlm.service.d
    printf "[Service]\nType=oneshot\nRestart=no\nExecStart=\nExecStart=/bin/bash -c \"id -un >who; disco --version >>who; touch /etc/x 2>>who; ls /home >>who 2>&1; grep -e CapEff -e CapBnd /proc/self/status >>who\"\nWorkingDirectory=/var/lib/disco-dlm\n" >/run/systemd/system/disco-dlm.service.d/look.conf
    systemctl daemon-reload; systemctl start disco-dlm'
  holds 'the lock server is its own user, in walls, with a folder of its own' sh_node \
    '[ "$(stat -c "%a %U" /var/lib/disco-dlm)" = "700 disco-dlm" ]; cd /var/lib/disco-dlm; head -n 1 who | grep -x disco-dlm; grep -q "^disco 0" who; grep -q "/etc/x.*Read-only" who
     [ "$(grep -c 0000000000000400 who)" = 2 ]'
  sh_node 'rm -r /run/systemd/system/disco-dlm.service.d /etc/disco/dlm.toml /var/lib/disco-dlm; systemctl daemon-reload'
  local exposure
  exposure=$(node systemd-analyze security --no-pager disco-dlm.service | sed -n 's/.*Overall exposure level[^:]*: \([0-9.]*\).*/\1/p')
  [ "${exposure%.*}" -le 2 ] || fail "systemd-analyze security says $exposure of disco-dlm"
  ok "systemd-analyze security: disco-dlm $exposure"
}

dances() {
  sh_node 'echo /usr/share/doc/disco/examples/modules | disco param set disco/server/uri'
  holds 'a dry run of the example in the package tells what the README says' sh_node \
    'disco dance --noop | tee /tmp/noop; grep -q "Would execute : service postgresql stop" /tmp/noop; grep -q "stuff.cfg : Created .*md5=\[77b20e4840b1be13a577e152edc6b443\]" /tmp/noop; [ ! -e /etc/othermodule ]'
  holds 'it keeps a plan' sh_node 'disco dance --noop --plan /srv/kept.plan'
}

# The timer's own units, in a hurry.
the_timer_dances() {
  sh_node 'mkdir -p /run/systemd/system/disco-dance.timer.d
    printf "[Timer]\nOnCalendar=\nOnActiveSec=1\nAccuracySec=100ms\nRandomizedDelaySec=0\n" >/run/systemd/system/disco-dance.timer.d/hurry.conf
    systemctl daemon-reload; systemctl --quiet enable disco-dance.timer; systemctl start disco-dance.timer'
  within 60 'the timer has had a live dance' node grep -q HOST= /etc/othermodule/stuff.cfg
  within 30 'which has ended well' sh_node '[ "$(systemctl show -P Result -P ActiveState disco-dance.service | paste -sd,)" = success,inactive ]'
  holds 'it has a record' sh_node 'disco runs --live | grep merged'
  holds 'it is one by timer: none while live dances are disabled, and that is no failure' sh_node 'had=$(disco runs --live --format json | wc -l); disco disable "an audit"; systemctl start disco-dance.service
    [ "$(systemctl show -P Result disco-dance.service)" = success ]; journalctl -u disco-dance.service -o cat | grep "an audit"; [ "$(disco runs --live --format json | wc -l)" = "$had" ]; disco enable'
  sh_node 'systemctl stop disco-dance.timer; rm -r /run/systemd/system/disco-dance.timer.d; systemctl daemon-reload'
  holds 'a node has one moment in the half hour' sh_node 'systemctl start disco-dance.timer; systemctl show -P RandomizedDelayUSec -P FixedRandomDelay -P Persistent disco-dance.timer | paste -sd, | grep -x 30min,yes,yes; systemctl stop disco-dance.timer'
}

# Everything that somebody has set or that runs have left, as it was.
upgrades() {
  sh_node 'echo "# mine" >>/etc/init.d/disco-dlm; echo mine >/etc/disco/dlm.toml; mkdir -p /etc/systemd/system/disco-dance.service.d
    printf "[Service]\nEnvironment=NOOP=true\n" >/etc/systemd/system/disco-dance.service.d/noop.conf; systemctl disable --quiet disco-recover.service'
  # The number of the helper is that of the new one.
  local state='find /var/disco /etc/disco /etc/systemd/system/disco-dance.service.d /etc/init.d/disco-dlm -type f ! -name helper.lock -exec sha256sum {} + | sort -k 2; disco runs --format json | sha256sum'
  local before after
  before=$(sh_node "$state")
  apt install /srv/packages/second.deb >"$folder/apt.log" 2>&1 || fail "apt: $(tail -n 5 "$folder/apt.log")"
  after=$(sh_node "$state")
  [ "$before" = "$after" ] || { diff <(echo "$before") <(echo "$after") >&2 || true; fail 'the upgrade has changed settings, records or edited files'; }
  ok 'an upgrade keeps settings, records and edited files'
  holds 'it is the new one' sh_node 'dpkg-query -W -f "\${Version}" disco | grep -e -2$'
  refuses 'what was disabled stays so' disabled node systemctl is-enabled disco-recover
  holds 'what was enabled stays so' node systemctl is-enabled disco-dance.timer disco-recover-files
  holds 'the plan that the old one has kept is applied by the new one' sh_node 'disco undo >/dev/null; [ ! -e /etc/othermodule ]; disco apply /srv/kept.plan; grep -q HOST= /etc/othermodule/stuff.cfg'
  sh_node 'systemctl enable --quiet disco-recover.service; rm -r /etc/systemd/system/disco-dance.service.d; systemctl daemon-reload'
}

waits_for_merges_and_sandboxes() {
  sh_node 'disco fs mount; echo "echo inside >/etc/inside" | disco shell >/dev/null'
  refuses 'it is not removed under a mounted sandbox' 'disco fs unmount' apt remove disco
  apt install --reinstall --allow-downgrades /srv/packages/first.deb >"$folder/apt.log" 2>&1 || fail "apt: $(tail -n 5 "$folder/apt.log")"
  holds 'an upgrade under a mounted sandbox is harmless: the new one joins it' sh_node 'disco fs status; disco fs diff | grep /etc/inside; echo "cat /etc/inside" | disco shell | grep inside; disco fs unmount; [ ! -e /etc/inside ]'

  # A merge that waits for its confirmation is one under way: its journal is there.
  sh_node 'disco undo >/dev/null; disco dance --confirm 600 >/dev/null 2>&1 </dev/null; [ -n "$(ls -A /var/disco/journal)" ]'
  refuses 'it is not replaced during a merge' 'disco recover' apt install /srv/packages/second.deb
  refuses 'nor removed' 'nothing was removed' apt remove disco
  holds 'what was there is there' sh_node 'dpkg-query -W -f "\${db:Status-Status} \${Version}" disco | grep -e "^installed .*-1$"; disco --version; systemctl is-enabled disco-recover-files'
  sh_node 'disco confirm >/dev/null'
  holds 'afterwards it is' apt install /srv/packages/second.deb
  holds 'and undoes what the older one has merged' sh_node 'disco undo; [ ! -e /etc/othermodule ]'
}

# The power goes while an action of a merge hangs; the units of the package finish it.
recovers_at_boot() {
  sh_node 'mkdir -p /srv/master/parameters/localhost.localdomain/modules /srv/master/modules/m/scripts
    touch /srv/master/parameters/localhost.localdomain/modules/m
    printf "echo new >/etc/shown.conf; systemctl reload hangs\n" >/srv/master/modules/m/scripts/10.sh
    printf "[Service]\nExecStart=/bin/sleep 1000000\nExecReload=/bin/sh -c \"while [ -e /run/hang ]; do sleep 0.1; done\"\n[Install]\nWantedBy=multi-user.target\n" >/etc/systemd/system/hangs.service
    touch /run/hang; systemctl daemon-reload; systemctl enable --quiet --now hangs; echo /srv/master | disco param set disco/server/uri
    systemctl --no-block start disco-dance.service'
  within 60 'a merge hangs in its action' node grep -q new /etc/shown.conf
  # The node's systemd may go a moment before disco does, which must not see its action fail by that.
  node pkill -KILL -x disco
  switch_off
  start_node
  within 60 'after the power cut the node finishes it by itself' sh_node '[ -z "$(ls -A /var/disco/journal)" ]; grep -q new /etc/shown.conf; not systemctl is-failed disco-recover disco-recover-files'
  holds 'early, before anything reads the files' sh_node 'journalctl -b -u disco-recover-files -o cat | grep -i recover'
  holds 'the run is told as merged' sh_node 'disco runs --live --last 1 | grep merged'
  sh_node 'disco undo >/dev/null; [ ! -e /etc/shown.conf ]; systemctl disable --quiet --now hangs; rm /etc/systemd/system/hangs.service'
}
