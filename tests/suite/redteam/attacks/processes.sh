# Processes of the node, and those of a step that want to outlive it.

## kill-by-number
# canary: process by-number
# escaped: dead by-number
# report: kill
kill -9 $(cat $P/by-number)

## kill-by-name
# canary: process by-name
# escaped: dead by-name
# report: pkill kill
pkill -9 -f redteam-by-name

## kill-group
# canary: process by-group
# escaped: dead by-group
# report: kill
kill -9 -- -$(cat $P/by-group)

## kill-everybody
# alone
# canary: process everybody
# escaped: dead everybody
# report: kill
kill -9 -1

## kill-thread
# canary: process by-thread
# escaped: dead by-thread
# report: tgkill kill
$A tgkill $(cat $P/by-thread)

## kill-queued
# canary: process by-queue
# escaped: dead by-queue
# report: rt_sigqueueinfo kill
$A sigqueue $(cat $P/by-queue)

## kill-by-descriptor
# canary: process by-pidfd
# escaped: dead by-pidfd
# report: pidfd_open
$A pidfd-kill $(cat $P/by-pidfd)

## stop
# canary: process stopped
# escaped: [ "$(cut -d ' ' -f 3 /proc/$(cat $P/stopped)/stat)" = T ]
# report: kill
kill -STOP $(cat $P/stopped)

## nice
# canary: process niced
# escaped: [ "$(cut -d ' ' -f 19 /proc/$(cat $P/niced)/stat)" = 7 ]
# report: setpriority renice process
renice -n 7 -p $(cat $P/niced); $A nice $(cat $P/niced)

## nice-of-a-user
# canary: process users
# escaped: [ "$(cut -d ' ' -f 19 /proc/$(cat $P/users)/stat)" = 3 ]
# unnamed: it is about all processes of a user, which are the step's own
$A renice-user

## affinity
# needs: [ $(nproc) -gt 1 ]
# canary: process affine
# escaped: [ "$(taskset -p $(cat $P/affine) | sed 's/.*: //')" = 1 ]
# report: sched_setaffinity taskset process
taskset -p 1 $(cat $P/affine); $A affinity $(cat $P/affine)

## io-priority
# canary: process idle
# escaped: ionice -p $(cat $P/idle) | grep -q idle
# report: ioprio_set ionice
ionice -c 3 -p $(cat $P/idle)

## scheduler
# canary: process batch
# escaped: chrt -p $(cat $P/batch) | grep -q BATCH
# report: sched_setscheduler sched_setattr chrt
chrt --batch -p 0 $(cat $P/batch)

## limits
# canary: process limited
# escaped: grep -q '^Max open files *64 ' /proc/$(cat $P/limited)/limits
# report: prlimit prlimit64
prlimit --pid $(cat $P/limited) --nofile=64:64

## trace
# canary: process traced
# escaped: dead traced
# report: ptrace
$A ptrace $(cat $P/traced)

## memory-by-call
# canary: $A hold $P/vm & sleep 0.1
# escaped: leaked $R/held-changed || [ "$(grep -c changed $R/held)" -ge 1 ]
# report: process_vm_writev
$A vm-write $(cat $P/vm)

## memory-by-file
# canary: $A hold $P/mem & sleep 0.1
# escaped: [ "$(grep -c changed $R/held)" -ge 2 ]
# unnamed: the process is not there, so the file is not
$A mem-write $(cat $P/mem)

## out-of-memory-score
# canary: process score
# escaped: [ "$(cat /proc/$(cat $P/score)/oom_score_adj)" = 500 ]
# unnamed: the process is not there, so the file is not
echo 500 >/proc/$(cat $P/score)/oom_score_adj

## core-filter
# canary: process filtered
# escaped: [ "$(cat /proc/$(cat $P/filtered)/coredump_filter)" = 00000001 ]
# unnamed: the process is not there, so the file is not
echo 1 >/proc/$(cat $P/filtered)/coredump_filter

## core-limit
# says: ok
# unnamed: a limit of its own is asked for by every log-in, and refused as to any user
$A core-limit

## daemon-in-the-background
# escaped: pgrep -f '^sleep 777701$'
# unnamed: a process that ends with its step has done nothing
setsid nohup sleep 777701 >/dev/null 2>&1 & sleep 0.1

## daemon
# escaped: pgrep -f '^sleep 777702$'
# unnamed: a process that ends with its step has done nothing
$A daemon 777702; sleep 0.1

## daemon-in-namespaces
# escaped: pgrep -f '^sleep 777703$'
# report: unshare
unshare --pid --fork setsid sleep 777703 >/dev/null 2>&1 & sleep 0.2

## old-kill
# needs: $A old-pid | grep -q ok
# canary: process by-old-call
# escaped: dead by-old-call
# report: foreign-call
$A old-kill $(cat $P/by-old-call)
