//! Settings files: what they mean, and what is wrong with them. Each meaning is that of Ruby's own YAML (psych 4), compared by hand; where it is unclear what is meant (1:30, a date) it is a text here.

use crate::settings::value::Value;
use crate::settings::yaml::parse;

#[test]
fn values_mean_what_they_mean_to_a_smart_proxy() {
    let text = |text: &str| Value::text(text);
    for (written, meant) in [
        ("true", Value::Bool(true)),
        ("yes", Value::Bool(true)),
        ("On", Value::Bool(true)),
        ("off", Value::Bool(false)),
        ("NO", Value::Bool(false)),
        ("http", text("http")),
        ("'true'", text("true")),
        ("\"https\"", text("https")),
        (":dhcp_isc", text("dhcp_isc")),
        ("':quoted'", text(":quoted")),
        ("~", Value::Null),
        ("", Value::Null),
        ("null", Value::Null),
        ("''", text("")),
        ("8443", Value::Int(8443)),
        ("-1", Value::Int(-1)),
        ("1_000", Value::Int(1000)),
        ("0755", Value::Int(493)),
        ("0x1f", Value::Int(31)),
        ("0", Value::Int(0)),
        ("1.5", Value::Float(1.5)),
        ("1.2.3", text("1.2.3")),
        ("1e3", text("1e3")),
        ("08", text("08")),
        ("0o17", text("0o17")),
        ("-0x1f", Value::Int(-31)),
        ("1,000", Value::Int(1000)),
        ("10.0.0.1", text("10.0.0.1")),
        ("https://a.example.com:8443", text("https://a.example.com:8443")),
        ("*.example.com # no", Value::Null),
        ("[a, :b, 3]", Value::List(vec![text("a"), text("b"), Value::Int(3)])),
        ("{a: 1, :b: two}", Value::Map(vec![("a".into(), Value::Int(1)), ("b".into(), text("two"))])),
        ("\n  - a\n  - b", Value::List(vec![text("a"), text("b")])),
    ] {
        let read = parse("x.yml", &format!("---\n:key: {written}\n"));
        match written {
            // An alias in YAML; the quotes that are missing are the writer's mistake.
            "*.example.com # no" => assert!(read.is_err(), "{written}"),
            _ => assert_eq!(read.expect(written).value("key"), &meant, "{written}"),
        }
    }
}

#[test]
fn a_file_that_sets_nothing() {
    for text in ["", "---\n", "# nothing\n", "--- ~\n", "\u{feff}---\n"] {
        let read = parse("x.yml", text);
        if text.contains('~') {
            assert!(read.is_err(), "{text:?}");
        } else {
            assert_eq!(read.expect(text).all, vec![], "{text:?}");
        }
    }
}

#[test]
fn what_is_wrong_is_told_with_file_line_and_key() {
    for (text, told) in [
        (":a: 1\n:b: [1\n:c: 2\n", "x.yml:3: no valid YAML"),
        (":a: 1\n:b: 2\n:a: 3\n", "x.yml:3: `:a:` is set in line 1 already"),
        (
            ":a: 1\nenabled: true\n",
            "x.yml:2: a smart proxy does not see the key `enabled`: write it as a symbol, `:enabled:`",
        ),
        ("- a\n", "x.yml:1: it is no map of settings such as `:enabled: true`"),
        ("word\n", "x.yml:1: it is no map of settings such as `:enabled: true`"),
        (":a: 1\n---\n:b: 2\n", "x.yml:2: there is a second document"),
        (":a: &x 1\n:b: *x\n", "x.yml:1: anchors are not read"),
        (":a: 1\n:b: !ruby/object:Object {}\n", "x.yml:2: tags are not read"),
        ("? [1]\n: 2\n", "x.yml:1: a key must be a word"),
    ] {
        let error = parse("x.yml", text).expect_err(text);
        assert_eq!(error.to_string(), told, "{text:?}");
    }
    let deep = format!(":a: {}1{}", "[".repeat(40), "]".repeat(40));
    assert!(parse("x.yml", &deep).expect_err("deep").to_string().contains("nested too deep"));
}
