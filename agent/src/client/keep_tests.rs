//! What stays known, what has drifted, and how both look.

use std::collections::BTreeMap;

use crate::client::drift::{Wanted, drift};
use crate::client::keep::{Features, Mark, after};
use crate::client::known::{foreman_name, refusal};
use crate::client::reply::{Protocol, Reply, v1, v2};
use crate::client::show;
use crate::settings::yaml::parse;

/// A reply with these features in these states.
fn said(states: &[(&str, &str)]) -> Reply {
    let entries: Vec<String> = states
        .iter()
        .map(|(name, state)| {
            let on = *state == "running";
            format!(
                r#""{name}":{{"http_enabled":false,"https_enabled":{on},"settings":{{"url":"{state}"}},"state":"{state}","capabilities":["{name}-can"]}}"#
            )
        })
        .collect();
    v2(&format!("{{{}}}", entries.join(","))).expect("JSON")
}

fn marks(features: &Features) -> Vec<(&str, Mark)> {
    features.iter().map(|(name, kept)| (name.as_str(), kept.mark.clone())).collect()
}

fn not(state: &str) -> Mark {
    Mark::NotRunning { state: state.into() }
}

#[test]
fn failed_features_are_kept_and_unknown_ones_not_added() {
    let none = Features::new();
    let known = after(&none, &said(&[("logs", "running"), ("tftp", "running"), ("dns", "failed")]));
    assert_eq!(marks(&known), [("logs", Mark::Running), ("tftp", Mark::Running)]);
    for (state, kept) in [
        ("failed", Some(not("failed"))),
        ("starting", Some(not("starting"))),
        ("loaded", Some(not("loaded"))),
        ("uninitialized", Some(not("uninitialized"))),
        ("odd", Some(not("odd"))),
        ("running", Some(Mark::Running)),
        ("disabled", None),
    ] {
        let next = after(&known, &said(&[("logs", "running"), ("tftp", state), ("dns", state)]));
        assert_eq!(next.get("tftp").map(|kept| kept.mark.clone()), kept, "{state}");
        assert_eq!(next.contains_key("dns"), state == "running", "{state}");
        if state == "failed" {
            assert_eq!(next["tftp"].said, known["tftp"].said, "what it said last is kept");
            // And for as long as it takes.
            let later = after(&next, &said(&[("tftp", "failed")]));
            assert_eq!(later["tftp"].said, known["tftp"].said);
        }
    }
    // Not installed any more.
    assert!(!after(&known, &said(&[("logs", "running")])).contains_key("tftp"));
    // The older way names only what works.
    let old = after(&known, &v1(r#"["logs","facts"]"#).expect("JSON"));
    assert_eq!(marks(&old), [("facts", Mark::Running), ("logs", Mark::Running), ("tftp", Mark::NotNamed)]);
}

#[test]
fn names_are_foremans_without_blanks_and_capitals() {
    for (name, known) in [
        ("puppetca", Some("Puppet CA")),
        ("PuppetCA", Some("Puppet CA")),
        ("externalipam", Some("External IPAM")),
        ("logs", Some("Logs")),
        ("httpboot", Some("HTTPBoot")),
        ("dance", None),
        ("puppet_ca", None),
    ] {
        assert_eq!(foreman_name(name), known, "{name}");
    }
    assert_eq!(refusal(&said(&[("dance", "running"), ("logs", "running")])), None);
    assert!(
        refusal(&said(&[("dance", "running"), ("logs", "failed")]))
            .expect("refused")
            .starts_with("Features \"dance\"")
    );
    assert!(refusal(&said(&[("logs", "disabled")])).expect("refused").starts_with("No features found"));
}

fn wanted(files: &[(&str, &str)]) -> BTreeMap<String, Wanted> {
    let of = |(name, text): &(&str, &str)| {
        let file = parse("x.yml", text).expect("settings");
        ((*name).to_owned(), Wanted::of(&file).expect("JSON"))
    };
    files.iter().map(of).collect()
}

#[test]
fn drift_is_told_by_feature() {
    let wanted = wanted(&[
        ("logs", ":enabled: https\n:url: running\n"),
        ("tftp", ":enabled: https\n:url: other\n"),
        ("dns", ":enabled: true\n"),
        ("bmc", ":enabled: true\n"),
        ("facts", ":enabled: http\n"),
        ("realm", ":enabled: false\n"),
        ("dhcp", ":enabled: false\n"),
    ]);
    let reply = said(&[
        ("logs", "running"),
        ("tftp", "running"),
        ("dns", "failed"),
        ("facts", "running"),
        ("dhcp", "running"),
        ("puppet", "running"),
        ("realm", "disabled"),
    ]);
    let found = drift(&wanted, &reply);
    assert_eq!(
        show::drift(&found),
        "bmc: should run, and the proxy does not have it\n\
         dns: should run, and is failed\n\
         facts: should be offered over http, and is not\n\
         facts: is offered over https, and should not be\n\
         tftp: :url: is set to \"other\", and the proxy says \"running\"\n\
         dhcp: runs, and is not enabled in the settings\n\
         puppet: runs, and is not enabled in the settings\n"
    );
    let json = show::drift_json("https://p", &found);
    assert_eq!(
        json["drift"][1],
        serde_json::json!({ "drift": "not-running", "feature": "dns", "state": "failed" })
    );
    assert_eq!(json["schema"], 1);
    // The older way says nothing of where and how.
    let old = drift(&wanted, &Reply { protocol: Protocol::V1, ..said(&[("facts", "running")]) });
    assert!(!show::drift(&old).contains("facts"), "{old:?}");
}

#[test]
fn a_list_for_people_and_for_programs() {
    let known = after(&Features::new(), &said(&[("logs", "running"), ("tftp", "running")]));
    let known = after(&known, &said(&[("logs", "running"), ("tftp", "failed")]));
    assert_eq!(
        show::features("https://p:8443", &known),
        "https://p:8443\n  logs  running        https       logs-can\n  tftp  failed         https       tftp-can\n"
    );
    let json = show::features_json("https://p:8443", &known);
    assert_eq!(json["features"]["tftp"]["mark"], "not-running");
    assert_eq!(json["features"]["tftp"]["state"], "failed");
    let evil = after(&Features::new(), &said(&[("\\u001b[2Jx", "running")]));
    assert!(!show::features("p", &evil).contains('\u{1b}'));
    // What is kept is read back.
    let text = serde_json::to_string(&known).expect("JSON");
    assert_eq!(serde_json::from_str::<Features>(&text).expect("JSON"), known);
}
