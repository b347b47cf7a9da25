#!/bin/bash
# The account: there after the first run, left alone by later ones.
#   admin_user/name, admin_user/shell, admin_user/skel (a folder to copy the home from),
#   admin_user/groups (those of them that exist here, separated by spaces)
set -euo pipefail

param() { cat "$DISCO_HOME/parameters/$DISCO_NODE/parameters/admin_user/$1"; }

name=$(param name)
id -u "$name" >/dev/null 2>&1 || useradd --create-home --skel "$(param skel)" --shell "$(param shell)" "$name"
for group in $(param groups); do
  getent group "$group" >/dev/null || continue
  id -nG "$name" | grep -qwF -- "$group" || usermod --append --groups "$group" "$name"
done
