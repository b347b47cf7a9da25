//! The configuration: what holds where nothing is said, what is refused, and that the template says what holds.

use super::config::{Auth, Config, TEMPLATE, parse};
use disco_listen::log::causes;

fn plain(text: &str) -> Config {
    parse(text).unwrap_or_else(|error| panic!("{text}: {}", causes(&error)))
}

#[test]
fn the_template_says_what_holds_without_it() {
    assert_eq!(plain(TEMPLATE), plain(""));
    let config = plain("");
    assert_eq!(config.listen.addresses, ["127.0.0.1:8453".parse().unwrap()]);
    assert!(!config.twitch.enabled && config.listen.tls.is_none());
    assert_eq!(config.auth, Auth::Needed([].into()), "nobody, but who has a key");
    // What is behind a # is what holds, too: all but paths and the url.
    let text: String = TEMPLATE
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(set)
                if set.split_once(" = ").is_some_and(|(key, value)| {
                    !key.contains(|c: char| !c.is_ascii_lowercase() && c != '_') && !value.contains('/')
                }) =>
            {
                format!("{set}\n")
            }
            _ => format!("{line}\n"),
        })
        .collect();
    assert!(text.contains("\nconnections = 256\n") && text.contains("\nall_burst = 500\n"), "{text}");
    assert_eq!(plain(&text), config);
}

#[test]
fn everything_can_be_set() {
    let all = "
listen = [\"0.0.0.0:1\", \"[::1]:2\"]
log = \"debug\"
names = [\"Deploy.Example.com\"]
proxy = \"/p\"
url = \"https://x/\"
[tls]
certificate = \"/c\"
key = \"/k\"
client_ca = \"/a\"
crl = \"/r\"
[twitch]
enabled = true
bind = \"::\"
port = 99
wait_seconds = 1
[rate]
client_per_second = 1
[limits]
connections = 1
idle_seconds = 1
";
    let config = plain(all);
    assert_eq!(config.auth, Auth::Needed(["deploy.example.com".to_owned()].into()));
    assert_eq!((config.twitch.enabled, config.twitch.port, config.twitch.wait_seconds), (true, 99, 1));
    assert_eq!(config.listen.limits.idle.as_secs(), 1);
    assert_eq!(plain("auth = \"none\"").auth, Auth::AnyoneHere);
}

#[test]
fn what_makes_no_sense_is_named() {
    let tls = "[tls]\ncertificate = \"/c\"\nkey = \"/k\"\n";
    for (text, expected) in [
        ("listne = []", "unknown field `listne`"),
        ("listen = []", "listen = []: use a list of ADDRESS:PORT"),
        (
            "listen = [\"localhost:1\"]",
            "invalid socket address syntax: use an address such as 127.0.0.1:8453",
        ),
        ("helper = \"agent.sock\"", "helper = agent.sock: use the whole path of the socket"),
        ("listen = [\"0.0.0.0:1\"]", "tls.certificate: it is missing; without it only loopback"),
        ("auth = \"nobody\"", "unknown variant `nobody`"),
        (&format!("listen = [\"0.0.0.0:1\"]\nauth = \"none\"\n{tls}"), "auth = \"none\" with 0.0.0.0:1"),
        ("names = [\"a\"]", "tls.client_ca: it is missing; no certificate is asked for"),
        (&format!("names = [\"a\"]\n{tls}"), "tls.client_ca: it is missing"),
        ("[tls]\ncertificate = \"/c\"", "tls.key: it is missing"),
        ("[tls]\nkey = \"/c\"", "tls.certificate: it is missing"),
        (&format!("{tls}crl = \"/r\""), "tls.client_ca: it is missing; a list"),
        ("[rate]\nclient_burst = 0", "nonzero"),
        ("[limits]\nconnections = 0", "limits.connections = 0: use 1 to 100000"),
        ("[limits]\nidle_seconds = 0", "limits.idle_seconds = 0: use 1 to 86400"),
        ("[limits]\nverifications = 1", "unknown field `verifications`"),
        ("[twitch]\nport = 99999", "99999"),
        ("= 1", "TOML parse error"),
    ] {
        let found = causes(&parse(text).expect_err(text));
        assert!(found.contains(expected), "{text}: {found}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in ".{0,200}", number in proptest::num::u64::ANY) {
        // Whether it can be used is not the question.
        let _ = parse(&text);
        let _ = parse(&format!("[limits]\nidle_seconds = {number}\nconnections = {number}"));
        let _ = parse(&format!("[twitch]\nwait_seconds = {number}"));
    }
}
