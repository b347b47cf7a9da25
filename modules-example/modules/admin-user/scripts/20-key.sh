#!/bin/bash
# The key that may come in, from the node's parameter admin_user/key: one line a key, as in authorized_keys.
set -euo pipefail

params=$DISCO_HOME/parameters/$DISCO_NODE/parameters/admin_user
name=$(cat "$params/name")
[ -s "$params/key" ] || { echo "set admin_user/key for $DISCO_NODE to let $name come in" >&2; exit 0; }

group=$(id -gn "$name")
home=$(getent passwd "$name" | cut -d: -f6)
install -d -m 700 -o "$name" -g "$group" "$home/.ssh"
install -m 600 -o "$name" -g "$group" "$params/key" "$home/.ssh/authorized_keys"
