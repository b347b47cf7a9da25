//! Subsystems that are slow, hang, fail and panic, asked in the background in real time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::face::builtin::Subsystem;
use crate::face::stage::{board, feature, load, spec};
use crate::face::trust::Trust;
use crate::face::watch::{Pace, watch};
use crate::face::{Ask, Board, Feature, Standing};

/// A back end that does as the number of the question says.
struct Odd {
    asked: AtomicUsize,
    at_once: AtomicUsize,
    most: AtomicUsize,
    does: fn(usize) -> Result<Vec<String>, String>,
}

fn odd(does: fn(usize) -> Result<Vec<String>, String>) -> Arc<Odd> {
    Arc::new(Odd { asked: 0.into(), at_once: 0.into(), most: 0.into(), does })
}

struct Leave<'a>(&'a AtomicUsize);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Ask for Odd {
    fn name(&self) -> &str {
        "odd"
    }

    fn ask(&self) -> Result<Vec<String>, String> {
        let now = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        let _leave = Leave(&self.at_once);
        (self.does)(self.asked.fetch_add(1, Ordering::SeqCst))
    }
}

const PACE: Pace = Pace { every: Duration::from_millis(20), deadline: Duration::from_millis(100) };

fn up(ask: Arc<Odd>) -> Arc<Board> {
    let subsystem = Subsystem::new(spec("x", &["static"]), Box::new(|| Standing::Running));
    let feature: Arc<dyn Feature> = Arc::new(subsystem.asking(ask));
    let board = board(vec![feature], Trust::default());
    load(&board, &[("x", ":enabled: true\n")]);
    board
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let from = Instant::now();
    while !holds() {
        assert!(from.elapsed() < Duration::from_secs(20), "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn shown(board: &Board) -> (&'static str, Vec<String>) {
    let entry = board.v2().0.remove(0).1;
    (entry.state, entry.capabilities)
}

fn failed(board: &Board) -> String {
    let logs: serde_json::Value = serde_json::from_slice(&board.logs(0.0).expect("logs")).expect("JSON");
    logs["info"]["failed_modules"]["x"].as_str().unwrap_or_default().to_owned()
}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(test);
}

#[test]
fn one_that_hangs_holds_one_thread_and_no_reply() {
    run(async {
        let ask = odd(|number| {
            std::thread::sleep(Duration::from_millis(if number == 0 { 0 } else { 600 }));
            Ok(vec![format!("n{number}")])
        });
        let board = up(Arc::clone(&ask));
        let watching = watch(&board, PACE);
        until("the first answer", || shown(&board) == ("running", vec!["n0".into(), "static".into()])).await;
        until("it is late", || failed(&board).contains("no answer within 0.1 s")).await;
        assert!(failed(&board).contains("is kept: n0"), "{}", failed(&board));
        let from = Instant::now();
        for _ in 0..100 {
            assert_eq!(shown(&board).1, ["n0", "static"]);
        }
        assert!(from.elapsed() < Duration::from_millis(100), "a reply waits for nobody");
        // What comes too late is taken when it comes.
        until("the late answer", || shown(&board).1 == ["n1", "static"]).await;
        assert_eq!(ask.most.load(Ordering::SeqCst), 1, "asked twice at once");
        drop(watching);
    });
}

#[test]
fn one_that_panics_or_fails_is_asked_again() {
    run(async {
        let ask = odd(|number| match number {
            0 => panic!("on purpose"),
            1 => Err(String::from("refused")),
            _ => Ok(vec![String::from("good")]),
        });
        let board = up(ask);
        // A panic takes its time where its trace is printed.
        let watching = watch(&board, Pace { deadline: Duration::from_secs(15), ..PACE });
        until("it answers", || shown(&board) == ("running", vec!["good".into(), "static".into()])).await;
        until("the mark goes", || failed(&board).is_empty()).await;
        let said = board
            .log
            .read(|ring| ring.from(0.0).map(|record| record.message.clone()).collect::<Vec<_>>().join("\n"));
        for part in ["cannot be had: it has panicked", "cannot be had: refused", "are had again"] {
            assert!(said.contains(part), "{part}: {said}");
        }
        drop(watching);
    });
}

#[test]
fn a_subsystem_that_does_not_say_how_it_stands_has_failed_until_it_does() {
    run(async {
        let asked = AtomicUsize::new(0);
        let stands = move || match asked.fetch_add(1, Ordering::SeqCst) {
            0 => Standing::Starting,
            1 => panic!("on purpose"),
            2 => {
                std::thread::sleep(Duration::from_millis(300));
                Standing::Running
            }
            _ => Standing::Running,
        };
        let feature: Arc<dyn Feature> = Arc::new(Subsystem::new(spec("x", &[]), Box::new(stands)));
        let board = board(vec![feature], Trust::default());
        load(&board, &[("x", ":enabled: true\n")]);
        let watching = watch(&board, PACE);
        until("it fails", || shown(&board).0 == "failed").await;
        until("it is late", || failed(&board).contains("no answer within")).await;
        until("it runs", || shown(&board).0 == "running").await;
        // What is read while it is asked begins anew.
        load(&board, &[("x", ":enabled: false\n")]);
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(shown(&board).0, "disabled");
        drop(watching);
    });
}

#[test]
fn what_is_switched_on_is_asked_at_once() {
    run(async {
        let board = board(vec![feature(spec("x", &[]), Standing::Running)], Trust::default());
        load(&board, &[("x", ":enabled: false\n")]);
        let watching = watch(&board, Pace { every: Duration::from_secs(600), ..PACE });
        tokio::time::sleep(Duration::from_millis(50)).await;
        load(&board, &[("x", ":enabled: true\n")]);
        until("it runs", || shown(&board).0 == "running").await;
        drop(watching);
    });
}
