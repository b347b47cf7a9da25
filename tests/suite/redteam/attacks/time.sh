# The clock: set to what the kernel refuses, once it has allowed it.

## clock
# says: EINVAL
# report: clock_settime date
$A clock-settime

## date
# says: EINVAL
# report: clock_settime date
date -s @0 2>&1 | grep -q 'Invalid argument' && echo EINVAL

## zone
# says: EINVAL
# report: settimeofday
$A settimeofday

## speed
# says: EINVAL
# report: adjtimex clock_adjtime
$A adjtimex

## speed-by-clock
# says: EINVAL
# report: clock_adjtime
$A clock-adjtime

## waking
# needs: $A wake-alarm | grep -q ok
# says: ok
# report: timerfd_create
$A wake-alarm

## clock-of-32-bits
# needs: $A old-pid | grep -q ok
# says: ok
# report: foreign-call
$A old-time
