#!/bin/bash
# change.sh ROOT SIZE - what is merged: the work of a module on what before.sh has made.
set -eu
umask 022
cd "$1"
size=$2
put() { printf '%s of after\n' "$1" >"$1"; }
cd proof

# New objects, folders that hold some, an empty file.
mkdir -p new/below/deep new/empty
put new/file && put new/below/deep/leaf && : >new/nothing
ln -s ../stays/file new/link

# Content.
tr b B <modify/same-size >.part && cat .part >modify/same-size && rm .part
for _ in {1..500}; do echo more; done >>modify/longer
echo s >modify/shorter
: >modify/emptied
rm -r delete/file delete/tree

# What is beside the content, in place.
chmod 600 mode/file && chmod 2700 mode/folder && chmod 755 mode/set-id
chown 73:74 owner/file owner/folder
setfattr -n user.new -v new attribute/file && setfattr -n user.new -v new attribute/folder
setfattr -x user.goes attribute/file && setfattr -x user.goes attribute/loses
setfacl -m u:82:rw acl/file && setfacl -d -m u:82:rwx acl/folder && setfacl -b acl/loses
setcap cap_net_bind_service+ep capability/tool && setcap -r capability/loses
cp -p capability/tool capability/fresh && setcap cap_net_raw+ep capability/fresh

# One type to another.
rm types/was-file && mkdir types/was-file && put types/was-file/leaf
rm -r types/was-folder && put types/was-folder
rm types/file-to-link && ln -s stays types/file-to-link
rmdir types/folder-to-link && ln -s ../stays types/folder-to-link
rm types/link-to-file && put types/link-to-file
rm types/link-to-folder && mkdir types/link-to-folder && put types/link-to-folder/leaf
ln -sfn stays/other types/link
rm types/fifo && put types/fifo

# Names of one file: a new pair, a rewritten one, one parted, one more of a file that stays, one less.
put links/new && ln links/new links/new-2 && ln links/stays links/stays-2
put links/rewritten
put links/.new && mv links/.new links/apart
rm links/pair-2

# Renamed.
mv rename/old rename/new && mv rename/file rename/file-2

# Large, with holes, special.
head -c "$size" /dev/zero | tr '\0' b >content/large-new
printf middle | dd of=content/large bs=1 seek=$((size / 2)) conv=notrunc status=none
truncate -s 4M content/sparse-new
printf y | dd of=content/sparse-new bs=1 seek=3M conv=notrunc status=none
printf y | dd of=content/sparse bs=1 seek=1M conv=notrunc status=none
mkfifo -m 640 content/fifo && rm content/fifo-that-goes
rm content/device && mknod -m 666 content/device c 1 5
mknod content/device-new b 7 77
head -c 70000 /dev/zero | tr '\0' c >content/replaced

# Names.
put $'names/a\nnewline' && put $'names/no-utf8-\xff\xfe' && put "names/$(printf 'l%.0s' {1..255})"
put $'names/new\nline' && put $'names/new-\xff' && put "names/$(printf 'n%.0s' {1..255})"
rm $'names/gone\n-\xff'

# A program that runs.
cp "$(readlink -f "$(type -P true)")" running.new
mv running.new running

# Another file system.
cd ../second
put file && put folder/new && rm goes && chmod 700 folder && mkdir fresh && put fresh/leaf
ln -s file link
