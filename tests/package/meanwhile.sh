# shellcheck shell=bash disable=SC2016,SC2154
# meanwhile.sh - sourced by scripts/package-check: runs of the agent that are under way while sockets and services are stopped, and while the package
# is upgraded, removed and purged.

# A module whose step hangs until somebody ends its sleep, and then has changed something; it is there alone.
slow_module() {
  sh_node 'mkdir -p /srv/slow/parameters/localhost.localdomain/modules /srv/slow/modules/slow/scripts; touch /srv/slow/parameters/localhost.localdomain/modules/slow
    echo "sleep 8765 || :; echo slow >/etc/slow" >/srv/slow/modules/slow/scripts/10.sh; [ -e /srv/uri ] || cp /var/disco/parameters/disco/server/uri /srv/uri; echo /srv/slow | disco param set disco/server/uri'
}

# a_run_hangs true|false: a dry or a live one; where it is, is in href.
a_run_hangs() {
  slow_module
  href=$(field href /v1/runs -d "{\"noop\":$1}")
  [ -n "$href" ] || fail 'no run was begun'
  within 30 'a run hangs in its step' node pgrep -f 'sleep 8765'
}

nothing_hangs() {
  sh_node 'not pgrep -f "[s]leep 8765"; not pgrep -f "[d]isco agent __run"; disco param set disco/server/uri </srv/uri; rm -r /srv/slow /srv/uri'
}

agent_is_stopped_and_started() {
  local href
  a_run_hangs true
  local goes_on='pgrep -f "[s]leep 8765"' right='[ "$(stat -c "%a %U:%G %F" /run/disco/agent.sock)" = "660 root:disco-agent socket" ]'
  # What needs the socket goes with it; who asks brings it back.
  holds "the helper's socket goes with its unit" sh_node "systemctl stop disco-agent-helper.socket; [ -z \"\$(ls -A /run/disco)\" ]; not systemctl is-active disco-agent disco-agent-helper; $goes_on"
  holds 'and comes back as it was' sh_node "systemctl start disco-agent-helper.socket; $right"
  says 'the run goes on' '"state":"running"' 200 -- "$href"
  holds 'tmpfiles leaves it alone' sh_node "systemd-tmpfiles --create --remove --clean disco.conf; $right"
  holds 'both services stop, their sockets stay' sh_node "systemctl stop disco-agent disco-agent-helper; not systemctl is-active disco-agent disco-agent-helper; systemctl is-active disco-agent.socket disco-agent-helper.socket; $right; $goes_on"
  says 'the run goes on again' '"state":"running"' 200 -- "$href"
  holds 'disco agent stop stops all four, and no run' sh_node "disco agent stop; disco agent status >/tmp/status && exit 1 || [ \$? = 3 ]; [ \"\$(grep -c inactive /tmp/status)\" = 4 ]; [ -z \"\$(ls -A /run/disco)\" ]; $goes_on; disco agent stop"
  holds 'start brings both sockets back, and says nothing against being said twice' sh_node "disco agent start; disco agent start; $right; disco agent status | grep \"^disco-agent.socket  *active\""
  holds 'so does restart' sh_node "disco agent restart; $right; $goes_on"
  holds 'any number of times' sh_node "for _ in {1..8}; do disco agent restart; disco agent status; done; systemctl is-active disco-agent.socket disco-agent-helper.socket; $goes_on"
  says 'and it answers' '"state":"running"' 200 -- "$href"
  holds 'sockets are opened anew under services that run' sh_node 'systemctl is-active disco-agent disco-agent-helper; systemctl restart disco-agent.socket; systemctl restart disco-agent-helper.socket
    systemctl is-active disco-agent.socket disco-agent-helper.socket disco-agent disco-agent-helper'
  says 'and it answers again' '"state":"running"' 200 -- "$href"
  local verb
  for verb in start stop restart; do
    refuses "nobody but root may: $verb" 'only root may' sh_node "[ \"\$(setpriv --reuid=nobody --regid=nogroup --clear-groups disco agent $verb >/dev/null 2>&1; echo \$?)\" = 77 ]; setpriv --reuid=nobody --regid=nogroup --clear-groups disco agent $verb"
  done
  holds 'anybody may ask how it is' sh_node 'setpriv --reuid=nobody --regid=nogroup --clear-groups disco agent status | grep "^disco-agent-helper.socket *active"'
  holds 'the helper is killed' sh_node 'disco agent status >/dev/null; kill -9 "$(systemctl show -P MainPID disco-agent-helper)"'
  says 'with its state' '"state":"running"' 200 -- "$href"
  node pkill -f 'sleep 8765'
  says 'to its end' '"state":"done"' '"exit":2' -- "$href?wait=60"
  a_run_hangs true
  says 'a live run waits behind a dry one' '"state":"queued"' 202 -- /v1/runs -d '{}'
  holds 'the dry one ends, and nobody begins the other' sh_node 'disco agent stop; pkill -f "[s]leep 8765"
    until ! pgrep -f "[d]isco agent __run"; do sleep 0.1; done; sleep 1; not pgrep -f "[s]leep 8765"; [ ! -e /etc/slow ]; disco agent start'
  within 30 'what waited begins, though nobody asks' node pgrep -f 'sleep 8765'
  node pkill -f 'sleep 8765'
  within 30 'and does what was wanted' node test -e /etc/slow
  within 30 'to its end' sh_node 'not pgrep -f "[d]isco agent __run"; rm /etc/slow'
  nothing_hangs
  holds 'what the helper says has its gravity in the journal' sh_node 'journalctl -u disco-agent-helper -p info -o cat | grep "^info: Listening at /run/disco/agent.sock"'
}

agent_is_upgraded_during_a_run() {
  local href which
  for which in first second; do
    a_run_hangs false
    sh_node 'systemctl show -P MainPID disco-agent >/tmp/pid'
    apt install --reinstall --allow-downgrades "/srv/packages/$which.deb" >"$folder/apt.log" 2>&1 || fail "apt: $(tail -n 5 "$folder/apt.log")"
    ! grep -v downgrading "$folder/apt.log" | grep -iE 'warning|error|fail' || fail 'apt or dpkg has warned'
    says "the run goes on while $which is installed" '"state":"running"' 200 -- "$href"
    holds 'under agents that are started anew' sh_node 'not grep -qx "$(systemctl show -P MainPID disco-agent)" /tmp/pid; pgrep -f "[s]leep 8765"'
    node pkill -f 'sleep 8765'
    says 'and merges' '"state":"done"' '"exit":2' -- "$href?wait=60"
    holds 'as the one that it is' sh_node 'grep -qx slow /etc/slow; disco undo >/dev/null; [ ! -e /etc/slow ]'
    nothing_hangs
  done
}

agent_is_removed_during_a_run() {
  local href
  a_run_hangs false
  says 'another one waits' 202 -- /v1/runs -d '{"noop":true}'
  apt remove disco >"$folder/apt.log" 2>&1 || fail "apt: $(tail -n 5 "$folder/apt.log")"
  ! grep -iE 'warning|error|fail' "$folder/apt.log" || fail 'apt or dpkg has warned'
  ok 'the package is removed during a run'
  holds 'the run has ended, and has changed nothing' sh_node 'not pgrep -f "[s]leep 8765"; not pgrep -f "[d]isco (agent|dance)"; [ ! -e /etc/slow ]; [ -z "$(ls -A /run/disco)" ]; not grep -q "^[^ ]* /var/disco" /proc/mounts; [ "$(grep -lE "\"state\":\"(running|queued)\"" /var/disco/agent/runs/*.json | wc -l)" = 0 ]'
  holds 'it is installed again' apt install /srv/packages/second.deb
  holds 'its agent starts' sh_node 'disco agent start'
  says 'both runs are told as what they were' '"state":"aborted"' '"aborted_by":"disco agent stop"' 200 -- "$href"
  nothing_hangs
}

# Somebody's own live run is not ended by it.
is_not_removed_under_somebodys_run() {
  slow_module
  node bash -c 'nohup disco dance >/tmp/dance 2>&1 </dev/null &'
  within 30 'somebody has begun a live run' node pgrep -f 'sleep 8765'
  refuses 'it is not removed under that' 'somebody has begun; nothing was removed' apt remove disco
  local as_before='systemctl is-active disco-agent.socket disco-agent-helper.socket; pgrep -f "[s]leep 8765"'
  holds 'and its agent is as it was' sh_node "$as_before"
  node bash -c 'cat >/tmp/preun' <dist/rpm/preun
  refuses 'nor would an rpm be' 'somebody has begun; nothing was removed' node sh /tmp/preun 0
  holds 'and its agent is as it was then, too' sh_node "$as_before"
  node pkill -f 'disco dance'
  within 30 'it ends' sh_node 'not pgrep -f "[d]isco dance"; [ ! -e /etc/slow ]'
  nothing_hangs
}
