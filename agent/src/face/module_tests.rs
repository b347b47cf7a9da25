//! A feature's settings and states, and the ring of its log, in tables.

use proptest::prelude::*;

use crate::face::clock::Time;
use crate::face::feature::{FeatureName, Known, Standing};
use crate::face::module::{Module, State};
use crate::face::peer::Shown;
use crate::face::ring::{Level, Record, Ring};
use crate::face::route::{Route, from_timestamp};
use crate::face::stage::{provider, spec};
use crate::settings::Value;
use crate::settings::yaml::parse;

fn loaded(module: &Module, text: &str, of_provider: &str) -> Module {
    module.load(parse("x.yml", text).map(Some), |provider| {
        parse(&format!("{}.yml", provider.name), of_provider).map(Some)
    })
}

#[test]
fn settings_decide_the_first_state() {
    let mut x = spec("x", &[]);
    let required = Known { key: "url".into(), default: Value::Null, required: true, exposed: true };
    x.settings = vec![required];
    x.providers = Some(vec![provider("x_one", &["path"]), provider("x_two", &["path"])]);
    let x = Module::new(x);
    let group = "Disabling all modules in the group";
    let conflict = "Provider 'x_one' settings conflict with the main plugin's settings: url";
    for (text, of_provider, state, told) in [
        (":enabled: false\n", "", "disabled", String::new()),
        ("", "", "disabled", String::new()),
        (":enabled: true\n:url: u\n:use_provider: x_one\n", "", "loaded", String::new()),
        (":enabled: http\n:url: u\n:use_provider: [x_one, :x_two]\n", "", "loaded", String::new()),
        (
            ":enabled: true\n:use_provider: x_one\n",
            "",
            "failed",
            format!(
                "{group} ['x'] due to a failure in one of them: x.yml: Parameter 'url' is expected to have a non-empty value"
            ),
        ),
        (
            ":enabled: true\n:url: ' '\n:use_provider: x_one\n",
            "",
            "failed",
            format!(
                "{group} ['x'] due to a failure in one of them: x.yml:2: Parameter 'url' is expected to have a non-empty value"
            ),
        ),
        (
            ":enabled: true\n:url: u\n",
            "",
            "failed",
            format!(
                "{group} ['x'] due to a failure in one of them: x.yml:1: `:use_provider:` must name a provider, or a list of them, of x_one, x_two"
            ),
        ),
        (
            ":enabled: true\n:url: u\n:use_provider: [x_one, x_three]\n",
            "",
            "failed",
            format!("{group} ['x']: following providers are not available ['x_three']"),
        ),
        (
            ":enabled: true\n:url: u\n:use_provider: x_one\n",
            ":url: v\n",
            "failed",
            format!("{group} ['x_one', 'x'] due to a failure in one of them: {conflict}"),
        ),
    ] {
        let module = loaded(&x, text, of_provider);
        assert_eq!(module.state.word(), state, "{text:?}: {:?}", module.state);
        assert_eq!(module.state.why().unwrap_or_default(), told, "{text:?}");
        if module.state.why().is_some() {
            assert_eq!(module.offered(), (false, false));
        }
    }
    for (text, doubt) in [
        (
            ":enabled: maybe\n:url: u\n",
            Some("x.yml:1: `:enabled:` must be true, false, http or https, and is \"maybe\": 'x' is off"),
        ),
        (
            ":url: u\n:enabled: 1\n",
            Some("x.yml:2: `:enabled:` must be true, false, http or https, and is a number: 'x' is off"),
        ),
        (":enabled: false\n:url: u\n", None),
        (":enabled: http\n:url: u\n:use_provider: x_one\n", None),
    ] {
        let module = loaded(&x, text, "");
        assert_eq!(module.doubt().as_deref(), doubt, "{text:?}");
        assert!(doubt.is_none() || module.state == State::Disabled, "{:?}", module.state);
    }
    let module = loaded(&x, ":enabled: https\n:url: u\n:use_provider: x_two\n", ":path: /p\n");
    let shown = serde_json::to_string(&module.entry([].iter())).expect("JSON");
    assert_eq!(
        shown,
        r#"{"http_enabled":false,"https_enabled":true,"settings":{"path":"/p","url":"u","use_provider":"x_two"},"state":"loaded","capabilities":[]}"#
    );
}

#[test]
fn a_subsystem_comes_and_goes_but_settings_decide_first() {
    let x = Module::new(spec("x", &[]));
    let mut off = loaded(&x, ":enabled: false\n", "");
    assert!(!off.stands(Standing::Running));
    assert_eq!(off.state, State::Disabled);
    let mut broken = loaded(&x, ":enabled: [\n", "");
    assert!(!broken.stands(Standing::Running));
    assert!(matches!(broken.state, State::Unusable(_)));
    let mut on = loaded(&x, ":enabled: http\n", "");
    on.start();
    for (standing, word, offered) in [
        (Standing::Starting, "starting", true),
        (Standing::Running, "running", true),
        (Standing::Failed("gone".into()), "failed", false),
        (Standing::Running, "running", true),
    ] {
        on.stands(standing);
        assert_eq!((on.state.word(), on.offered()), (word, (offered, false)));
    }
    assert!(!on.stands(Standing::Running), "nothing new");
}

#[test]
fn names_of_features() {
    for (name, good) in
        [("logs", true), ("dns_nsupdate2", true), ("", false), ("Logs", false), ("1x", false), ("a-b", false)]
    {
        assert_eq!(FeatureName::new(name).is_ok(), good, "{name:?}");
    }
}

#[test]
fn paths_and_timestamps() {
    for (path, route) in [
        ("/features", Route::Features),
        ("///features", Route::Features),
        ("/v2features", Route::Nothing),
        ("/v2/features", Route::V2("/features".into())),
        ("/v2%2ffeatures", Route::V2("/features".into())),
        ("/logs", Route::Logs(String::new())),
        ("/%", Route::Nothing),
        ("/%zz", Route::Nothing),
        ("/%ff%fe", Route::Nothing),
    ] {
        assert_eq!(Route::of(path), route, "{path}");
    }
    for (query, from) in [
        ("", 0.0),
        ("from_timestamp=12.5", 12.5),
        ("a=b&from_timestamp=12.5x", 12.5),
        ("from_timestamp=1&from_timestamp=2", 2.0),
        ("from_timestamp=", 0.0),
        ("from_timestamp=nan", 0.0),
        ("from_timestamp=inf", 0.0),
        ("from_timestamp=-3", -3.0),
        ("from_timestamp=ü1", 0.0),
        ("from_timestamp[]=1", 0.0),
    ] {
        assert!((from_timestamp(query) - from).abs() < 1e-9, "{query}");
    }
}

#[test]
fn the_name_in_a_certificate() {
    let with = |names: &[&str]| {
        let mut parameters = rcgen::CertificateParams::default();
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        for (at, name) in names.iter().enumerate() {
            let kind = match at {
                0 => rcgen::DnType::CommonName,
                // A second CN, by its number.
                _ => rcgen::DnType::CustomDnType(vec![2, 5, 4, 3]),
            };
            parameters.distinguished_name.push(kind, *name);
        }
        let key = rcgen::KeyPair::generate().expect("a key");
        Shown::of_der(parameters.self_signed(&key).expect("a certificate").der())
    };
    assert_eq!(with(&["Client.Example.com"]), Shown::Named("client.example.com".into()));
    for nobody in [&[][..], &[""], &["good.example.com evil"], &["a/b"], &["a,b"]] {
        assert_eq!(with(nobody), Shown::Nameless, "{nobody:?}");
    }
    assert_eq!(Shown::of_der(b"nothing"), Shown::Nameless);
}

fn record(number: u64, level: Level) -> Record {
    Record { timestamp: Time(number), level, message: number.to_string(), backtrace: None, request_id: None }
}

proptest! {
    /// The ring against a list from which is taken what should stay.
    #[test]
    fn the_ring_keeps_the_newest_and_the_newest_errors_that_left(
        bad in proptest::collection::vec(any::<bool>(), 0..60), size in 2usize..8, tail in 2usize..5,
    ) {
        let mut ring = Ring::new(size, tail);
        for (number, bad) in bad.iter().enumerate() {
            ring.push(record(number as u64, if *bad { Level::Error } else { Level::Warn }));
        }
        let gone = bad.len().saturating_sub(size);
        let errors: Vec<usize> = (0..gone).filter(|number| bad[*number]).collect();
        let kept = errors[errors.len().saturating_sub(tail)..].iter().copied().chain(gone..bad.len());
        let expected: Vec<String> = kept.map(|number| number.to_string()).collect();
        let got: Vec<String> = ring.from(0.0).map(|record| record.message.clone()).collect();
        prop_assert_eq!(got, expected);
    }

    #[test]
    fn no_path_or_query_makes_it_fall_over(text in "(?s).{0,60}") {
        let _ = Route::of(&text);
        let _ = from_timestamp(&format!("from_timestamp={text}"));
    }
}
