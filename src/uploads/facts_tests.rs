//! Facts, as Foreman's parser of Puppet's facts reads them (`PuppetFactParser`).

use proptest::prelude::*;

use super::*;
use crate::model::facts::Facts;
use crate::model::inventory::{Disk, Memory, Processors};

fn inventory(release: &[(&str, &str)], debian: Option<&str>) -> Inventory {
    let release = release.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let addresses =
        vec![("192.0.2.7".to_owned(), 24), ("fe80::1".to_owned(), 64), ("2001:db8::7".to_owned(), 64)];
    let link = Link { mac: Some("52:54:00:12:34:56".into()), mtu: Some(1500), addresses };
    let lo =
        Link { mac: None, mtu: Some(65536), addresses: vec![("127.0.0.1".into(), 8), ("::1".into(), 128)] };
    let mut facts = Facts { os_release: release.collect(), cpus: 4, ..Facts::default() };
    facts.architecture = "x86_64".into();
    facts.kernel.name = "Linux".into();
    facts.kernel.release = "6.12.41-amd64".into();
    Inventory {
        facts,
        debian_version: debian.map(str::to_owned),
        uptime_seconds: 90_000,
        memory: Memory { total: 16 << 30, available: 4 << 30, swap_total: 0, swap_free: 0 },
        processors: Processors { models: vec!["A CPU".into(); 4], sockets: 2 },
        links: [("eth0".to_owned(), link), ("lo".to_owned(), lo)].into(),
        primary: Some("eth0".into()),
        dmi: [("product_name".to_owned(), "PowerEdge".to_owned())].into(),
        disks: [("sda".to_owned(), Disk { size: 512 << 30, model: None, vendor: None })].into(),
        virtual_kind: None,
        timezone: "CET".into(),
        boot: String::new(),
    }
}

#[test]
fn foremans_parser_finds_what_it_looks_for() {
    let node = "Web1.example.com".parse().unwrap();
    let body = body(
        &node,
        &inventory(&[("id", "debian"), ("version_id", "13"), ("version_codename", "trixie")], Some("13.1")),
        "0.1.0",
        "t",
    );
    assert_eq!((&body["name"], &body["certname"]), (&json!("web1.example.com"), &json!("web1.example.com")));
    let facts = &body["facts"];
    // What it digs for, with the type that it needs: a number that it divides must be one.
    for (path, expected) in [
        ("/_type", json!("puppet")),
        ("/clientcert", json!("web1.example.com")),
        ("/os/name", json!("Debian")),
        ("/os/family", json!("Debian")),
        ("/os/release/full", json!("13.1")),
        ("/os/release/major", json!("13")),
        ("/os/release/minor", json!("1")),
        ("/os/distro/codename", json!("trixie")),
        ("/os/architecture", json!("amd64")),
        ("/kernelrelease", json!("6.12.41-amd64")),
        ("/kernelversion", json!("6.12.41")),
        ("/networking/domain", json!("example.com")),
        ("/networking/hostname", json!("web1")),
        ("/networking/primary", json!("eth0")),
        ("/networking/ip", json!("192.0.2.7")),
        ("/networking/interfaces/eth0/ip", json!("192.0.2.7")),
        ("/networking/interfaces/eth0/netmask", json!("255.255.255.0")),
        ("/networking/interfaces/eth0/network", json!("192.0.2.0")),
        ("/networking/interfaces/eth0/ip6", json!("2001:db8::7")),
        ("/networking/interfaces/eth0/netmask6", json!("ffff:ffff:ffff:ffff::")),
        ("/networking/interfaces/eth0/mac", json!("52:54:00:12:34:56")),
        ("/networking/interfaces/lo/ip6", json!("::1")),
        ("/memory/system/total_bytes", json!(16_u64 << 30)),
        ("/memory/system/total", json!("16.00 GiB")),
        ("/processors/count", json!(4)),
        ("/processors/physicalcount", json!(2)),
        ("/disks/sda/size_bytes", json!(512_u64 << 30)),
        ("/dmi/product/name", json!("PowerEdge")),
        ("/system_uptime/seconds", json!(90_000)),
        ("/system_uptime/uptime", json!("1 day")),
        ("/is_virtual", json!(false)),
        ("/virtual", json!("physical")),
        ("/disco/version", json!("0.1.0")),
    ] {
        assert_eq!(facts.pointer(path), Some(&expected), "{path}");
    }
    // Without it, it takes them for the older form, and finds no interface.
    assert!(facts["facterversion"].as_str().unwrap().split('.').next().unwrap().parse::<u32>().unwrap() >= 3);
    assert_eq!(facts.pointer("/memory/swap"), None);
}

#[test]
fn systems_have_the_names_that_foreman_knows() {
    for (release, debian, name, full, major, minor) in [
        (
            &[("id", "ubuntu"), ("version_id", "24.04")][..],
            Some("trixie/sid"),
            "Ubuntu",
            "24.04",
            "24.04",
            None,
        ),
        (&[("id", "rocky"), ("version_id", "9.4")], None, "Rocky", "9.4", "9", Some("4")),
        (&[("id", "debian")], Some("forky/sid"), "Debian", "", "", None),
        (&[("id", "debian"), ("version_id", "12")], None, "Debian", "12", "12", None),
        (&[("id", "void")], None, "Void", "", "", None),
        (&[], None, "Linux", "", "", None),
    ] {
        let facts = facts("n", &inventory(release, debian), "0");
        let os = &facts["os"];
        let of = |path: &str| os.pointer(path).and_then(Value::as_str);
        assert_eq!(of("/name"), Some(name), "{release:?}");
        assert_eq!(of("/release/full").unwrap_or_default(), full, "{release:?}");
        assert_eq!(of("/release/major").unwrap_or_default(), major, "{release:?}");
        assert_eq!(of("/release/minor"), minor, "{release:?}");
    }
}

#[test]
fn sizes_are_told_in_their_unit() {
    for (bytes, words) in [(0, "0 bytes"), (1023, "1023 bytes"), (1024, "1.00 KiB"), (u64::MAX, "16.00 EiB")]
    {
        assert_eq!(size(bytes), words);
    }
}

proptest! {
    #[test]
    fn any_inventory_has_a_system_and_no_gaps(id in "\\PC{0,8}", version in "\\PC{0,8}", address in "\\PC{0,12}", prefix: u8, name in "\\PC{0,8}") {
        let mut inventory = inventory(&[("id", &id), ("version_id", &version)], Some(&version));
        inventory.links.insert(name, Link { mac: None, mtu: None, addresses: vec![(address, prefix), ("192.0.2.1".into(), prefix), ("::1".into(), prefix)] });
        let facts = Value::Object(facts("n", &inventory, "0"));
        prop_assert!(facts.pointer("/os/name").and_then(Value::as_str).is_some_and(|name| !name.is_empty()));
        prop_assert!(!facts.to_string().contains("null"), "{}", facts);
    }
}
