# Files: whatever a step does to one, the node's own stays as it was until the merge.

## overwrite
# canary: echo canary >$R/overwrite
# escaped: leaked $R/overwrite
# report: change
echo leak >$R/overwrite

## append
# canary: echo canary >$R/append
# escaped: leaked $R/append
# report: change
echo leak >>$R/append

## truncate
# canary: echo canary >$R/truncate
# escaped: [ ! -s $R/truncate ]
# report: change
truncate -s 0 $R/truncate

## delete
# canary: echo canary >$R/delete
# escaped: [ ! -e $R/delete ]
# report: change
rm $R/delete

## delete-folder
# canary: mkdir -p $R/folder/in/it; touch $R/folder/in/it/file
# escaped: [ ! -e $R/folder/in/it/file ]
# report: change
rm -r $R/folder

## rename
# canary: echo canary >$R/rename
# escaped: [ -e $R/renamed ]
# report: change
mv $R/rename $R/renamed

## exchange
# canary: echo canary >$R/exchange; echo other >$R/exchanged
# escaped: grep -q other $R/exchange
# report: change
$A exchange $R/exchange $R/exchanged

## mode
# canary: echo canary >$R/mode
# escaped: [ "$(stat -c %a $R/mode)" = 4777 ]
# report: change
chmod 4777 $R/mode

## owner
# canary: echo canary >$R/owner
# escaped: [ "$(stat -c %u $R/owner)" = 65534 ]
# report: change
chown 65534 $R/owner

## times
# canary: echo canary >$R/times
# escaped: [ "$(stat -c %Y $R/times)" -lt 1000000000 ]
# unnamed: times alone are no difference that is shown
touch -d @978307200 $R/times

## attribute
# canary: echo canary >$R/attribute
# needs: setfattr -n security.leak -v x $R/truncate
# escaped: getfattr -n security.leak $R/attribute
# unnamed: attributes alone are no difference that is shown
setfattr -n security.leak -v x $R/attribute

## hard-link
# canary: echo canary >$R/hard-link
# escaped: leaked $R/hard-link
# report: change
ln $R/hard-link $R/second-name; echo leak >$R/second-name

## symlink
# canary: echo canary >$R/symlink-to; ln -s symlink-to $R/symlink
# escaped: leaked $R/symlink-to
# report: change
echo leak >$R/symlink

## mapped
# canary: printf canary >$R/mapped
# escaped: leaked $R/mapped
# report: change
$A mmap-write $R/mapped

## copied-range
# canary: printf canary >$R/copied-range
# escaped: ! grep -q canary $R/copied-range
# report: change
$A copy-range $R/copied-range

## spliced
# canary: printf canary >$R/spliced
# escaped: leaked $R/spliced
# report: change
$A splice $R/spliced

## punched
# canary: printf canary >$R/punched
# needs: fallocate -p -o 0 -l 1 $R/overwrite
# escaped: ! grep -q canary $R/punched
# report: change
fallocate -p -o 0 -l 6 $R/punched || truncate -s 0 $R/punched

## unnamed-file
# escaped: [ -e $R/unnamed-file ]
# report: change
$A unnamed $R $R/unnamed-file || touch $R/unnamed-file

## chroot-escape
# escaped: [ -e $R/out-of-chroot ]
# report: change
$A chroot-escape ${R#/}/out-of-chroot

## dots
# escaped: [ -e $R/dots ]
# report: change
cd /; for n in {1..40}; do cd ..; done; touch .$R/dots

## root-of-first-process
# escaped: [ -e $R/by-proc-1 ]
# unnamed: whose root a link of /proc leads to is decided in the kernel, and no call of its own
touch /proc/1/root$R/by-proc-1; cd /proc/1/cwd && touch .$R/by-proc-1

## root-of-another-process
# canary: process other-root
# escaped: [ -e $R/by-other-root ]
# unnamed: the process is not there, so the path is not
touch /proc/$(cat $P/other-root)/root$R/by-other-root

## own-root
# escaped: [ -e $R/by-self ]
# report: change
touch /proc/self/root$R/by-self

## other-file-system
# canary: mkdir -p $R/other; mount -t tmpfs other $R/other; echo canary >$R/other/file
# escaped: leaked $R/other/file
# report: change
echo leak >$R/other/file

## mounted-file
# canary: touch $R/mounted-file; echo canary >$R/mounted-of; mount --bind $R/mounted-of $R/mounted-file
# escaped: leaked $R/mounted-of
# report: change
echo leak >$R/mounted-file

## tmp
# canary: echo canary >/tmp/redteam
# escaped: leaked /tmp/redteam
# report: change
echo leak >/tmp/redteam

## run
# canary: echo canary >/run/redteam-file
# escaped: leaked /run/redteam-file
# report: change
echo leak >/run/redteam-file

## dev
# canary: echo canary >/dev/redteam
# escaped: leaked /dev/redteam
# unnamed: the /dev of a step is made for it and forgotten with it
echo leak >/dev/redteam

## account
# escaped: grep -q ^intruder: /etc/passwd
# report: change
echo intruder::0:0::/:/bin/bash >>/etc/passwd

## cron
# escaped: [ -e /etc/cron.d/redteam ] || [ -e /var/spool/cron/crontabs/redteam ]
# report: change
mkdir -p /etc/cron.d /var/spool/cron/crontabs
echo '* * * * * root true' >/etc/cron.d/redteam; echo '* * * * * true' >/var/spool/cron/crontabs/redteam

## logged-in
# canary: : >/run/utmp; : >/var/log/wtmp
# escaped: [ -s /run/utmp ] || [ -s /var/log/wtmp ]
# report: change
head -c 384 /dev/zero >>/run/utmp; head -c 384 /dev/zero >>/var/log/wtmp

## discos-own-files
# canary: mkdir -p /var/disco/runs
# escaped: [ -e /var/disco/parameters/disco/client/leak ] || [ -e /var/disco/runs/leak ] || [ -e /var/disco/leak ]
# unnamed: disco's home is shown read-only, as any read-only file system
mkdir -p /var/disco/parameters/disco/client; touch /var/disco/parameters/disco/client/leak /var/disco/runs/leak /var/disco/leak

## set-id-program
# escaped: setpriv --reuid 65534 --regid 65534 --clear-groups find /srv /tmp /var/disco /var/tmp /run -name redteam-set-id -perm -4000 2>/dev/null | grep -q .
# report: change
cp /bin/bash $R/redteam-set-id && chmod 4755 $R/redteam-set-id

## preloaded-library
# escaped: [ -e $R/preloaded ]
# report: change
echo /usr/local/lib/redteam/preload.so >/etc/ld.so.preload; service canary status; rm /etc/ld.so.preload

## by-handle
# canary: mkdir -p /tmp/handles /var/disco/parameters/handles; touch /tmp/handles/file /var/disco/parameters/handles/file
# needs: $A by-handle /tmp handles/file | grep -q ok
# says: ok
# report: open_by_handle_at
[ -e /dev/disco ] && $A by-handle /var/disco/parameters handles/file || $A by-handle /tmp handles/file
