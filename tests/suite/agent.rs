//! The agent's helper and its runners on a node: what is asked for runs, once at a time; whatever is killed, what is told is true.

mod asking;
mod boot;
mod daemons;
mod joined;
mod kills;
mod merges;
mod registered;
mod rights;
mod service;
mod truth;

use std::time::Duration;

use disco_agent::runs::{Answer, Ask, Client, ClientError, Refusal, RunState, State, TriggerId};

use crate::world::{Running, World};

const SOCKET: &str = "/run/disco/agent.sock";

/// A step without an end.
const ENDLESS: &str = "echo begun; echo x >/etc/from-step; exec sleep 8764";

/// A node with a helper.
struct Node<'a> {
    world: &'a World,
    helper: Running<'a>,
    client: Client,
}

impl<'a> Node<'a> {
    fn new(world: &'a World) -> Node<'a> {
        let helper = start(world);
        Node { world, helper, client: client(world) }
    }

    /// The helper is killed, and another one started.
    fn again(self) -> Node<'a> {
        let Node { world, helper, client } = self;
        helper.signal("KILL");
        let out = helper.wait();
        assert_eq!(out.signal, Some(9), "{out}");
        Node { world, helper: start(world), client }
    }

    fn ask(&self, noop: bool, modules: &[&str]) -> RunState {
        self.client.run(&wish(noop, modules, "ci")).expect("the helper answers")
    }

    fn look(&self, id: &TriggerId) -> RunState {
        self.client.run(&Ask::Status { id: id.clone(), wait: 0 }).expect("the helper answers")
    }

    /// How a run stands when it has ended.
    #[track_caller]
    fn end(&self, id: &TriggerId) -> RunState {
        let state = self.client.run(&Ask::Status { id: id.clone(), wait: 60 }).expect("the helper answers");
        assert!(state.state.is_end(), "{state:?}\n{}", self.log(id));
        state
    }

    fn abort(&self, id: &TriggerId) -> RunState {
        self.client.run(&Ask::Abort { id: id.clone(), by: "bob".to_owned() }).expect("the helper answers")
    }

    /// What a run has printed, once it has ended.
    fn log(&self, id: &TriggerId) -> String {
        let (_, mut log) = self.client.log(id, 0).expect("the helper answers");
        std::io::read_to_string(&mut log).expect("the helper answers")
    }

    fn until_step(&self) {
        self.world.wait_until("the step runs", || in_step(self.world));
    }

    fn until_no_step(&self) {
        self.world.wait_until("the step has ended", || !in_step(self.world));
    }
}

fn in_step(world: &World) -> bool {
    world.processes().iter().any(|line| line.ends_with("sleep 8764"))
}

fn client(world: &World) -> Client {
    Client::new(format!("/proc/{}/root{SOCKET}", world.pid()))
}

fn start(world: &World) -> Running<'_> {
    let helper = world.spawn(&["disco", "agent", "helper"]);
    let client = client(world);
    world.wait_until("the helper answers", || client.list().is_ok());
    helper
}

fn wish(noop: bool, modules: &[&str], by: &str) -> Ask {
    let modules = modules.iter().map(|name| (*name).to_owned()).collect();
    Ask::Run { noop, modules, by: by.to_owned(), key: None, alone: false }
}

/// The pids of the processes whose command lines hold that.
fn pids(world: &World, words: &str) -> Vec<String> {
    let all = world.processes();
    let found = all.iter().filter(|line| line.contains(words) && !line.contains("timeout"));
    found.filter_map(|line| line.split(' ').next().map(str::to_owned)).collect()
}

#[track_caller]
fn kill(world: &World, words: &str) {
    let pids = pids(world, words);
    assert_eq!(pids.len(), 1, "{words}: {:#?}", world.processes());
    world.run(&["kill", "-s", "KILL", &pids[0]]).succeeds();
}
