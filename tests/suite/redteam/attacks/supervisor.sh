# The supervisor, which answers a step's commands: what it runs outside is not what a step chose.

## path-of-a-service
# escaped: [ -e $R/path-leak ]
# report: service
service ../..$R/../../usr/bin/touch $R/path-leak

## service-stopped
# canary: cp /run/canary.pid $P/canary
# escaped: dead canary
# report: service
service canary stop

## service-of-the-step
# escaped: [ -e $R/status-leak ]
# report: change
printf '#!/bin/sh\ntouch %s/status-leak\n' $R >/etc/init.d/canary; service canary status

## other-program
# escaped: [ -e $R/asked ]
# unnamed: what asks for no command of the node is no shim
$A ask '{"name":"runlevel","program":"/usr/bin/touch","argv":["runlevel","/srv/redteam/asked"],"directory":"/"}' || touch /srv/redteam/asked

## other-path
# escaped: [ -e $R/asked-path ]
# report: service
$A ask '{"name":"service","program":"/usr/sbin/service","argv":["service","../../usr/bin/touch","/srv/redteam/asked-path"],"directory":"/"}' || touch /srv/redteam/asked-path

## look-that-acts
# canary: cp /run/looked.pid $P/looked
# escaped: dead looked
# report: service
$A ask '{"name":"service","program":"/usr/sbin/service","argv":["status","looked","stop"],"directory":"/"}' || service looked stop

## environment-of-a-look
# escaped: [ -e $R/preloaded-2 ]
# unnamed: a look is none of the attempts
LD_PRELOAD=/usr/local/lib/redteam/preload.so LEAK=2 service canary status

## shell-of-the-next-step
# canary: cp /usr/bin/true /usr/bin/redteam-tool
# escaped: cmp -s /usr/bin/redteam-tool /usr/bin/false
# report: change
cp /usr/bin/false /usr/bin/redteam-tool

## shims-program
# canary: md5sum /usr/local/bin/disco /usr/sbin/service >$P/shims
# escaped: ! md5sum -c --quiet $P/shims || [ "$(stat -c %a /usr/local/bin/disco)" != 755 ]
# report: change
for f in /usr/sbin/service /usr/local/bin/disco; do chmod 700 $f; echo x >>$f; done
