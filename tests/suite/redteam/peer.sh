# shellcheck shell=bash
# peer.sh PEER COMMAND... - runs it in another kind of sandbox, each as it is used for scripts that need root: over a
# copy-on-write copy of the root that they see, with /run and /tmp in it.
#   chroot          into that copy, with the node's /proc, /sys and /dev
#   bubblewrap      with every namespace that it has, its own /dev and /proc, and root's capabilities
#   bubblewrap-bare the same without capabilities, with which no package installs
#   try             what it does by itself (/usr/local/bin/try)
set -u
peer=$1
shift
if [ "$peer" = try ]; then
  mkdir -p /mnt/try
  mount -t tmpfs try /mnt/try
  export SHELL=/bin/bash TMPDIR=/mnt/try
  exec /usr/local/bin/try -n "$@"
fi

copy=/mnt/redteam-copy
mkdir -p $copy
mount -t tmpfs copy $copy
mount --make-private $copy
cow() {
  local name=layer${1//\//.}
  mkdir -p "$copy/$name/upper" "$copy/$name/work" "$copy/root$1"
  mount -t overlay -o "lowerdir=$1,upperdir=$copy/$name/upper,workdir=$copy/$name/work" "$name" "$copy/root$1"
}
cow /
cow /run
cow /tmp
root=$copy/root
case $peer in
  chroot)
    for name in proc sys dev; do mount --rbind "/$name" "$root/$name"; done
    exec chroot "$root" "$@"
    ;;
  bubblewrap*)
    options=(--bind "$root" / --bind "$root/run" /run --bind "$root/tmp" /tmp --dev /dev --proc /proc --ro-bind /sys /sys
      --unshare-pid --unshare-ipc --unshare-uts --unshare-net --unshare-cgroup-try --die-with-parent --new-session)
    if [ "$peer" = bubblewrap ]; then options+=(--cap-add ALL); else options+=(--cap-drop ALL); fi
    exec bwrap "${options[@]}" "$@"
    ;;
esac
