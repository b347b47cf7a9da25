# shellcheck shell=bash disable=SC2016,SC2154
# files.sh - sourced by scripts/package-check: what the package holds, before anybody installs it.

is_clean_for_lintian() {
  # Each tag that is left is in dist/debian/lintian-overrides, with its reason.
  holds 'lintian finds nothing' lintian --allow-root --fail-on error,warning,info --display-info "$folder/packages/first.deb"
  refuses 'every override is for something' 'none' bash -c "lintian --allow-root --display-info --tags unused-override,mismatched-override '$folder/packages/first.deb' | grep . || { echo none; exit 1; }"
}

has_nothing_of_usr_local() {
  local found
  found=$(grep -rIl /usr/local/bin/disco "$folder"/unpacked/{usr/lib,etc,DEBIAN} || true)
  [ -z "$found" ] || fail "these name a program that is not the package's: $found"
  ok 'units and init scripts name the program of the package'
}

manuals_render() {
  local page said count=0
  for page in "$folder"/unpacked/usr/share/man/man?/*.gz; do
    said=$(LC_ALL=C.UTF-8 MANWIDTH=80 MANROFFSEQ='' man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>&1 >/dev/null)
    [ -z "$said" ] || fail "${page##*/}: $said"
    count=$((count + 1))
  done
  [ $count -ge 30 ] || fail "there are $count pages only"
  # Each command that --help tells of has its page.
  for page in $("$folder"/unpacked/usr/bin/disco --help | sed -n '/^Commands:/,/^Options/s/^  \([a-z-]*\) .*/\1/p'); do
    [ -e "$folder/unpacked/usr/share/man/man1/disco-$page.1.gz" ] || fail "there is no page of disco $page"
  done
  for page in "$folder"/unpacked/usr/bin/*; do
    [ -e "$folder/unpacked/usr/share/man/man1/${page##*/}.1.gz" ] || [ -e "$folder/unpacked/usr/share/man/man8/${page##*/}.8.gz" ] ||
      fail "there is no page of ${page##*/}"
  done
  ok "$count manual pages render without a warning; each command has one"
}

units_are_sound() {
  # Only the binaries that units name are missing on this machine.
  local root=$folder/verify said
  rm -rf "$root"
  mkdir -p "$root"/usr/bin "$root"/etc/systemd/system
  cp -r "$folder/unpacked/usr/lib" "$root/usr"
  cp -a /usr/lib/systemd/system "$root/usr/lib/systemd/base"
  cp -n "$root"/usr/lib/systemd/base/*.target "$root/usr/lib/systemd/system"
  printf '#!/bin/sh\n' >"$root/usr/bin/disco"
  ln -s usr/bin "$root/bin"
  cp "$root/usr/bin/disco" "$root/usr/bin/kill"
  chmod 755 "$root"/usr/bin/{disco,kill}
  said=$(systemd-analyze verify --man=no --root="$root" disco-recover-files.service disco-recover.service disco-lock-release.service disco-dance.service \
    disco-dance.timer disco-dlm.service disco-agent.socket disco-agent.service disco-agent-helper.socket disco-agent-helper.service 2>&1 | grep -i disco || true)
  rm -rf "$root"
  [ -z "$said" ] || fail "systemd-analyze verify: $said"
  ok 'systemd-analyze verify finds nothing in the units'
}

# By logrotate itself, while somebody has the log open as the agent's daemons do.
logs_rotate() {
  local at=$folder/rotated
  rm -rf "$at"
  mkdir "$at"
  sed "s,/var/log,$at," "$folder/unpacked/etc/logrotate.d/disco-agent" >"$at/conf"
  exec 8>>"$at/disco-agent.log"
  echo first >&8
  holds 'logrotate takes what is told of the log' logrotate --force --state "$at/state" "$at/conf"
  echo second >&8
  exec 8>&-
  [ "$(cat "$at/disco-agent.log")-$(cat "$at/disco-agent.log.1")" = second-first ] || fail "the log does not go on after it was rotated: $(ls "$at")"
  ok 'whoever has it open goes on in the new one'
  rm -r "$at"
}

# In the shells themselves, with the files where the package puts them; the node has the shells.
shells_complete() {
  start_node
  apt install /srv/packages/first.deb >"$folder/apt.log" 2>&1 || fail "apt: $(tail -n 5 "$folder/apt.log")"
  holds 'bash loads its completions' sh_node ". /usr/share/bash-completion/bash_completion; _completion_loader disco || [ \$? = 124 ]; complete -p disco
    COMP_WORDS=(disco da) COMP_CWORD=1 COMP_LINE='disco da' COMP_POINT=8; \$(complete -p disco | sed 's/.*-F \([^ ]*\).*/\1/') disco da disco
    [ \"\${COMPREPLY[*]}\" = dance ]
    COMP_WORDS=(disco agent st) COMP_CWORD=2 COMP_LINE='disco agent st' COMP_POINT=14; \$(complete -p disco | sed 's/.*-F \([^ ]*\).*/\1/') disco st agent
    [ \"\${COMPREPLY[*]}\" = 'start stop status' ]"
  holds 'zsh loads its completions' node zsh -fc 'autoload -Uz compinit; compinit -D -u; [[ $_comps[disco] = _disco ]] && autoload -Uz +X _disco && (( $+functions[_disco] ))'
  holds 'fish completes a command' sh_node "fish -c 'complete -C \"disco da\"' | grep -P '^dance\t'"
  holds 'fish completes an option' sh_node "fish -c 'complete -C \"disco dance --noo\"' | grep -e --noop"
  holds 'fish completes what is below a command' sh_node "[ \"\$(fish -c 'complete -C \"disco agent st\"' | cut -f 1 | paste -sd,)\" = start,status,stop ]"
  holds 'man finds a page by its name' sh_node "man -w disco-agent disco-agent-serve disco-agent-key-add disco-dance disco-param disco-fs-init disco-overlayfs"
  end_node
}
