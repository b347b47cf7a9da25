# shellcheck shell=bash
# ensure.sh - sourced by quickstart and test: root, Debian packages and a Rust toolchain, installed only when missing.

die() { printf 'error: %s\n' "$1" >&2; [ $# -lt 2 ] || printf 'hint: %s\n' "$2" >&2; exit 1; }

need_root() {
  [ "$(id -u)" = 0 ] || die "$(basename "$0") needs root: it mounts, and makes namespaces and owners" "sudo $0"
}

# need_packages COMMAND:PACKAGE… - installs the package of each command that is not there.
need_packages() {
  local pair missing=()
  for pair in "$@"; do
    command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null || die "these are missing: ${missing[*]}" "install them with this system's package manager, then run this again"
  printf 'Installing %s\n' "${missing[*]}"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# need_python MODULE:PACKAGE… - installs the package of each module that Debian's own Python does not have. One at a time does so.
need_python() {
  local pair
  need_packages /usr/bin/python3:python3-minimal
  for pair in "$@"; do
    ! /usr/bin/python3 -c "import ${pair%%:*}" 2>/dev/null || continue
    command -v apt-get >/dev/null || die "Python's ${pair%%:*} is missing" "install it for /usr/bin/python3, then run this again"
    printf 'Installing %s\n' "${pair#*:}"
    (
      flock 9
      apt-get update -qq
      DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${pair#*:}" >/dev/null
    ) 9>/run/lock/disco-need-python
  done
}

# need_rust - a cargo that is at least the rust-version in Cargo.toml.
need_rust() {
  local wanted
  wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
  # Where rustup puts it, and a root shell may not look.
  [ ! -d "$HOME/.cargo/bin" ] || PATH=$HOME/.cargo/bin:$PATH
  ! rust_is "$wanted" || return 0
  if ! command -v rustup >/dev/null && [ -n "$(apt-cache madison rustup 2>/dev/null)" ]; then
    need_packages rustup:rustup
  fi
  if command -v rustup >/dev/null; then
    printf 'Installing the stable Rust toolchain\n'
    rustup toolchain install stable --profile minimal --component clippy,rustfmt
    rustup default stable
  fi
  rust_is "$wanted" || die "Rust $wanted or newer is needed, and this Debian has neither it nor rustup" \
    "install Rust as https://rustup.rs says, then run this again"
}

rust_is() {
  local have
  have=$(cargo --version 2>/dev/null | cut -d' ' -f2) && [ -n "$have" ] || return 1
  [ "$(printf '%s\n' "$1" "$have" | sort -V | head -n 1)" = "$1" ]
}

# build_debug - all programs and examples, as the tests have them built: one package alone has other features, and all of it would
# be built again.
build_debug() { cargo build -q --locked --workspace --bins --examples; }
