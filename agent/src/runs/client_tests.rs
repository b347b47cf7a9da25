//! The client against a real socket, and against whoever else may be there.

use std::os::unix::net::UnixListener;
use std::thread;

use super::*;
use crate::runs::state::State;

fn state() -> RunState {
    RunState {
        id: TriggerId::of([7; 16]),
        noop: true,
        modules: vec!["web".to_owned()],
        by: vec!["ci".to_owned()],
        state: State::Running,
        asked: 1,
        began: Some(2),
        ended: None,
        run: None,
    }
}

/// A helper that gives one connection these bytes, and returns the line that it was asked.
fn helper(reply: Vec<u8>) -> (tempfile::TempDir, Client, thread::JoinHandle<String>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let served = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let (asked, _) = line::receive(&stream, PATIENCE).unwrap();
        line::send(&stream, &reply, PATIENCE).unwrap();
        asked
    });
    (folder, Client::new(path), served)
}

fn said(answer: &Answer) -> Vec<u8> {
    (serde_json::to_string(answer).unwrap() + "\n").into_bytes()
}

#[test]
fn a_question_has_one_line_and_so_has_its_answer() {
    let (_folder, client, served) = helper(said(&Answer::Run(state())));
    let ask = Ask::Status { id: state().id, wait: 5 };
    assert_eq!(client.run(&ask).unwrap(), state());
    let id = state().id;
    assert_eq!(served.join().unwrap(), format!(r#"{{"verb":"status","id":"{id}","wait":5}}"#));
}

#[test]
fn a_log_follows_its_run() {
    let mut reply = said(&Answer::Run(state()));
    reply.extend_from_slice(b"info: one\ninfo: two\n");
    let (_folder, client, served) = helper(reply);
    let (run, mut log) = client.log(&state().id, 0).unwrap();
    let mut text = String::new();
    log.read_to_string(&mut text).unwrap();
    assert_eq!((run, text.as_str()), (state(), "info: one\ninfo: two\n"));
    assert!(served.join().unwrap().contains(r#""verb":"log""#));
}

#[test]
fn a_log_that_nobody_wants_any_more_ends() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let served = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        line::receive(&stream, PATIENCE).unwrap();
        line::send(&stream, &said(&Answer::Run(state())), PATIENCE).unwrap();
        // It says nothing more, and waits until the other end has gone.
        assert!(matches!(line::receive(&stream, PATIENCE), Err(LineError::Short)));
    });
    let (_, mut log) = Client::new(path).log(&state().id, 0).unwrap();
    let stopper = log.stopper().unwrap();
    let reader = thread::spawn(move || log.read(&mut [0; 16]).unwrap());
    thread::sleep(Duration::from_millis(50));
    stopper.stop();
    assert_eq!(reader.join().unwrap(), 0);
    served.join().unwrap();
}

#[test]
fn what_goes_wrong_has_a_name() {
    let refused = Answer::Refused { why: Refusal::Unknown, message: "there is no such run".to_owned() };
    for (reply, wanted) in [
        (said(&refused), "there is no such run"),
        (said(&Answer::Runs { runs: vec![] }), "another question"),
        (b"{}\n".to_vec(), "another question"),
        (b"{\"answer\":\"run\"".to_vec(), "gives no answer"),
    ] {
        let (_folder, client, served) = helper(reply);
        let error = client.run(&Ask::Status { id: state().id, wait: 0 }).unwrap_err();
        assert!(error.to_string().contains(wanted), "{wanted}: {error}");
        served.join().unwrap();
    }
    let error = Client::new("/nowhere/agent.sock").standing().unwrap_err();
    assert!(matches!(error, ClientError::Unreachable { .. }), "{error}");
}
