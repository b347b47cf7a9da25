# shellcheck shell=bash
# prepare.sh - makes a node one that attacks can be made at: everything that a real one has, of its own and harmless.
set -u
cd /usr/local/lib/redteam || exit 1
# shellcheck source=tests/suite/redteam/common.sh
. ./common.sh
mkdir -p "$R" "$P" /run/systemd/journal /run/dbus "$R/inherited" "$R/given" "$R/cgroup"
: >/run/heard
readlink /proc/1/ns/mnt | tr -dc '0-9\n' >"$P/node"
# As an init leaves them on a real node.
mount --make-rshared /
umount /proc/sys
mount -o remount,rw /sys
mount -t cgroup2 cgroup "$R/cgroup"
cat >/etc/resolv.conf <<<'nameserver 127.0.0.1
options timeout:1 attempts:1'

# A disk: a loop device that goes with the process that holds it.
mknod /dev/loop-control c 10 237
truncate -s 64K /run/disk.image
$A disk /dev/loop-control /run/disk.image >"$P/disk" 2>/dev/null </dev/null &
$A serve >"$P/serving" </dev/null 2>/run/serve.err &
for _ in {1..200}; do
  [ -s "$P/serving" ] && [ -s "$P/disk" ] && break
  sleep 0.01
done
grep -q ready "$P/serving" || { cat /run/serve.err; exit 1; }
rm /dev/loop-control

# What is open in whoever starts disco, and one who has the deleted file.
touch "$R/inherited-file" "$R/inherited-reader" "$R/standard-input"
exec 7>"$R/deleted"
rm "$R/deleted"
sleep 777005 >/dev/null 2>&1 &
echo $! >"$P/holds-deleted"
exec 7>&-
sleep 777006 5<"$R/inherited" 8>>"$R/inherited-file" >/dev/null 2>&1 &
echo $! >"$P/with-folder"
rm -f "$P/serving"
