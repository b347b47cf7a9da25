//! What disco's own work costs, part by part, in the record of a run under way.

use std::time::Instant;

use crate::model::run::InternalCost;
use crate::model::step::Cost;
use crate::sys::clock::{Meter, Timed};

use super::{DanceEvent, Run};

impl Run<'_> {
    /// Seconds since the run began.
    pub(in crate::ops) fn seconds(&self) -> f64 {
        self.seconds_at(Instant::now())
    }

    /// The same, of some time since.
    pub(super) fn seconds_at(&self, time: Instant) -> f64 {
        time.saturating_duration_since(self.began).as_secs_f64()
    }

    /// Does a part of disco's own work, and keeps what it cost, with what that part has cost before.
    pub(in crate::ops) fn metered<T>(&mut self, part: &str, work: impl FnOnce(&mut Self) -> T) -> T {
        let meter = Meter::start();
        let result = work(self);
        self.took(part, meter.timed());
        result
    }

    /// The same with a phase of the merge, which is a part of that part.
    pub(super) fn merging<T>(&mut self, phase: &str, work: impl FnOnce() -> T) -> T {
        let meter = Meter::start();
        let result = work();
        let timed = meter.timed();
        (self.on_event)(DanceEvent::Spent { part: &format!("merge, {phase}"), cost: &timed.cost });
        self.keep_cost("merge", timed);
        let phase = InternalCost::new(phase, self.seconds_at(timed.began), timed.cost);
        self.record.merge_phases.push(phase);
        result
    }

    /// Tells and keeps what a part took.
    pub(super) fn took(&mut self, part: &str, timed: Timed) {
        (self.on_event)(DanceEvent::Spent { part, cost: &timed.cost });
        self.keep_cost(part, timed);
    }

    fn keep_cost(&mut self, part: &str, Timed { began, cost }: Timed) {
        let began = self.seconds_at(began);
        match self.record.internal.iter_mut().find(|known| known.part == part) {
            Some(known) => {
                let time_real = known.cost.time_real + cost.time_real;
                known.cost = Cost { time_real, ..known.cost.with(cost) };
            }
            None => self.record.internal.push(InternalCost::new(part, began, cost)),
        }
    }
}
