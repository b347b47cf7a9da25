//! `disco pki`: what it makes is what openssl(1) understands, and nothing is ever overwritten.

use crate::world::World;

#[test]
fn an_authority_signs_revokes_and_overwrites_nothing() {
    let Some(world) = World::new() else { return };
    let pki = |words: &[&str]| world.disco(&[&["pki"], words].concat());
    let made = pki(&["init"]);
    made.succeeds().stdout_has("/etc/disco/pki/ca.pem").stdout_has("disco pki issue --server");
    world
        .sh("stat -c '%a %n' /etc/disco/pki /etc/disco/pki/*")
        .succeeds()
        .stdout_has("700 /etc/disco/pki\n")
        .stdout_has("600 /etc/disco/pki/ca.key\n")
        .stdout_has("644 /etc/disco/pki/ca.pem\n");
    pki(&["init"]).exits(73).stderr_has("/etc/disco/pki/ca.key already");
    for name in ["../x", "Web1", "a b", "", "-x", "x..y"] {
        pki(&["issue", "--", name]).exits(64);
    }
    pki(&["issue", "web1.example.com", "--san", "x"]).exits(64);
    pki(&["issue", "web1.example.com"])
        .succeeds()
        .stdout_has("disco dlm host add web1.example.com")
        .stdout_has("names = [\"web1.example.com\"]");
    pki(&["issue", "--server", "locks.example.com", "--san", "192.0.2.1", "--san", "*.example.com"])
        .succeeds();
    let key = world.read("/etc/disco/pki/issued/web1.example.com.key");
    pki(&["issue", "web1.example.com"]).exits(73).stderr_has("has a certificate already, valid until 20");
    pki(&["renew", "web1.example.com"]).succeeds();
    assert_eq!(world.read("/etc/disco/pki/issued/web1.example.com.key"), key);
    let verify = |usage: &str, name: &str, flags: &str| {
        world.sh(&format!(
            "cat /etc/disco/pki/ca.pem /etc/disco/pki/crl.pem >/tmp/chain; openssl verify -purpose {usage} {flags} -CAfile /tmp/chain /etc/disco/pki/issued/{name}"
        ))
    };
    verify("sslclient", "web1.example.com.pem", "-crl_check").succeeds();
    verify("sslserver", "locks.example.com.pem", "-verify_ip 192.0.2.1 -verify_hostname a.example.com")
        .succeeds();
    pki(&["issue", "--client", "web2.example.com"]).exits(64).stderr_has("--server");
    pki(&["issue", "--server", "--client", "web2.example.com"])
        .succeeds()
        .stdout_has("disco dlm host add web2.example.com")
        .stdout_has("ssl_private_key");
    for usage in ["sslclient", "sslserver"] {
        verify(usage, "web2.example.com.pem", "-verify_hostname web2.example.com").succeeds();
    }
    pki(&["renew", "web2.example.com"]).succeeds();
    verify("sslclient", "web2.example.com.pem", "").succeeds();
    verify("sslserver", "web1.example.com.pem", "").exits(2);
    verify("sslclient", "locks.example.com.pem", "").exits(2);
    pki(&["revoke", "web1.example.com"])
        .succeeds()
        .stdout_has("2 certificates of web1.example.com are revoked");
    pki(&["revoke", "web1.example.com"]).exits(65);
    verify("sslclient", "web1.example.com.pem.old-*", "-crl_check")
        .exits(2)
        .stderr_has("certificate revoked");
    pki(&["ls"])
        .succeeds()
        .stdout_has("web1.example.com   host    revoked 20")
        .stdout_has("locks.example.com  server  valid until 20")
        .stdout_has("web2.example.com   both    valid until 20");
    pki(&["issue", "web1.example.com"]).succeeds();
    assert_ne!(world.read("/etc/disco/pki/issued/web1.example.com.key"), key);
    world.sh("cat /etc/disco/pki/issued/*.key.old-*").succeeds().stdout_is(&key);
    pki(&["renew"]).succeeds().stdout_has("counts until 20");
    world
        .sh("openssl crl -in /etc/disco/pki/crl.pem -noout -text")
        .succeeds()
        .stdout_has("Revoked Certificates");
}
