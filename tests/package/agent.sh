# shellcheck shell=bash disable=SC2016,SC2154
# agent.sh - sourced by scripts/package-check: the agent of the package, on a node with systemd, asked by curl.

readonly AGENT_AT=http://127.0.0.1:8453

# agent_curl PATH [WORDS…]: the answer, and its status in a line of its own. The machine's curl is in the node's network, for the node has none.
agent_curl() {
  local path=$1
  shift
  nsenter --target "$(sed -n 's/^ready \([0-9]*\) .*/\1/p' "$folder/node/said")" --net -- \
    curl -sS --max-time 90 -w '\n%{http_code}\n' -H "Authorization: Bearer ${key:-}" -H 'Content-Type: application/json' "$@" "$AGENT_AT$path"
}

# says WHAT WORDS… -- CURL'S WORDS: the answer has all of these lines, or parts of them.
says() {
  local what=$1 wanted=() said
  shift
  while [ "$1" != -- ]; do wanted+=("$1"); shift; done
  shift
  said=$(agent_curl "$@" 2>&1) || fail "$what: $said"
  local one
  for one in "${wanted[@]}"; do
    grep -qF -- "$one" <<<"$said" || { printf '%s\n' "$said" >&2; fail "$what: it does not say $one"; }
  done
  ok "$what: ${wanted[*]}"
}

# field NAME CURL'S WORDS…: that word of an answer.
field() {
  local name=$1
  shift
  agent_curl "$@" | sed -n "s/.*\"$name\":\"\([^\"]*\)\".*/\1/p"
}

agent_is_installed() {
  holds 'the agent has a user of no rights' sh_node 'getent passwd disco-agent | grep -E ":/nonexistent:/usr/sbin/nologin$"; [ "$(id -Gn disco-agent)" = disco-agent ]'
  for unit in disco-agent.socket disco-agent.service disco-agent-helper.socket; do
    refuses "$unit is left to the administrator" disabled node systemctl is-enabled "$unit"
  done
  holds 'its sockets have a folder' sh_node '[ "$(stat -c "%a %U:%G" /run/disco)" = "755 root:root" ]'
  holds 'which systemd makes again when it is gone' sh_node 'rmdir /run/disco; systemd-tmpfiles --create --remove disco.conf; [ "$(stat -c "%a %U:%G" /run/disco /var/disco | paste -sd,)" = "755 root:root,700 root:root" ]'
  holds 'without a configuration its listener does not start' sh_node \
    'systemctl start disco-agent; [ "$(systemctl show -P ActiveState -P ConditionResult disco-agent | paste -sd,)" = inactive,no ]; systemctl stop disco-agent-helper.socket disco-agent.socket'
  holds 'its log is rotated, where there is one' sh_node 'grep -q copytruncate /etc/logrotate.d/disco-agent; [ "$(stat -c "%a %U" /etc/logrotate.d/disco-agent)" = "644 root" ]'
}

agent_serves() {
  sh_node 'disco agent init'
  key=$(node disco agent key add ci)
  [ ${#key} = 43 ] || fail "this is no key: $key"
  holds 'its configuration and its keys are for it to read, and for nobody else' sh_node \
    '[ "$(stat -c "%a %U:%G" /etc/disco/agent.toml /etc/disco/agent.keys | sort -u)" = "640 root:disco-agent" ]'
  holds 'its sockets are enabled and started' node systemctl enable --quiet --now disco-agent-helper.socket disco-agent.socket
  holds 'nothing of it runs before somebody comes' sh_node \
    '[ "$(systemctl is-active disco-agent disco-agent-helper | sort -u)" = inactive ]; [ "$(stat -c "%a %U:%G" /run/disco/agent.sock)" = "660 root:disco-agent" ]'
  says 'the socket starts the listener' ok 200 -- /healthz
  holds 'which is its own user' sh_node 'pid=$(systemctl show -P MainPID disco-agent); [ "$(stat -c %U:%G /proc/$pid)" = disco-agent:disco-agent ]
    [ "$(grep -c "^Cap.*0000000000000000" /proc/$pid/status)" = 5 ]; grep -x "NoNewPrivs:.1" /proc/$pid/status; grep -x "Seccomp:.2" /proc/$pid/status'
  # Walls, and not only modes: root itself is kept out there.
  holds 'in walls: nothing of disco and of homes is to be seen there, no other process, and nothing to be written' sh_node 'pid=$(systemctl show -P MainPID disco-agent)
    inside() { nsenter --target $pid --mount -- "$@"; }
    ls -A /var/disco | grep -q .; [ -z "$(inside ls -A /var/disco)" ]; ls -A /root | grep -q .; [ -z "$(inside ls -A /root)" ]
    for file in /etc/x /var/x /run/disco/x /usr/x; do not inside touch $file; done; inside setpriv --reuid=disco-agent --clear-groups --regid=disco-agent test ! -e /proc/1/status'
  local exposure
  exposure=$(node systemd-analyze security --no-pager disco-agent.service | sed -n 's/.*Overall exposure level[^:]*: \([0-9.]*\).*/\1/p')
  [ "${exposure%.*}" -le 1 ] || fail "systemd-analyze security says $exposure of disco-agent"
  ok "systemd-analyze security: disco-agent $exposure"
}

agent_runs() {
  local right=$key
  key=wrong says 'a wrong key is refused' 401 -- /v1/status
  key=$right
  says 'a dry run of the example really runs' '"state":"done"' '"exit":2' '"success":true' '"by":["key ci"]' 200 -- /v1/runs -d '{"noop":true,"wait":60}'
  local href
  href=$(field href /v1/runs)
  says 'its log tells what the README says' 'Would execute : service postgresql stop' 'stuff.cfg : Created' -- "$href/log"
  holds 'and has changed nothing' sh_node '[ ! -e /etc/othermodule ]; disco runs | grep -q noop'
  holds 'disco agent status tells of it' sh_node 'disco agent status | tee /tmp/status; grep -q "^disco-agent.service *active, pid" /tmp/status; grep -q "dry run .* ended with 2" /tmp/status'
}

# A step that hangs as long as somebody wants.
agent_restarts() {
  local href
  sh_node 'mkdir -p /srv/slow/parameters/localhost.localdomain/modules /srv/slow/modules/slow/scripts; touch /srv/slow/parameters/localhost.localdomain/modules/slow
    echo "echo begun; exec sleep 8765" >/srv/slow/modules/slow/scripts/10.sh; cp /var/disco/parameters/disco/server/uri /srv/uri; echo /srv/slow | disco param set disco/server/uri'
  href=$(field href /v1/runs -d '{"noop":true}')
  within 30 'a run hangs in its step' node pgrep -f 'sleep 8765'
  sh_node 'systemctl show -P MainPID disco-agent disco-agent-helper | sort >/tmp/pids'
  holds 'both are started anew' sh_node 'systemctl restart disco-agent-helper disco-agent; sleep 1; not cmp -s /tmp/pids <(systemctl show -P MainPID disco-agent disco-agent-helper | sort); pgrep -f "[s]leep 8765"'
  says 'the run goes on' '"state":"running"' 200 -- "$href"
  says 'and is aborted' 200 -- "$href/abort" -X POST
  says 'which is told' '"state":"aborted"' '"aborted_by":"key ci"' -- "$href?wait=30"
  holds 'nothing of it is left' sh_node 'not pgrep -f "[s]leep 8765"; not systemctl is-failed disco-agent disco-agent-helper; disco param set disco/server/uri </srv/uri; rm -r /srv/slow /srv/uri'
}

# After the upgrade of the package.
agent_is_upgraded() {
  holds 'the agent is the new one, with what was enabled' sh_node 'systemctl is-enabled disco-agent.socket disco-agent-helper.socket
    for unit in disco-agent disco-agent-helper; do pid=$(systemctl show -P MainPID $unit); [ "$pid" = 0 ] || [ "$(readlink /proc/$pid/exe)" = /usr/bin/disco ]; done'
  says 'and answers those who have a key' '"state":"aborted"' 200 -- /v1/runs
}
