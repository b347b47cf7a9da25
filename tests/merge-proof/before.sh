#!/bin/bash
# before.sh ROOT SIZE - what a node has below ROOT before the merge: in /proof, and on a second file system at /second.
set -eu
umask 022
cd "$1"
size=$2
put() { printf '%s of before\n' "$1" >"$1"; }
mkdir -p proof && cd proof
mkdir -p modify delete/tree/below mode owner attribute acl capability types/was-folder/full links rename/old/below \
  content names stays
for file in modify/{same-size,longer,shorter,emptied} delete/{file,tree/one,tree/below/two} mode/{file,set-id} owner/file \
  attribute/{file,loses} acl/{file,loses} capability/{tool,loses} types/{was-file,file-to-link,was-folder/full/leaf} \
  links/{pair,rewritten,apart,stays} rename/old/{one,below/two} rename/file content/replaced stays/file; do
  put "$file"
done
chmod 4755 mode/set-id
mkdir mode/folder owner/folder attribute/folder acl/folder types/folder-to-link
chown 71:72 owner/file
setfattr -n user.kept -v kept attribute/file
setfattr -n user.goes -v goes attribute/file
setfattr -n user.goes -v goes attribute/loses
setfacl -m u:81:r acl/loses
setcap cap_net_raw+ep capability/loses
ln -s stays/file types/link
ln -s stays types/link-to-file
ln -s stays types/link-to-folder
ln links/pair links/pair-2
ln links/rewritten links/rewritten-2
ln links/apart links/apart-2
mkfifo types/fifo content/fifo-that-goes
mknod content/device c 1 3
head -c "$size" /dev/zero | tr '\0' a >content/large
truncate -s 4M content/sparse
printf x | dd of=content/sparse bs=1 seek=2M conv=notrunc status=none
put $'names/a\nnewline'
put $'names/no-utf8-\xff\xfe'
put "names/$(printf 'l%.0s' {1..255})"
put $'names/gone\n-\xff'
cp "$(readlink -f "$(type -P sleep)")" running
cd ../second
mkdir -p folder
put file && put goes && put folder/inner
find ../proof ../second -depth -exec touch -h -d '2021-03-04 05:06:07.125' {} +
