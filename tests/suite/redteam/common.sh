# shellcheck shell=bash
# common.sh - what the attacks and their judges share, in the node: R has the canaries, P the numbers of processes.
export A=/usr/local/lib/redteam/attack R=/srv/redteam P=/run/redteam
[ ! -e "$P/node" ] || read -r NODE <"$P/node"
export NODE

# A process of that name, to be attacked, in a group of its own.
process() {
  local owner=()
  [ ! -e /run/owner ] || read -ra owner </run/owner
  # shellcheck disable=SC2016
  setsid "${owner[@]}" bash -c 'exec -a "redteam-$0" sleep 777000' "$1" </dev/null >/dev/null 2>&1 &
  echo $! >"$P/$1"
}
# Writes to a setting what it is already: where that is more than nothing, it harms nobody.
same() {
  local value
  value=$(cat "$1") && echo "$value" >"$1"
}
dead() { [ ! -d "/proc/$(cat "$P/$1")" ] || grep -q '^State:.Z' "/proc/$(cat "$P/$1")/status"; }
leaked() { grep -q leak "$1"; }
heard() { grep -aqF -- "$ID" /run/heard; }
on_disk() { grep -aqF -- "$1" "/dev/loop$(cat "$P/disk")"; }
