# Mounts: what is mounted, and what may be written to.

## mount
# canary: mkdir -p $R/mount
# escaped: mountpoint -q $R/mount
# report: mount
mount -t tmpfs leak $R/mount; $A mount leak $R/mount tmpfs 0

## bind
# canary: mkdir -p $R/bind
# escaped: mountpoint -q $R/bind
# report: mount
mount --bind /etc $R/bind; $A mount /etc $R/bind none 4096

## unmount
# canary: mkdir -p $R/unmount; mount -t tmpfs canary $R/unmount
# escaped: ! mountpoint -q $R/unmount
# report: umount umount2
umount $R/unmount; $A umount-all $R/unmount

## unmount-lazily
# canary: mkdir -p $R/lazily; mount -t tmpfs canary $R/lazily
# escaped: ! mountpoint -q $R/lazily
# report: umount umount2
$A umount-all $R/lazily

## remount-writable
# canary: mkdir -p $R/ro; mount -t tmpfs canary $R/ro; mount -o remount,ro $R/ro
# escaped: [ -e $R/ro/leak ] || ! grep -q " $R/ro ro" /proc/1/mountinfo
# report: mount
mount -o remount,rw $R/ro; $A mount none $R/ro none 32; touch $R/ro/leak

## remount-read-only
# canary: mkdir -p $R/rw; mount -t tmpfs canary $R/rw
# escaped: grep -q " $R/rw ro" /proc/1/mountinfo
# report: mount
mount -o remount,ro $R/rw; $A mount none $R/rw none 33

## move
# canary: mkdir -p $R/move; mount -t tmpfs move $R/move; mount --make-private $R/move; mkdir $R/move/from $R/move/to; mount -t tmpfs canary $R/move/from
# escaped: mountpoint -q $R/move/to
# report: mount
mount --move $R/move/from $R/move/to; $A mount $R/move/from $R/move/to none 8192

## new-api
# canary: mkdir -p $R/new-api
# escaped: mountpoint -q $R/new-api
# report: fsopen fsmount move_mount
$A fsmount $R/new-api

## tree
# canary: mkdir -p $R/tree
# escaped: mountpoint -q $R/tree
# report: open_tree move_mount
$A open-tree /etc $R/tree

## mount-attributes
# canary: mkdir -p $R/attributes; mount -t tmpfs -o ro canary $R/attributes
# escaped: grep -q " $R/attributes rw" /proc/1/mountinfo
# report: mount_setattr
$A mount-setattr $R/attributes

## propagation
# canary: mkdir -p $R/propagation
# escaped: mountpoint -q $R/propagation
# report: unshare
unshare --mount --propagation unchanged $A mount leak $R/propagation tmpfs 0

## other-namespace
# escaped: [ -e $R/by-nsenter ] || [ -e $R/by-join ]
# report: setns
nsenter --target $(cat $P/other-root) --mount touch $R/by-nsenter
$A join 1 $R/by-join

## unmount-everything
# alone
# canary: mkdir -p $R/everything; mount -t tmpfs canary $R/everything
# escaped: ! mountpoint -q $R/everything
# report: umount umount2
$A umount-all $(tac /proc/self/mounts | cut -d ' ' -f 2 | grep -v -e ^/proc -e ^/dev -e '^/$')

## pivot
# says: ENOENT
# report: pivot_root
$A pivot

## swap-on
# says: ENOENT
# report: swapon
$A swapon

## swap-off
# says: ENOENT
# report: swapoff
$A swapoff
