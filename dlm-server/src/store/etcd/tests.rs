//! Tests of the store with real members of etcd.

mod cluster_tests;
mod equal_tests;
mod faults_tests;
mod race_tests;
mod time_tests;
mod whole_tests;

use std::sync::Mutex;
use std::time::Duration;

use disco_dlm::model::{HostName, LockName, Policy, Requester, Slots, Time, UserName};
use disco_dlm::rules::{NotHeld, Operation, Outcome};

use super::clock::Clock;
use crate::store::{Ask, Which};

/// A clock to play with: the time of day, and the time that passes.
pub struct HandClock(Mutex<(Time, Duration)>);

impl HandClock {
    /// At so many seconds after 1970.
    pub fn at(seconds: i64) -> HandClock {
        HandClock(Mutex::new((Time::new(seconds, 0), Duration::ZERO)))
    }

    /// Time passes.
    pub fn pass(&self, seconds: u64) {
        let (now, passed) = &mut *self.0.lock().unwrap();
        *now = now.after(disco_dlm::model::Seconds(seconds));
        *passed += Duration::from_secs(seconds);
    }

    /// The time of day is put forward or back; no time passes.
    pub fn step(&self, seconds: i64) {
        let (now, _) = &mut *self.0.lock().unwrap();
        *now = Time::new(now.seconds() + seconds, now.nanoseconds());
    }
}

impl Clock for HandClock {
    fn now(&self) -> Time {
        self.0.lock().unwrap().0
    }

    fn passed(&self) -> Duration {
        self.0.lock().unwrap().1
    }
}

pub fn host(name: &str) -> HostName {
    HostName::new(name).unwrap()
}

pub fn lock(name: &str) -> LockName {
    LockName::new(name).unwrap()
}

pub fn admin() -> Requester {
    Requester::User(UserName::new("admin").unwrap())
}

pub fn ask(name: &str, requester: Requester, operation: Operation) -> Ask {
    Ask { which: Which::Named(lock(name)), requester, operation }
}

pub fn acquire(name: &str, by: &str) -> Ask {
    ask(name, Requester::Host(host(by)), Operation::Acquire { note: String::new() })
}

pub fn release(name: &str, by: &str) -> Ask {
    let operation = Operation::Release { outcome: Outcome::Ok, token: None, not_held: NotHeld::Refuse };
    ask(name, Requester::Host(host(by)), operation)
}

pub fn slots(name: &str, slots: u32) -> Ask {
    ask(name, admin(), Operation::SetPolicy(Policy { slots: Slots::Number(slots), ..Policy::default() }))
}

pub fn create(name: &str) -> Ask {
    let operation = Operation::Create { kind: disco_dlm::model::Kind::Update, enabled: true, holder: None };
    ask(name, admin(), operation)
}
