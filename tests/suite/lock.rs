//! Locks that hosts share, from the client's side: commands, the lock of a dance, certificates. The server is a small one that
//! speaks the wire to the letter and can be made to misbehave (`lock/server.py`).

mod boot;
mod commands;
mod dance;
mod pki;
mod real;
mod who;

use std::path::PathBuf;

use crate::world::{InWorld, Output, World};

pub use real::real;

const FOLDER: &str = "/srv/locks";
const URL: &str = "https://localhost:8443";
const OTHER: &str = "other.example.com";

/// A node with a lock server on its loopback, the node's own certificate where disco looks for it, and another host's.
pub struct Locks {
    pub world: World,
}

impl Locks {
    /// Such a node, with more arguments for the server.
    pub fn new(arguments: &str) -> Option<Locks> {
        let locks = Locks::without_server()?;
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/suite/lock/server.py");
        locks.world.install(&format!("{FOLDER}/server.py"), "755", &script);
        locks.start(arguments);
        Some(locks)
    }

    /// Such a node without a server, which has its certificates.
    pub fn without_server() -> Option<Locks> {
        Some(Locks::on(World::new()?))
    }

    /// This node, with certificates.
    pub fn on(world: World) -> Locks {
        let locks = Locks { world };
        let ca = format!("{FOLDER}/ca");
        let pki = |words: &[&str]| {
            locks.world.disco(&[&["pki"], words, &["--dir", &ca]].concat()).succeeds();
        };
        pki(&["init"]);
        pki(&["issue", "--server", "localhost", "--san", "127.0.0.1"]);
        pki(&["issue", crate::world::NODE]);
        pki(&["issue", OTHER]);
        let own = format!("{ca}/issued/{}", crate::world::NODE);
        let copy = format!(
            "mkdir -p /etc/disco/pki && cp {own}.pem /etc/disco/pki/host.pem && \
             cp {own}.key /etc/disco/pki/host.key && cp {ca}/ca.pem /etc/disco/pki/ca.pem"
        );
        locks.world.sh(&copy).succeeds();
        locks.world.setting("disco/dlm/url", URL);
        locks
    }

    /// Starts the server.
    pub fn start(&self, arguments: &str) {
        let line = format!(
            "rm -f {FOLDER}/ready; setsid python3 {FOLDER}/server.py {FOLDER} 8443 {arguments} \
             </dev/null >{FOLDER}/out 2>&1 &"
        );
        self.world.sh(&line).succeeds();
        let ready = format!("{FOLDER}/ready");
        self.world.wait_until("the lock server is there", || self.world.exists(&ready));
    }

    /// Ends the server.
    pub fn stop(&self) {
        self.world.sh(&format!("kill -KILL $(cat {FOLDER}/ready)")).succeeds();
    }

    /// Has the server misbehave: a file of that name with that content.
    pub fn knob(&self, name: &str, text: &str) {
        self.world.write(&format!("{FOLDER}/{name}"), text);
    }

    /// Whether the server was asked something with that in it since the last call of `asked`.
    pub fn was_asked(&self, text: &str) -> bool {
        self.world.run(&["grep", "-qF", "-e", text, &format!("{FOLDER}/log")]).status == Some(0)
    }

    /// What the server was asked since the last call: method, path, host, body, a line each.
    pub fn asked(&self) -> String {
        let take = format!("cat {FOLDER}/log 2>/dev/null; rm -f {FOLDER}/log; true");
        self.world.sh(&take).succeeds().stdout.clone()
    }

    /// `disco lock` of this node.
    pub fn lock(&self, words: &[&str]) -> Output {
        self.world.disco(&[&["lock"], words].concat())
    }

    /// `disco lock` of the other host, not yet run.
    pub fn other_command<'a>(&'a self, words: &[&str]) -> InWorld<'a> {
        let (cert, key) =
            (format!("{FOLDER}/ca/issued/{OTHER}.pem"), format!("{FOLDER}/ca/issued/{OTHER}.key"));
        let (first, rest) = words.split_at(1);
        let who = ["--home", "/tmp/other", "--url", URL, "--cert", &cert, "--key", &key];
        self.world.command(&[&["disco", "lock"], first, &who[..], rest].concat())
    }

    /// `disco lock` of the other host.
    pub fn other(&self, words: &[&str]) -> Output {
        self.other_command(words).run()
    }

    /// Whether this node has a note that it holds something.
    pub fn has_note(&self) -> bool {
        self.world.exists("/var/disco/cluster-lock/held.json")
    }
}
