#!/bin/bash
# Fails, so that nothing is merged, when sshd would not start with the new configuration.
set -euo pipefail

sshd=$(command -v sshd || echo /usr/sbin/sshd)
[ -x "$sshd" ] || { echo "no sshd here: its configuration is laid down, but not checked" >&2; exit 0; }
[ -e /etc/ssh/sshd_config ] || { echo "no /etc/ssh/sshd_config here: nothing to check" >&2; exit 0; }

# sshd -t wants a host key and a folder of its own even where the daemon has never run; both are gone afterwards.
scratch=$(mktemp -d)
made=
cleanup() { rm -rf "$scratch"; [ -z "$made" ] || rmdir /run/sshd; }
trap cleanup EXIT
[ -d /run/sshd ] || { install -d -m 755 /run/sshd; made=yes; }
ssh-keygen -q -t ed25519 -N '' -f "$scratch/key"
"$sshd" -t -h "$scratch/key"
