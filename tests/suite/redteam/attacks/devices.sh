# Devices: the disk is a loop device of the node's own; the others are opened and no more.

## new-disk-node
# needs: [ -s $P/disk ]
# escaped: on_disk $ID
# report: open change
mknod $R/new-disk b 7 $(cat $P/disk) && echo $ID >$R/new-disk

## disk-node-of-the-node
# needs: [ -s $P/disk ]
# canary: mknod $R/disk b 7 $(cat $P/disk)
# escaped: on_disk $ID
# report: open change
echo $ID | dd of=$R/disk bs=1 seek=512 conv=notrunc 2>/dev/null

## disk-node-of-another-mount
# needs: [ -s $P/disk ]
# canary: mkdir -p $R/with-disk; mount -t tmpfs with-disk $R/with-disk; mknod $R/with-disk/disk b 7 $(cat $P/disk)
# escaped: on_disk $ID
# report: open change
echo $ID | dd of=$R/with-disk/disk bs=1 seek=1024 conv=notrunc 2>/dev/null

## disk-node-in-dev
# needs: [ -s $P/disk ]
# canary: mknod /dev/redteam-disk b 7 $(cat $P/disk)
# escaped: on_disk $ID
# report: open change
[ -b /dev/redteam-disk ] || mknod /dev/redteam-disk b 7 $(cat $P/disk)
echo $ID | dd of=/dev/redteam-disk bs=1 seek=1536 conv=notrunc 2>/dev/null

## disk-node-in-shm
# needs: [ -s $P/disk ]
# escaped: on_disk $ID
# report: open change
mknod $R/in-shm b 7 $(cat $P/disk); cp -a $R/in-shm /dev/shm/disk
echo $ID | dd of=/dev/shm/disk bs=1 seek=2048 conv=notrunc 2>/dev/null ||
  echo $ID | dd of=$R/in-shm bs=1 seek=2048 conv=notrunc 2>/dev/null

## disk-node-linked
# needs: [ -s $P/disk ]
# canary: mknod $R/linked-disk b 7 $(cat $P/disk)
# escaped: on_disk $ID
# report: open change
ln $R/linked-disk $R/other-name; chmod 666 $R/other-name
echo $ID | dd of=$R/other-name bs=1 seek=2560 conv=notrunc 2>/dev/null

## disk-node-of-a-module
# needs: [ -s $P/disk ]
# canary: mkdir -p /var/disco/modules/devices /tmp/master/modules/devices; mknod /var/disco/modules/devices/disk b 7 $(cat $P/disk); cp -a /var/disco/modules/devices/disk /tmp/master/modules/devices/
# escaped: on_disk $ID
# report: open change
echo $ID | dd of=/var/disco/modules/devices/disk bs=1 seek=3072 conv=notrunc 2>/dev/null

## disk-emptied-cache
# needs: [ -s $P/disk ]
# says: ok
# report: open change
mknod $R/flushed-disk b 7 $(cat $P/disk) && $A flush-disk $R/flushed-disk

## loop-control
# needs: [ -s $P/disk ]
# says: ok
# report: open change
mknod $R/loop-control c 10 237 && $A loop-control $R/loop-control

## memory
# needs: mknod $R/mem-probe c 1 1 && $A open-device $R/mem-probe | grep -q device
# says: device
# report: open change
mknod $R/memory c 1 1 && $A open-device $R/memory

## kernel-log
# says: device
# report: open change
mknod $R/kmsg c 1 11 && $A open-device $R/kmsg write

## full
# says: device
# report: open change
mknod $R/full c 1 7 && $A open-device $R/full write

## tunnel
# needs: mknod $R/tun-probe c 10 200 && $A open-device $R/tun-probe | grep -q device
# says: device
# report: open change
mknod $R/tun c 10 200 && $A open-device $R/tun

## fuse
# says: device
# report: open change
mknod $R/fuse c 10 229 && $A open-device $R/fuse

## user-fault-device
# needs: [ -e /sys/class/misc/userfaultfd/dev ]
# says: device
# report: open change
mknod $R/uffd c $(tr : ' ' </sys/class/misc/userfaultfd/dev) && $A open-device $R/uffd

## whole-dev
# needs: mkdir -p /tmp/devtmpfs && mount -t devtmpfs dev /tmp/devtmpfs && umount /tmp/devtmpfs
# says: device
# report: mount
mkdir -p /tmp/dev; mount -t devtmpfs dev /tmp/dev; $A mount dev /tmp/dev devtmpfs 0; $A open-device /tmp/dev/full
