# shellcheck shell=bash disable=SC2154
# node.sh - sourced by scripts/package-check: a clean Debian with systemd that has nothing of what disco needs, the packages of
# two versions in a repository of its own, and how to ask it. It has no network.

# Another one is another root.
readonly ROOT_RECIPE=1
# What looks at the package: shells whose completions are tried, and man.
readonly LOOKS=(bash-completion zsh fish man-db)
# What disco depends on comes by apt, from the node's own repository.
readonly NEEDS=(rsync adduser)

subject() { printf '\n== %s (%s s)\n' "$1" "$SECONDS"; }
ok() { printf 'ok    %s\n' "$1"; }
fail() { printf 'FAIL  %s\n' "$1" >&2; exit 1; }

# holds WHAT COMMAND…: says what holds, or ends with what the command has said.
holds() {
  local what=$1 said
  shift
  if said=$("$@" 2>&1); then ok "$what"; else printf '%s\n' "$said" >&2; fail "$what ($*)"; fi
}

# refuses WHAT WORDS COMMAND…: the command fails, and says those words.
refuses() {
  local what=$1 words=$2 said
  shift 2
  if said=$("$@" 2>&1); then printf '%s\n' "$said" >&2; fail "$what: it was done ($*)"; fi
  case $said in *"$words"*) ok "$what: $words" ;; *) printf '%s\n' "$said" >&2; fail "$what: it does not say \"$words\"" ;; esac
}

# within SECONDS WHAT COMMAND…: it holds sooner or later.
within() {
  local until=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$until" ] || { "$@" || true; fail "$what ($*)"; }
    sleep 0.3
  done
  ok "$what"
}

node() { scripts/systemd-node run "$folder" "$@"; }
# A line of bash; `not` is a `!` that counts: bash goes on after a `!` that fails.
sh_node() { node bash -c "set -euo pipefail; not() { if \"\$@\"; then return 1; fi; }; $1"; }
apt() { node env DEBIAN_FRONTEND=noninteractive apt-get -y -qq -o Dpkg::Use-Pty=0 "$@"; }

# The root of nodes with systemd, without rsync and all else that only disco asks for, and with what looks at it.
prepare_root() {
  [ "$(cat "$folder/root/etc/package-node" 2>/dev/null)" != $ROOT_RECIPE ] || return 0
  subject 'a clean Debian, made once'
  local work=$folder/root.new
  scripts/systemd-node build target/tmp/systemd-node
  rm -rf "$work" "$folder/root"
  cp -a target/tmp/systemd-node/root "$work"
  cp /etc/resolv.conf "$work/etc/resolv.conf"
  {
    inside_root apt-get update
    inside_root apt-get install -y --no-install-recommends "${LOOKS[@]}"
    inside_root apt-get purge -y --auto-remove rsync fuse3
    inside_root apt-get clean
    mkdir -p "$work/srv/repo"
    inside_root apt-get install -y --no-install-recommends --download-only --reinstall "${NEEDS[@]}"
    mv "$work"/var/cache/apt/archives/*.deb "$work/srv/repo"
  } >"$folder/build.log" 2>&1 || die "cannot make the root: $(tail -n 3 "$folder/build.log")" "all of it is in $folder/build.log"
  echo 'deb [trusted=yes] file:/srv/repo ./' >"$work/etc/apt/sources.list"
  rm -rf "$work"/var/lib/apt/lists/* "$work"/var/cache/apt/*.bin "$work/etc/resolv.conf" "$work/var/disco"
  ln -sf /dev/null "$work/etc/systemd/system/man-db.timer"
  echo $ROOT_RECIPE >"$work/etc/package-node"
  mv "$work" "$folder/root"
}

inside_root() {
  unshare --mount --pid --fork --kill-child --root="$folder/root.new" --wd=/ env DEBIAN_FRONTEND=noninteractive "$@"
}

# Two packages of disco that differ in their version and in their program; first of all the second, since the tree of the first is looked at.
make_packages() {
  subject 'the packages'
  DISCO_REVISION=2 scripts/package deb
  mkdir -p "$folder/packages"
  rm -f "$folder"/packages/*
  mv target/debian/disco_*-2_*.deb "$folder/packages/second.deb"
  if [ -n "$sample" ]; then
    scripts/package deb
  else
    DISCO_REVISION=2 scripts/package rpm
    mv target/generate-rpm/disco-*-2.*.rpm "$folder/packages/second.rpm"
    scripts/package
  fi
  cp target/debian/disco_*-1_*.deb "$folder/packages/first.deb"
  # What is looked at is what the package holds, not what it was to hold.
  rm -rf "$folder/unpacked"
  dpkg-deb --raw-extract "$folder/packages/first.deb" "$folder/unpacked"
}

# A disk that outlives the node, so that it can start anew.
start_node() {
  mkdir -p "$folder/disk"
  DISCO_NODE_DISK=$folder/disk scripts/systemd-node up "$folder" none >"$folder/up.log" 2>&1 || die "$(cat "$folder/up.log")"
  if ! node test -d /srv/packages; then
    node mkdir /srv/packages
    for which in first second; do
      # Files come through the node's standard input: it has no folder of the machine's.
      node bash -c "cat >/srv/packages/$which.deb" <"$folder/packages/$which.deb"
    done
    (cd "$folder/root/srv/repo" && dpkg-scanpackages --multiversion . 2>/dev/null) | node bash -c 'cat >/srv/repo/Packages'
    apt update
    node bash -c "cat >/etc/init.d/postgresql; chmod 755 /etc/init.d/postgresql" < <(sed 's/@NAME@/postgresql/g' tests/suite/world/service.sh)
  fi
}

# Switched off, not shut down.
switch_off() { scripts/systemd-node down "$folder"; }

end_node() {
  scripts/systemd-node down "$folder" || true
  rm -rf "$folder/disk"
}

# note_all NAME: every path of the node, with its kind, mode, owner and what a link says; and what /etc holds.
note_all() {
  sh_node "find / -xdev -path /srv -prune -o -path /tmp -prune -o -path /var/tmp -prune -o -printf '%p %y %m %u:%g %l\n' | sort
    find /etc -xdev -type f -exec sha256sum {} + | sort -k 2" >"$folder/$1.list"
}
