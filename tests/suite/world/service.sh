#!/bin/sh
### BEGIN INIT INFO
# Provides:          @NAME@
# Required-Start:
# Required-Stop:
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
# Short-Description: A service with a real process, for tests
### END INIT INFO
pidfile=/run/@NAME@.pid
case "$1" in
start) start-stop-daemon --start --quiet --oknodo --background --make-pidfile --pidfile $pidfile --exec /usr/bin/sleep -- 1000000 ;;
stop) start-stop-daemon --stop --quiet --oknodo --retry 5 --remove-pidfile --pidfile $pidfile ;;
restart) "$0" stop && "$0" start ;;
status) start-stop-daemon --status --pidfile $pidfile ;;
*) echo "usage: $0 start|stop|restart|status" >&2; exit 2 ;;
esac
