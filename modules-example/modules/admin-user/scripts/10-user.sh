#!/bin/bash
# The account: there after the first run, left alone by later ones.
#   admin_user/name, admin_user/shell, admin_user/groups (those of them that exist here, separated by spaces)
set -euo pipefail

param() {
  local file
  for file in "/var/disco/parameters/$DISCO_NODE/parameters/$1" "$DISCO_MODULE_DIR/parameters/$1"; do
    [ ! -f "$file" ] || { cat "$file"; return; }
  done
}

name=$(param admin_user/name)
id -u "$name" >/dev/null 2>&1 || useradd --create-home --shell "$(param admin_user/shell)" "$name"
for group in $(param admin_user/groups); do
  getent group "$group" >/dev/null || continue
  id -nG "$name" | grep -qwF -- "$group" || usermod --append --groups "$group" "$name"
done
