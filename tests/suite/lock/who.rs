//! Who asks: certificates of others, bad ones, a password at a terminal; and a server that reads its certificates again.

use super::real::real;
use super::{FOLDER, Locks, OTHER};
use crate::world::{NODE, Output};

/// Puts the node's own certificate, which is where disco looks first, elsewhere.
fn moved(locks: &Locks, script: &str) {
    locks.world.sh(&format!("set -e; {script}; rm /etc/disco/pki/*")).succeeds();
}

fn whoami(locks: &Locks) -> Output {
    locks.world.disco(&["lock", "whoami"])
}

#[test]
fn certificates_of_puppet_and_katello_are_used_where_they_are() {
    let Some(locks) = real() else { return };
    let puppet = "/etc/puppetlabs/puppet/ssl";
    moved(
        &locks,
        &format!(
            "mkdir -p {puppet}/certs {puppet}/private_keys; cp /etc/disco/pki/ca.pem {puppet}/certs/ca.pem; \
             cp /etc/disco/pki/host.pem {puppet}/certs/{NODE}.pem; cp /etc/disco/pki/host.key {puppet}/private_keys/{NODE}.pem"
        ),
    );
    whoami(&locks)
        .succeeds()
        .stdout_has(&format!("{puppet}/certs/{NODE}.pem"))
        .stdout_has(&format!("taken for    {NODE}"));
    locks.lock(&["run", "web", "--", "true"]).succeeds();
    let katello = format!(
        "mkdir -p /etc/pki/consumer /etc/rhsm/ca; mv {puppet}/certs/{NODE}.pem /etc/pki/consumer/cert.pem; \
         mv {puppet}/private_keys/{NODE}.pem /etc/pki/consumer/key.pem; mv {puppet}/certs/ca.pem /etc/rhsm/ca/katello-server-ca.pem"
    );
    locks.world.sh(&format!("set -e; {katello}")).succeeds();
    whoami(&locks)
        .succeeds()
        .stdout_has("/etc/pki/consumer/cert.pem")
        .stdout_has(&format!("taken for    {NODE}"));
    locks.lock(&["run", "web", "--", "true"]).succeeds();
}

#[test]
fn a_certificate_that_counts_no_more_is_told_with_the_way_out() {
    let Some(locks) = real() else { return };
    let world = &locks.world;
    let (ca, with) = (format!("{FOLDER}/ca"), |dir: &str, name: &str| {
        let (cert, key) = (format!("{dir}/issued/{name}.pem"), format!("{dir}/issued/{name}.key"));
        world.disco(&["lock", "acquire", "web", "--cert", &cert, "--key", &key])
    });
    // Of another authority, with the name of a host that is known.
    world.disco(&["pki", "init", "--dir", "/srv/stranger"]).succeeds();
    world.disco(&["pki", "issue", OTHER, "--dir", "/srv/stranger"]).succeeds();
    with("/srv/stranger", OTHER).exits(77).stderr_has("/srv/stranger/issued/").stderr_has("hint: ");
    with(&ca, OTHER).succeeds();
    locks.other(&["release", "web"]).succeeds();
    // Revoked: it counts until the server reads the list again.
    let copy = format!("mkdir -p /srv/revoked/issued && cp {ca}/issued/{OTHER}.* /srv/revoked/issued");
    world.sh(&copy).succeeds();
    world.disco(&["pki", "revoke", OTHER, "--dir", &ca]).succeeds();
    world.run(&["pkill", "-HUP", "-f", "^disco dlm serve"]).succeeds();
    world.wait_until("the server has read the list", || with("/srv/revoked", OTHER).status != Some(0));
    with("/srv/revoked", OTHER).exits(77).stderr_has(OTHER).stderr_has("hint: ");
    locks.lock(&["acquire", "web"]).succeeds();
    // Expired.
    let signed = expired(&world.read(&format!("{ca}/ca.pem")), &world.read(&format!("{ca}/ca.key"))).unwrap();
    world.sh("mkdir -p /srv/old/issued").succeeds();
    world.write(&format!("/srv/old/issued/{NODE}.pem"), &signed.0);
    world.write_with_mode(&format!("/srv/old/issued/{NODE}.key"), "600", &signed.1);
    with("/srv/old", NODE).exits(77).stderr_has("/srv/old/issued/").stderr_has("hint: ");
    // Who is being answered when the server ends is answered.
    world.run(&["pkill", "-TERM", "-f", "^disco dlm serve"]).succeeds();
    world.wait_until("the server has ended", || {
        world.run(&["pgrep", "-f", "^disco dlm serve"]).status != Some(0)
    });
    locks.lock(&["release", "web"]).exits(69).stderr_has("hint: ");
}

/// A certificate of this authority for the node, which ended in 2001, and its key.
fn expired(ca: &str, key: &str) -> Result<(String, String), rcgen::Error> {
    let issuer = rcgen::Issuer::from_ca_cert_pem(ca, rcgen::KeyPair::from_pem(key)?)?;
    let mut wanted = rcgen::CertificateParams::new([NODE.to_owned()])?;
    wanted.distinguished_name.push(rcgen::DnType::CommonName, NODE);
    wanted.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    wanted.not_before = rcgen::date_time_ymd(2000, 1, 1);
    wanted.not_after = rcgen::date_time_ymd(2001, 1, 1);
    let own = rcgen::KeyPair::generate()?;
    Ok((wanted.signed_by(&own, &issuer)?.pem(), own.serialize_pem()))
}

#[test]
fn a_password_is_asked_for_at_a_terminal_and_shown_nowhere() {
    let Some(locks) = real() else { return };
    let at_terminal = |said: &str| {
        let script = "import os, pty, sys, time\n\
             pid, master = pty.fork()\n\
             if pid == 0: os.execvp('disco', ['disco', 'lock', 'ls', '--user', 'admin'])\n\
             seen = b''\n\
             while b':' not in seen: seen += os.read(master, 1024)\n\
             time.sleep(0.5)  # What is typed before the echo is off is dropped, as getpass(3) does.\n\
             os.write(master, sys.argv[1].encode() + b'\\n')\n\
             try:\n  while True: seen += os.read(master, 1024)\n\
             except OSError: pass\n\
             sys.stdout.write(seen.decode())\n\
             sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n";
        locks.world.run(&["python3", "-c", script, said])
    };
    let right = at_terminal("a long password");
    right.succeeds().stdout_has("assword").stdout_lacks("a long password");
    at_terminal("a wrong password").exits(77).stdout_lacks("a wrong password");
    // Without a terminal nobody can be asked.
    let none = locks.world.command(&["disco", "lock", "ls", "--user", "admin"]).stdin("").run();
    none.exits(77).stderr_has("DISCO_DLM_PASSWORD");
}
