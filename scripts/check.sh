#!/bin/bash
# check.sh - what must hold before a push, tests apart: format, lints, shell scripts. Changes nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

step() {
  local from=$SECONDS
  printf '\n== %s\n' "$*"
  "$@"
  printf '%s s\n' $((SECONDS - from))
}

step cargo fmt --all --check
step cargo clippy --workspace --all-targets --locked -- -D warnings
# The fuzz targets are a workspace of their own. With the profile of this one, most of what they need is here already.
step env CARGO_PROFILE_DEV_OPT_LEVEL=0 CARGO_PROFILE_DEV_DEBUG=line-tables-only \
  cargo check --quiet --manifest-path tests/fuzz/Cargo.toml --target-dir "${CARGO_TARGET_DIR:-target}" --locked
mapfile -t shell < <(grep -rlE -m1 '^#!/bin/(ba)?sh|^# shellcheck shell=' .ci scripts tests modules-example | sort)
step shellcheck -x "${shell[@]}"
# Where cargo-deny is installed: advisories and licences of what we depend on.
if command -v cargo-deny >/dev/null; then step cargo deny --locked check; fi
