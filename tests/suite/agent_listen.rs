//! `disco agent init|key|serve`: the configuration and the keys of a node's listener, and the listener itself, asked by curl.

use crate::world::World;

#[test]
fn a_configuration_and_its_keys() {
    let Some(world) = World::new() else { return };
    world.disco(&["agent", "init"]).succeeds().stdout_has("/etc/disco/agent.toml: written");
    assert_eq!(world.sh("stat -c %a /etc/disco/agent.toml").succeeds().stdout.trim(), "600");
    let again = world.disco(&["agent", "init"]);
    assert_eq!(again.status, Some(73), "{again}");
    again.stderr_has("there is a configuration already: /etc/disco/agent.toml");

    let key = world.disco(&["agent", "key", "add", "ci", "--days", "90"]).succeeds().stdout.clone();
    assert_eq!(key.trim_end().len(), 43);
    assert_eq!(world.sh("stat -c %a /etc/disco/agent.keys").succeeds().stdout.trim(), "600");
    world.sh(&format!("grep -c -e '{}' /etc/disco/agent.keys", key.trim_end())).stdout_is("0\n");
    let there = world.disco(&["agent", "key", "add", "ci"]);
    assert_eq!(there.status, Some(73), "{there}");
    there.stderr_has("key ci is there already");
    assert_eq!(world.disco(&["agent", "key", "add", "c i"]).status, Some(64));
    world.disco(&["agent", "key", "add", "alice@laptop"]).succeeds();
    world.disco(&["agent", "key", "ls"]).succeeds().stdout_has("never");
    let listed = world.disco(&["agent", "key", "ls", "--format", "json"]).succeeds().stdout.clone();
    assert!(listed.lines().count() == 2 && listed.contains("\"name\":\"ci\""), "{listed}");
    world.disco(&["agent", "key", "rm", "ci"]).succeeds();
    assert_eq!(world.disco(&["agent", "key", "rm", "ci"]).status, Some(1));

    assert_eq!(world.disco(&["agent", "key", "add", "x", "--days", "36501"]).status, Some(64));
    world.sh("printf '[[key]]\\nname = \"old\"\\nsha256 = \"%064d\"\\ncreated = 1\\nexpires = 2\\n' 0 >>/etc/disco/agent.keys").succeeds();
    let listed = world.disco(&["agent", "key", "ls"]).succeeds().stdout.clone();
    assert!(listed.lines().any(|line| line.starts_with("old ") && line.ends_with(" ended")), "{listed}");
    assert!(
        listed.lines().any(|line| line.starts_with("alice@laptop ") && line.ends_with(" good")),
        "{listed}"
    );
    world.disco(&["agent", "key", "ls", "--format", "json"]).succeeds().stdout_has("\"ended\":true");
    world.disco(&["agent", "key", "rm", "old"]).succeeds();

    // A key that nobody has seen is none.
    for out in [">/dev/full", ">&-", ">/dev/null"] {
        world.sh(&format!("disco agent key add unseen {out}; [ $? = 74 ]")).succeeds();
    }
    world.disco(&["agent", "key", "ls"]).succeeds().stdout_lacks("unseen");
    world.sh("before=$(cat /etc/disco/agent.keys); disco agent key rotate alice@laptop >/dev/full; [ $? = 74 ] && [ \"$before\" = \"$(cat /etc/disco/agent.keys)\" ]").succeeds();

    let other = ["--config", "/srv/other/agent.toml"];
    world.disco(&[&["agent", "init"], &other[..]].concat()).succeeds();
    world.disco(&[&["agent", "key", "add", "ci"], &other[..]].concat()).succeeds();
    world.sh("grep -q '^keys = \"/srv/other/agent.keys\"' /srv/other/agent.toml && grep -q ci /srv/other/agent.keys").succeeds();
    world.sh("grep -q ci /etc/disco/agent.keys").exits(1);

    world.sh("sed -i s/^listen/listne/ /etc/disco/agent.toml").succeeds();
    let bad = world.disco(&["agent", "serve"]);
    assert_eq!(bad.status, Some(78), "{bad}");
    bad.stderr_has("unknown field `listne`");
    let none = world.disco(&["agent", "serve", "--config", "/nowhere"]);
    assert_eq!(none.status, Some(78), "{none}");
    none.stderr_has("disco agent init --config /nowhere");
    world.sh("rm /etc/disco/agent.toml").succeeds();
    let open = world.disco(&["agent", "serve", "--bind", "0.0.0.0"]);
    assert_eq!(open.status, Some(78), "{open}");
    open.stderr_has("tls.certificate: it is missing; without it only loopback addresses are listened on");
}

#[test]
fn keys_that_are_changed_at_once_lose_nothing() {
    let Some(world) = World::new() else { return };
    // Without its user each of them would be told that no listener can read the keys.
    world.sh("getent passwd disco-agent || useradd --system --user-group disco-agent").succeeds();
    world.sh("for i in {1..15}; do disco agent key add old-$i >/tmp/key || exit; done").succeeds();
    let at_once = "for i in {1..15}; do disco agent key add new-$i >/tmp/new-$i & disco agent key rm old-$i >/dev/null & \
                   disco agent key add one >/tmp/one-$i 2>&1 && echo one >>/tmp/one & done; wait";
    world.sh(at_once).succeeds().stderr_is("");
    let listed = world.disco(&["agent", "key", "ls", "--format", "json"]).succeeds().stdout.clone();
    let mut names: Vec<String> = serde_json::Deserializer::from_str(&listed)
        .into_iter::<serde_json::Value>()
        .map(|key| key.unwrap()["name"].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    let mut wanted: Vec<String> = (1..=15).map(|number| format!("new-{number}")).collect();
    wanted.push("one".to_owned());
    wanted.sort();
    assert_eq!(names, wanted);
    assert_eq!(world.read("/tmp/one"), "one\n", "of one name there is one key, and one has it");
    world
        .sh("stat -c %a /etc/disco/agent.keys.lock; ls -A /etc/disco")
        .stdout_is("600\nagent.keys\nagent.keys.lock\n");
}

#[test]
fn the_listener_answers_who_has_a_key_and_ends_by_a_signal() {
    let Some(world) = World::new() else { return };
    let script = r#"
key=$(disco agent key add ci)
disco agent serve --port 18453 2> agent.log & agent=$!
at=http://127.0.0.1:18453
for _ in $(seq 200); do curl -sf $at/healthz && break; sleep 0.05; done
ask() { curl -s -o answer -w '%{http_code}\n' "$@"; }
ask $at/v1/status
ask -H "Authorization: Bearer $key" $at/v1/status
grep -o 'cannot reach the agent.s helper at /run/disco/agent.sock' answer
new=$(disco agent key rotate ci --grace 1h)
ask -H "Authorization: Bearer $key" $at/v1/status
ask -H "Authorization: Bearer $new" $at/v1/status
newest=$(disco agent key rotate ci)
for key in $key $new $newest; do ask -H "Authorization: Bearer $key" $at/v1/status; done
disco agent key rm ci
ask -H "Authorization: Bearer $newest" $at/v1/status
kill $agent; wait $agent; echo $?
grep -c 'listening on http://127.0.0.1:18453' agent.log
"#;
    let said = world.sh(script);
    let wanted = "ok\n401\n503\ncannot reach the agent's helper at /run/disco/agent.sock\n503\n503\n401\n401\n503\nci: removed\n401\n0\n1\n";
    said.succeeds().stdout_is(wanted);
}

#[test]
fn a_flag_opens_puppet_twitchs_port_to_everybody_and_nothing_else_does() {
    let Some(world) = World::new() else { return };
    let script = r#"
ip address add 192.0.2.7/32 dev lo
ask() {
  disco agent serve --port 18453 "$@" 2>agent.log & agent=$!
  for _ in $(seq 200); do curl -sf http://127.0.0.1:18453/healthz && break; sleep 0.05; done
  curl -s http://192.0.2.7:2023/info || echo nobody
  kill $agent; wait $agent
}
ask
ask --compat-twitch
"#;
    let info = "Puppet Twitch - A simple endpoint for triggering puppet";
    world.sh(script).succeeds().stdout_is(&format!("ok\nnobody\nok\n{info}\n"));
}
