//! `settings.yml`: defaults as in a smart proxy, and errors that name the key.

use std::path::PathBuf;

use crate::settings::enabled::Enabled;
use crate::settings::global::Global;
use crate::settings::value::Value;
use crate::settings::yaml::parse;

fn global(text: &str) -> Result<Global, String> {
    parse("settings.yml", text).and_then(|file| Global::of(&file)).map_err(|error| error.to_string())
}

#[test]
fn defaults_are_those_of_a_smart_proxy() {
    let global = global(":http_port: 8000\n").expect("it can start");
    assert_eq!(global.https_port, 8443);
    assert_eq!(global.ssl, None);
    assert_eq!(global.bind_host, ["*"]);
    assert_eq!(global.trusted_hosts, None);
    assert!(global.forward_verify);
    assert_eq!((global.log_buffer, global.log_buffer_errors), (2000, 1000));
    assert_eq!(global.log_level, "INFO");
    assert_eq!(
        global.warnings,
        [
            "settings.yml: missing SSL setup, https is disabled: `:ssl_certificate:`, `:ssl_ca_file:`, `:ssl_private_key:` not set"
        ]
    );
}

#[test]
fn https_wants_all_three_files() {
    let all = ":ssl_certificate: /c\n:ssl_ca_file: /a\n:ssl_private_key: /k\n";
    let ssl = global(all).expect("it can start").ssl.expect("https");
    assert_eq!(
        (ssl.certificate, ssl.ca, ssl.key),
        (PathBuf::from("/c"), PathBuf::from("/a"), PathBuf::from("/k"))
    );
    assert!(global(all).expect("it can start").warnings.is_empty());
    for missing in ["ssl_certificate", "ssl_ca_file", "ssl_private_key"] {
        let some: Vec<&str> = all.lines().filter(|line| !line.contains(missing)).collect();
        assert_eq!(
            global(&some.join("\n")).expect_err(missing),
            "settings.yml: both http and https are disabled, unable to start"
        );
    }
}

#[test]
fn values_are_taken_in_all_their_forms() {
    let text = ":http_port: '8000'\n:bind_host: 127.0.0.1\n:trusted_hosts:\n  - a.example.com\n  - B.example.com\n\
                :foreman_url: https://f.example.com\n:tls_disabled_versions: [1.1, '1.2']\n:log_level: debug\n:forward_verify: no\n";
    let global = global(text).expect("it can start");
    assert_eq!(global.http_port, Some(8000));
    assert_eq!(global.bind_host, ["127.0.0.1"]);
    assert_eq!(global.trusted_hosts, Some(vec!["a.example.com".to_owned(), "B.example.com".to_owned()]));
    assert_eq!(global.foreman_url.as_deref(), Some("https://f.example.com/"));
    assert_eq!(global.tls_disabled_versions, ["1.1", "1.2"]);
    assert_eq!(global.log_level, "DEBUG");
    assert!(!global.forward_verify);
    assert!(global.warnings.iter().any(|warning| warning.contains("B.example.com, which matches nobody")));
}

#[test]
fn errors_name_file_line_and_key() {
    for (text, told) in [
        (
            ":http_port: 70000\n",
            "settings.yml:1: `:http_port:` must be a port from 1 to 65535, and is a number",
        ),
        (
            "---\n:http_port: 1\n:https_port: [1]\n",
            "settings.yml:3: `:https_port:` must be a port from 1 to 65535, and is a list",
        ),
        (
            ":http_port: 1\n:forward_verify: perhaps\n",
            "settings.yml:2: `:forward_verify:` must be true or false, and is a text",
        ),
        (
            ":http_port: 1\n:trusted_hosts: {a: b}\n",
            "settings.yml:2: `:trusted_hosts:` must be a text or a list of texts, and is a map",
        ),
        (
            ":http_port: 1\n:log_level: loud\n",
            "settings.yml:2: `:log_level:` must be DEBUG, INFO, WARN, ERROR or FATAL, and is a text",
        ),
        (
            ":http_port: 1\n:log_buffer: 1\n",
            "settings.yml:2: `:log_buffer:` must be a number from 2 to 1000000, and is a number",
        ),
        (":bind_host: []\n:http_port: 1\n", "settings.yml: `:bind_host:` has no address"),
        (":daemon: true\n", "settings.yml: both http and https are disabled, unable to start"),
    ] {
        assert_eq!(global(text).expect_err(text), told);
    }
    let ignored = global(":http_port: 1\n:htps_port: 2\n:daemon: true\n").expect("it can start").warnings;
    assert!(ignored.contains(&"settings.yml:2: `:htps_port:` is no setting, and is ignored".to_owned()));
    assert!(!ignored.iter().any(|warning| warning.contains("daemon")));
}

#[test]
fn enabled_is_one_of_four_words() {
    for (value, http, https) in [
        (Value::Bool(true), true, true),
        (Value::text("http"), true, false),
        (Value::text("https"), false, true),
        (Value::Bool(false), false, false),
        (Value::Null, false, false),
        (Value::text("true"), false, false),
        (Value::text("HTTPS"), false, false),
        (Value::Int(1), false, false),
        (Value::List(vec![Value::Bool(true)]), false, false),
    ] {
        let enabled = Enabled::of(&value);
        assert_eq!((enabled.http(), enabled.https()), (http, https), "{value:?}");
        assert_eq!(enabled.anywhere(), http || https);
    }
}
