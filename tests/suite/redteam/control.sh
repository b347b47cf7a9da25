# shellcheck shell=bash
# control.sh - makes each attack without a sandbox, and looks before and after it.
cd /usr/local/lib/redteam || exit 1
# shellcheck source=tests/suite/redteam/common.sh
. ./common.sh

try() {
  ! judge || echo "before $1"
  bash "./rows/$1" >"/run/said.$1" 2>"/run/error.$1"
  for _ in {1..10}; do
    if judge; then
      echo "after $1"
      return
    fi
    sleep 0.03
  done
  echo "not $1"
  sed 's/^/   /' "/run/said.$1" "/run/error.$1"
}
