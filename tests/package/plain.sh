# shellcheck shell=bash
# plain.sh - run by ends.sh in a root without systemd as its first process: the package, its init scripts, its end.
# Bash goes on after a `!` that fails.
not() { if "$@"; then return 1; fi; }
[ ! -d /run/systemd/system ]
cd /srv/repo || exit
dpkg --force-confold -i ./*.deb /srv/packages/first.deb
ls /etc/rcS.d/S??disco-recover-files /etc/rc2.d/S??disco-recover /etc/rc2.d/S??disco-lock-release
# The lock server is there, and not started by itself.
ls /etc/rc2.d/K??disco-dlm
[ "$(stat -c '%a' /var/disco)" = 700 ]
for name in disco-recover-files disco-recover; do "/etc/init.d/$name" start; done
# With something in the journal's folder the program is called, which finds no merge in that.
mkdir -p /var/disco/journal
echo '{}' >/var/disco/journal/left
/etc/init.d/disco-recover-files start 2>&1 | grep 'nothing to recover'
/etc/init.d/disco-dlm start | grep 'there is no /etc/disco/dlm.toml'
not /etc/init.d/disco-dlm status
# A stand-in for the server, which needs a configuration: whose process it is, and that it ends.
mkdir -p /etc/disco
touch /etc/disco/dlm.toml
mv /usr/bin/disco /usr/bin/disco.real
printf '#!/bin/bash\nid -un >/var/lib/disco-dlm/who\nexec sleep 1000\n' >/usr/bin/disco
chmod 755 /usr/bin/disco
/etc/init.d/disco-dlm start
for _ in {1..50}; do [ -s /var/lib/disco-dlm/who ] && break; sleep 0.1; done
grep -x disco-dlm /var/lib/disco-dlm/who
/etc/init.d/disco-dlm status
/etc/init.d/disco-dlm stop
not /etc/init.d/disco-dlm status
mv /usr/bin/disco.real /usr/bin/disco
# The agent itself, which brings its processes up by itself.
ls /etc/rc2.d/K??disco-agent
/etc/init.d/disco-agent start | grep 'there is no /etc/disco/agent.toml'
not /etc/init.d/disco-agent status
ip link set lo up
disco agent init
for word in start restart; do
  /etc/init.d/disco-agent "$word"
  [ "$(stat -c %U "/proc/$(cat /run/disco/agent-listener.pid)" "/proc/$(cat /run/disco/agent-helper.pid)" | paste -sd,)" = disco-agent,root ]
done
/etc/init.d/disco-agent status | grep 'at 127.0.0.1:8453'
/etc/init.d/disco-agent stop
not /etc/init.d/disco-agent status
ls /var/log/disco-agent.log
dpkg --purge disco
not ls /var/log/disco-agent.log* /run/disco 2>/dev/null
not ls /etc/rc?.d/*disco* 2>/dev/null
[ ! -e /var/disco ]
[ ! -e /var/lib/disco-dlm ]
