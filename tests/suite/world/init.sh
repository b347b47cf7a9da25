#!/bin/bash
# init.sh TOP DISCO - pid 1 of a hermetic node (see world.rs).
#
# Started in fresh mount, pid, net, uts and ipc namespaces. Makes a copy-on-write root of this machine at TOP (an empty
# folder), moves into it for good, says "ready PID" (its pid as the machine numbers it) and waits for the end of its
# standard input; when it ends, the kernel ends every process of the node and drops everything that they wrote.
# Descriptor 9 stays open on the copy-on-write layer: it shows what changed in the node, and nothing else.
set -euo pipefail
umask 022
top=$1 disco=$2 node=localhost.localdomain

# /proc is still the machine's here, so this is the machine's number of this very shell.
read -r pid _ </proc/self/stat

mount --make-rprivate /
mount -t tmpfs -o mode=755 world "$top"
mkdir "$top/base" "$top/upper" "$top/work" "$top/root"

# What every node has and the machine may not have; a layer of its own, so that it is no change of the node.
base=$top/base
mkdir -p "$base/usr/local/bin" "$base/etc" "$base/var/disco/parameters" "$base/var/disco/modules"
install -m 755 "$disco" "$base/usr/local/bin/disco"
echo "$node" >"$base/etc/hostname"
printf '127.0.0.1\t%s localhost\n' "$node" >"$base/etc/hosts"

mount -t overlay -o "lowerdir=$base:/,upperdir=$top/upper,workdir=$top/work,xino=on" world "$top/root"
exec 9<"$top/upper"

root=$top/root
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
# The machine's kernel settings are everybody's: a node may read them only.
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs "$root/sys"
mount -t tmpfs -o mode=1777,nosuid,nodev tmp "$root/tmp"
mount -t tmpfs -o mode=755,nosuid,nodev run "$root/run"
mkdir -m 1777 "$root/run/lock"
mount -t tmpfs -o mode=755,nosuid dev "$root/dev"
device() { mknod -m "$2" "$root/dev/$1" c "$3" "$4"; }
device null 666 1 3
device zero 666 1 5
device full 666 1 7
device random 666 1 8
device urandom 666 1 9
device tty 666 5 0
device fuse 666 10 229
ln -s /proc/self/fd "$root/dev/fd"
for stream in 0:stdin 1:stdout 2:stderr; do ln -s "/proc/self/fd/${stream%:*}" "$root/dev/${stream#*:}"; done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
mount -t tmpfs -o mode=1777,nosuid,nodev shm "$root/dev/shm"

cd "$root"
pivot_root . .
umount --lazy .
cd /
hostname "$node"
ip link set lo up

echo "ready $pid"
exec >/dev/null 2>&1
cat
