# shellcheck shell=bash disable=SC2016,SC2154
# doors.sh - sourced by scripts/package-check: the agent open to others, as docs/agent-api.md says: certificates of `disco pki`, puppet-twitch's port
# and a smart proxy's, all of them systemd's sockets, with the walls of the unit.

# curl_as NAME CURL'S WORDS…: the answer and its status; NAME's certificate is shown, or none where it is "-".
curl_as() {
  local name=$1 shown=(--cacert "$folder/certificates/ca.pem")
  shift
  [ "$name" = - ] || shown+=(--cert "$folder/certificates/$name.pem" --key "$folder/certificates/$name.key")
  nsenter --target "$(sed -n 's/^ready \([0-9]*\) .*/\1/p' "$folder/node/said")" --net -- \
    curl -sS --max-time 90 -w '\n%{http_code}\n' "${shown[@]}" "$@"
}

# hears NAME WHAT STATUS WORDS CURL'S WORDS…: the answer has that status, and those words.
hears() {
  local name=$1 what=$2 status=$3 words=$4 said
  shift 4
  said=$(curl_as "$name" "$@" 2>&1) || fail "$what: $said"
  [ "${said##*$'\n'}" = "$status" ] || { printf '%s\n' "$said" >&2; fail "$what: it is not $status"; }
  grep -qF -- "$words" <<<"$said" || { printf '%s\n' "$said" >&2; fail "$what: it does not say $words"; }
  ok "$what: $status $words"
}

agent_opens_doors() {
  local name at=https://127.0.0.1:8453 run=(-H 'Content-Type: application/json' -d '{"noop":true,"wait":60}')
  sh_node 'cp -a /etc/disco/agent.toml /root/closed.toml
    disco pki init; disco pki issue --server localhost.localdomain --san 127.0.0.1; disco pki issue ci.example.com; disco pki issue other.example.com
    install -d -m 750 -g disco-agent /etc/disco/agent; cd /etc/disco/pki
    install -m 640 -g disco-agent ca.pem crl.pem /etc/disco/agent
    for kind in pem key; do install -m 640 -g disco-agent issued/localhost.localdomain.$kind /etc/disco/agent/server.$kind; done
    sed -i "s/^names = .*/names = [\"ci.example.com\"]/; s/^# \(certificate\|key\|client_ca\|crl\) = /\1 = /; s/^enabled = false/enabled = true/" /etc/disco/agent.toml
    mkdir -p /etc/disco/proxy/settings.d /etc/systemd/system/disco-agent.socket.d
    printf -- "---\n:trusted_hosts: [ci.example.com]\n:https_port: 8443\n:ssl_certificate: /etc/disco/agent/server.pem\n:ssl_private_key: /etc/disco/agent/server.key\n:ssl_ca_file: /etc/disco/agent/ca.pem\n" >/etc/disco/proxy/settings.yml
    for name in dance noop logs; do printf -- "---\n:enabled: true\n" >/etc/disco/proxy/settings.d/$name.yml; done
    printf "[Socket]\nListenStream=\nListenStream=8453\nListenStream=2023\nListenStream=8443\n" >/etc/systemd/system/disco-agent.socket.d/doors.conf
    systemctl daemon-reload; disco agent restart' >/dev/null
  mkdir -p "$folder/certificates"
  for name in ca issued/ci.example.com issued/other.example.com; do
    node cat "/etc/disco/pki/$name.pem" >"$folder/certificates/${name##*/}.pem"
    [ $name = ca ] || node cat "/etc/disco/pki/$name.key" >"$folder/certificates/${name##*/}.key"
  done
  holds 'all doors are sockets of systemd, and nothing of it runs yet' sh_node '[ "$(systemctl show -P Listen disco-agent.socket | grep -c -e :8453 -e :2023 -e :8443)" = 3 ]; not systemctl is-active disco-agent'
  hears - "puppet-twitch's users start it, and wait for their run" 200 'Puppet run complete' 'http://127.0.0.1:2023/puppet/twitch?async=false'
  sh_node 'disco undo; [ ! -e /etc/othermodule ]' >/dev/null 2>&1 || fail 'their run cannot be undone'
  hears - 'they reach nothing else' 400 'Unrecognised endpoint: /v1/runs' http://127.0.0.1:2023/v1/runs
  hears ci.example.com 'a name that is allowed has it run' 200 '"by":["ci.example.com"]' $at/v1/runs "${run[@]}"
  hears - 'without a certificate nobody does' 401 'nobody has said who asks' $at/v1/runs "${run[@]}"
  # By both: with a body that nobody has read, HTTP/2 has ends of its own.
  for name in 1.1 1.1 1.1 2 2 2 2 2 2 2 2; do
    curl_as other.example.com "--http$name" $at/v1/runs "${run[@]}" 2>&1 | grep -x 403 >/dev/null || fail "a name that is not allowed does not hear so by HTTP/$name"
  done
  hears other.example.com 'nor does a name that is not allowed' 403 error $at/v1/runs "${run[@]}"
  refuses 'plain HTTP has no answer there' 'HTTP/0.9' curl_as - "http://127.0.0.1:8453/healthz"
  hears ci.example.com 'the face of a smart proxy is at its own port' 200 '["dance","logs","noop"]' https://127.0.0.1:8443/features
  hears other.example.com 'for hosts that it trusts' 403 'Untrusted client other.example.com' https://127.0.0.1:8443/v2/features
  hears ci.example.com 'and shows how all of it stands' 200 '"https_enabled":true' https://127.0.0.1:8443/v2/features
  holds 'the walls are up meanwhile' sh_node 'pid=$(systemctl show -P MainPID disco-agent); [ "$(grep -c "^Cap.*0000000000000000" /proc/$pid/status)" = 5 ]
    [ -z "$(nsenter --target $pid --mount -- ls -A /var/disco)" ]; not nsenter --target $pid --mount -- touch /etc/disco/agent/x'
  holds 'the journal knows who was turned away, by IPv4 in its own form, and not when twice' sh_node 'journalctl -u disco-agent -p warning -o cat >/tmp/warnings; grep -q "^warning: 127.0.0.1: other.example.com has a good certificate" /tmp/warnings; not grep -q POST /tmp/warnings
    journalctl -u disco-agent -o cat | grep "^info: 127.0.0.1:[0-9]* ci.example.com \"POST /v1/runs\" 200"'
  sh_node 'disco pki issue localhost.localdomain.new --server --san 127.0.0.1; for kind in pem key; do cat /etc/disco/pki/issued/localhost.localdomain.new.$kind >/etc/disco/agent/server.$kind; done; systemctl reload disco-agent' >/dev/null
  within 10 'a reload reads certificates again' sh_node 'journalctl -u disco-agent -o cat | grep "the configuration was read again"'
  hears ci.example.com 'and they serve' 200 ok $at/healthz
  holds 'closed again it is as before' sh_node 'cat /root/closed.toml >/etc/disco/agent.toml; rm -r /etc/disco/agent /etc/disco/pki /etc/disco/proxy /etc/systemd/system/disco-agent.socket.d /root/closed.toml; systemctl daemon-reload; disco agent restart
    systemctl show -P Listen disco-agent.socket | grep -x "127.0.0.1:8453 (Stream)"'
}
