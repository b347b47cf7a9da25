//! What texts set, and what is said of those that set nothing.

use proptest::prelude::*;

use super::*;

fn said(text: &str) -> String {
    match parse(text) {
        Ok(config) => format!("{config:?}"),
        Err(error) => error.to_string(),
    }
}

/// The template with all that is commented out set.
fn whole() -> String {
    let uncommented = |line: &str| match line.strip_prefix("# ") {
        Some(rest)
            if rest.starts_with('[') || rest.split_once(" = ").is_some_and(|(key, _)| !key.contains(' ')) =>
        {
            rest.to_owned()
        }
        _ => line.to_owned(),
    };
    TEMPLATE.lines().map(uncommented).collect::<Vec<_>>().join("\n")
}

#[test]
fn nothing_and_the_template_set_what_the_template_says() {
    assert_eq!(said(""), said(TEMPLATE));
    let config = parse("").unwrap();
    assert_eq!(config.store, StoreAt::Sqlite(PathBuf::from("/var/lib/disco-dlm/locks.db")));
    assert_eq!(config.listen.limits, Limits::default());
    assert_eq!(config.listen.addresses, ["127.0.0.1:8443".parse().unwrap()]);
    assert!(!config.set.auto_create);
    assert_eq!(config.set.fleetlock, FleetLock::Off);
    assert_eq!(config.set.roles, roles());
}

#[test]
fn the_template_has_every_key() {
    let config = parse(&whole()).unwrap();
    let tls = config.listen.tls.unwrap();
    assert_eq!(tls.crl, Some(PathBuf::from("/etc/disco/dlm/crl.pem")));
    assert_eq!(config.listen.trusted_proxies.unwrap().verify_header.as_deref(), Some("X-Client-Verify"));
    assert_eq!(config.listen.limits, Limits::default());
    assert!(config.set.roles["Operators"].contains(&Permission::ViewHosts));
    let whole: toml::Table = whole().parse().unwrap();
    for key in ALL {
        assert!(whole.contains_key(key), "{key}");
    }
    assert_eq!(whole["limits"].as_table().unwrap().len(), 11);
    let etcd =
        parse(&self::whole().replace("sqlite:///var/lib/disco-dlm/locks.db", "etcds://a:2379,b:2379/x"))
            .unwrap();
    let StoreAt::Etcd(etcd) = etcd.store else { panic!("{:?}", etcd.store) };
    assert_eq!((etcd.url.as_str(), etcd.user.as_deref()), ("etcds://a:2379,b:2379/x", Some("disco")));
    assert_eq!(etcd.password_file, Some(PathBuf::from("/etc/disco/etcd/password")));
}

#[test]
fn what_cannot_be_is_named() {
    let table = [
        ("strore = 'x'", "strore: there is no such key; the nearest is store"),
        ("[tls]\ncertifcate = '/x'", "tls.certifcate: there is no such key; the nearest is tls.certificate"),
        (
            "[limits]\nbody_byte = 5",
            "limits.body_byte: there is no such key; the nearest is limits.body_bytes",
        ),
        ("[hosts]\nauto_create = 'yes'", "hosts.auto_create = \"yes\": use \"never\" or \"cert\""),
        ("[hosts]\nauto_create = true", "hosts.auto_create = true: use \"never\" or \"cert\""),
        ("hosts = 5", "hosts = 5: use a table"),
        ("fleetlock = 'on'", "fleetlock = \"on\": use \"off\", \"enrolled\" or \"anybody\""),
        ("listen = '0.0.0.0:1'", "listen = \"0.0.0.0:1\": use a list of texts, as in [\"a\", \"b\"]"),
        ("listen = []", "listen = []: use a list of ADDRESS:PORT, such as [\"0.0.0.0:8443\"]"),
        (
            "listen = ['web:1']",
            "listen = [\"web:1\"]: use a list of ADDRESS:PORT, such as [\"0.0.0.0:8443\"]",
        ),
        (
            "listen = ['0.0.0.0:8443']",
            "tls.certificate: it is missing; without it only loopback addresses are listened on, for a proxy",
        ),
        ("[tls]\ncertificate = '/x'", "tls.key: it is missing; TLS needs it"),
        ("[tls]\nclient_ca = '/x'", "tls.certificate: it is missing; TLS needs it"),
        ("[tls]\nkey = 'x'", "tls.key = \"x\": use a path that begins with /"),
        (
            "[tls]\ncertificate = '/x'\nkey = '/x'\ncrl = '/x'",
            "tls.client_ca: it is missing; a list of what it has revoked says nothing without it",
        ),
        (
            "store = 'sqlite://locks.db'",
            "store = \"sqlite://locks.db\": use sqlite:///PATH, or etcd://HOST:PORT,HOST:PORT (etcds:// over TLS)",
        ),
        (
            "store = 'etcd://'",
            "store = \"etcd://\": use sqlite:///PATH, or etcd://HOST:PORT,HOST:PORT (etcds:// over TLS)",
        ),
        ("per_page = 0", "per_page = 0: use a whole number that is neither too small nor huge"),
        ("stale_hours = '4'", "stale_hours = \"4\": use a whole number that is neither too small nor huge"),
        ("[events]\nkeep_days = -1", "events.keep_days = -1: use a whole number, 0 or more, and no huge one"),
        (
            "[trusted_proxies]\nheader = 'X'",
            "trusted_proxies.addresses: it is missing; it says from where the header is believed",
        ),
        (
            "[trusted_proxies]\naddresses = ['::1']",
            "trusted_proxies.header: it is missing; it says which header has the host's name",
        ),
        (
            "[trusted_proxies]\naddresses = ['::1']\nheader = 'a b'",
            "trusted_proxies.header = \"a b\": use the name of a header",
        ),
        ("[roles]\nViewer = []", "roles.Viewer = []: use another name: this role is always there"),
        (
            "[roles]\nMine = ['view']",
            "roles.Mine = [\"view\"]: use a list of view_dlmlocks, create_dlmlocks, edit_dlmlocks, destroy_dlmlocks, view_dlmlock_events and view_hosts",
        ),
        ("a = ", "it is no TOML"),
    ];
    for (text, wanted) in table {
        assert_eq!(said(text), wanted, "{text}");
    }
    assert_eq!(parse("[events]\nkeep_days = 0").unwrap().listen.keep_events_days, None);
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,80}", line in 0usize..80, value in "(-?[0-9]{1,20}|'[^']{0,9}'|\\[\\]|\\{\\}|true|1979-05-27)") {
        let _ = parse(&text);
        // Each key of the whole template with a value of any kind.
        let whole = whole();
        let changed = whole.lines().enumerate().map(|(at, found)| match found.split_once(" = ") {
            Some((key, _)) if at == line && !found.starts_with('#') => format!("{key} = {value}"),
            _ => found.to_owned(),
        });
        let _ = parse(&changed.collect::<Vec<_>>().join("\n"));
    }
}
