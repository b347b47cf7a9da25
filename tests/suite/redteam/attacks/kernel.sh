# The kernel: its settings, modules and programs. Of those that the node has for itself some are written.

## sysctl-file
# escaped: [ "$(cat /proc/sys/net/ipv4/ip_default_ttl)" = 65 ]
# report: sysctl open
echo 65 >/proc/sys/net/ipv4/ip_default_ttl

## sysctl
# escaped: [ "$(cat /proc/sys/net/ipv4/tcp_fin_timeout)" = 31 ]
# report: sysctl open
sysctl -w net.ipv4.tcp_fin_timeout=31

## sysctl-ipc
# escaped: [ "$(cat /proc/sys/kernel/shmmni)" = 4000 ]
# report: sysctl open
echo 4000 >/proc/sys/kernel/shmmni

## sysctl-host-name
# escaped: [ "$(hostname)" = leaked ]
# report: sysctl open
echo leaked >/proc/sys/kernel/hostname; :

## another-proc
# canary: mkdir -p $R/proc
# escaped: [ "$(cat /proc/sys/net/ipv4/tcp_retries2)" = 14 ]
# report: mount
mount -t proc proc $R/proc; $A mount proc $R/proc proc 0; echo 14 >$R/proc/sys/net/ipv4/tcp_retries2

## proc-sys-writable
# escaped: [ "$(cat /proc/sys/net/ipv4/tcp_orphan_retries)" = 3 ]
# report: mount sysctl
mount -o remount,rw /proc; $A mount none /proc/sys none 4128; $A mount none /proc none 32; echo 3 >/proc/sys/net/ipv4/tcp_orphan_retries

## host-name
# escaped: [ "$(hostname)" = leak-2 ]
# report: sethostname hostname
$A hostname leak-2

## domain-name
# escaped: [ "$(cat /proc/sys/kernel/domainname)" = leak-3 ]
# report: setdomainname
$A domainname leak-3

## capable-program
# escaped: [ "$(cat /proc/sys/kernel/domainname)" = leak-4 ]
# report: change
cp $A /tmp/capable; setcap cap_sys_admin,cap_net_admin,cap_sys_time+eip /tmp/capable; /tmp/capable domainname leak-4

## sysrq
# needs: [ -e /proc/sysrq-trigger ]
# says: kernel
# report: open
$A open-kernel /proc/sysrq-trigger

## core-handler
# says: kernel
# report: sysctl open
$A open-kernel /proc/sys/kernel/core_pattern; same /proc/sys/kernel/core_pattern

## module-loader
# needs: [ -e /proc/sys/kernel/modprobe ]
# says: kernel
# report: sysctl open
$A open-kernel /proc/sys/kernel/modprobe; same /proc/sys/kernel/modprobe

## memory-settings
# says: kernel
# report: sysctl open
$A open-kernel /proc/sys/vm/swappiness; same /proc/sys/vm/swappiness

## interrupts
# needs: [ -e /proc/irq/default_smp_affinity ]
# says: kernel
# report: setting open
$A open-kernel /proc/irq/default_smp_affinity; same /proc/irq/default_smp_affinity

## device-event
# says: kernel
# unnamed: nothing is written
$A open-kernel /sys/devices/virtual/mem/null/uevent

## power
# needs: [ -e /sys/power/state ]
# says: kernel
# unnamed: nothing is written
$A open-kernel /sys/power/state

## queue-of-a-link
# says: kernel
# report: setting open
$A open-kernel /sys/class/net/lo/tx_queue_len; same /sys/class/net/lo/tx_queue_len

## another-sys
# canary: mkdir -p $R/sys
# says: kernel
# report: mount
mount -t sysfs sys $R/sys; $A mount sys $R/sys sysfs 0; $A open-kernel $R/sys/devices/virtual/mem/null/uevent

## debug
# canary: mkdir -p $R/debug
# needs: mkdir -p /tmp/debugfs && mount -t debugfs debug /tmp/debugfs && umount /tmp/debugfs
# says: mounted
# report: mount
mount -t debugfs debug $R/debug; $A mount debug $R/debug debugfs 0; ls $R/debug | grep -q . && echo mounted

## control-group
# needs: [ -e $R/cgroup/cgroup.procs ]
# escaped: rmdir $R/cgroup/redteam-$NODE
# unnamed: a folder in the view's scratchpad is one, whatever it is on the node
mkdir $R/cgroup/redteam-$NODE

## mounted-control-group
# needs: [ -e $R/cgroup/cgroup.procs ]
# canary: mkdir -p $R/groups
# escaped: found=$(find $R/cgroup -name redteam-2-$NODE) && [ -n "$found" ] && rmdir $found
# report: mount
mount -t cgroup2 groups $R/groups; $A mount groups $R/groups cgroup2 0; mkdir $R/groups/redteam-2-$NODE

## control-group-of-a-user-namespace
# needs: [ -e $R/cgroup/cgroup.procs ] && unshare --user --map-root-user true
# canary: mkdir -p $R/groups-3
# escaped: found=$(find $R/cgroup -name redteam-3-$NODE) && [ -n "$found" ] && rmdir $found
# filter: a user namespace gives capabilities back over what no namespace holds
# report: unshare
unshare --user --map-root-user --mount --cgroup bash -c '$A mount groups $R/groups-3 cgroup2 0; mkdir $R/groups-3/redteam-3-$NODE'

## load-module
# needs: ! $A init-module | grep -q ENOSYS
# says: ENOEXEC
# report: init_module
$A init-module

## load-module-file
# needs: ! $A finit-module | grep -q ENOSYS
# says: EINVAL
# report: finit_module
$A finit-module

## remove-module
# needs: ! $A delete-module | grep -q ENOSYS
# says: ENOENT
# report: delete_module
$A delete-module

## other-kernel
# needs: ! $A kexec | grep -q -e ENOSYS -e EPERM
# says: EINVAL
# report: kexec_load
$A kexec

## other-kernel-file
# needs: ! $A kexec-file | grep -q -e ENOSYS -e EPERM
# says: EINVAL
# report: kexec_file_load
$A kexec-file

## restart
# says: EINVAL
# report: reboot
$A reboot

## console-level
# says: EINVAL
# report: syslog
$A syslog

## accounting
# needs: ! $A acct | grep -q ENOSYS
# says: ENOENT
# report: acct accton
$A acct

## hang-up
# says: ok
# report: vhangup
setsid -w $A vhangup

## program-in-the-kernel
# needs: $A bpf | grep -q ok
# says: ok
# report: bpf
$A bpf

## counters
# needs: $A perf | grep -q ok
# says: ok
# report: perf_event_open
$A perf

## user-faults
# needs: $A userfaultfd | grep -q ok
# says: ok
# report: userfaultfd
$A userfaultfd

## file-watch
# needs: $A fanotify | grep -q ok
# says: ok
# report: fanotify_init
$A fanotify

## port
# needs: $A ioperm | grep -q ok
# says: ok
# report: ioperm
$A ioperm

## port-level
# needs: $A iopl | grep -q ok
# says: ok
# report: iopl
$A iopl

## key
# needs: $A add-key probe-$NODE && $A has-key probe-$NODE
# escaped: $A has-key redteam-$NODE
# filter: keyrings belong to users, and to no namespace but that of users
# report: add_key
$A add-key redteam-$NODE

## key-of-32-bits
# needs: $A old-pid | grep -q ok && $A add-key probe-$NODE && $A has-key probe-$NODE
# escaped: $A has-key redteam-32-$NODE
# filter: keyrings belong to users, and the calls of 32 bits have numbers of their own
# report: foreign-call
$A old-key redteam-32-$NODE

## ring
# needs: $A ring | grep -q ok
# says: ok
# filter: what is asked of a ring passes no filter
# report: io_uring_setup
$A ring

## calls-of-32-bits
# needs: $A old-pid | grep -q ok
# says: ok
# filter: the numbers of 32 bits are others
# report: foreign-call
$A old-pid

## calls-of-x32
# needs: $A x32-pid | grep -q ok
# says: ok
# filter: the numbers of x32 are others
# report: foreign-call
$A x32-pid
