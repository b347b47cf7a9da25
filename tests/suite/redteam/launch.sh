# shellcheck shell=bash
# launch.sh COMMAND... - runs it as a careless administrator would: with descriptors open, and with a terminal.
cd /usr/local/lib/redteam || exit 1
# shellcheck source=tests/suite/redteam/common.sh
. ./common.sh
exec 4<>/dev/tcp/127.0.0.1/7702 5<"$R/inherited" 6<"$R/inherited-reader" \
  7<>"/proc/$(cat "$P/holds-deleted")/fd/7" 8>>"$R/inherited-file" <"$R/standard-input"
cd /
exec "$A" with-tty "$@"
