//! What a dance tells while it goes on. Whoever prints decides on the words.

use std::path::Path;

use crate::merge::{Recovered, Way};
use crate::model::action::{Action, Effect};
use crate::model::attempt::Attempt;
use crate::model::change::ChangeSet;
use crate::model::duty::{Duty, Schedule};
use crate::model::names::{ModuleName, RunId};
use crate::model::path::RootedPath;
use crate::model::root::LiveRoot;
use crate::model::run::RunRecord;
use crate::model::step::{Cost, Outcome, StepRecord, Stream};
use crate::model::truth::Label;

/// What a dance is doing from now on, for somebody who waits; whoever does not tell it leaves nothing out.
#[derive(Debug, Clone, Copy)]
pub enum Doing<'a> {
    /// It fetches modules from the master.
    FetchingModules {
        /// How many are there.
        done: usize,
        /// How many are known to be needed so far.
        of: usize,
    },
    /// A step runs.
    Step {
        /// Which.
        step: &'a str,
        /// Its place in the module, from 1.
        at: usize,
        /// How many the module has.
        of: usize,
    },
    /// It looks for what the module has changed.
    Comparing,
    /// It merges.
    Merging {
        /// How many objects differ.
        changes: usize,
    },
    /// It does something on the live system.
    Executing {
        /// What.
        duty: &'a Duty,
    },
}

/// Something that a dance did, or that was done in it.
#[derive(Debug, Clone, Copy)]
pub enum DanceEvent<'a> {
    /// It does something that may take its time.
    Doing(Doing<'a>),
    /// Another live run holds the run lock, and this one waits for it.
    Waiting {
        /// Who holds it, in its own words.
        holder: &'a str,
    },
    /// Something became of the cluster's lock.
    Lock {
        /// Its name.
        lock: &'a str,
        /// What, in words.
        what: &'a str,
    },
    /// Something that whoever starts runs should know.
    Warned {
        /// What, in words.
        message: &'a str,
    },
    /// What a killed run had left was removed.
    Swept {
        /// Where it was.
        path: &'a Path,
    },
    /// A merge that was stopped in the middle was finished, or what it had prepared was taken back.
    Recovered {
        /// The run that it was of.
        run: &'a RunId,
        /// Which of the two.
        how: &'a Recovered,
    },
    /// It fetches from the master.
    Fetching {
        /// The master's address.
        from: &'a str,
    },
    /// The run has its order of modules.
    Planned {
        /// The run.
        run: &'a RunId,
        /// The root that it is about.
        root: &'a LiveRoot,
        /// How many modules there are.
        modules: usize,
    },
    /// A module begins.
    Processing {
        /// Which.
        module: &'a ModuleName,
        /// Its place, from 1.
        at: usize,
    },
    /// A step printed a line.
    Line {
        /// The module.
        module: &'a ModuleName,
        /// The step.
        step: &'a str,
        /// Where.
        stream: Stream,
        /// What.
        text: &'a str,
        /// Whether the next line is at hand already.
        more: bool,
    },
    /// A step asked for an effect on the running system; it was recorded and not made.
    Asked {
        /// For what.
        action: &'a Action,
        /// Of which root; only on the node's own will it be run.
        root: &'a LiveRoot,
    },
    /// A step has ended that tried to do something to the world outside, and was kept from it.
    Tried {
        /// The module.
        module: &'a ModuleName,
        /// The step.
        step: &'a str,
        /// What it tried, and how often.
        attempt: &'a Attempt,
    },
    /// A step has ended whose report is less than exact.
    Labelled {
        /// The module.
        module: &'a ModuleName,
        /// The step.
        step: &'a str,
        /// How true it is, and why.
        label: &'a Label,
    },
    /// A step has ended, however it did.
    StepEnded {
        /// The module.
        module: &'a ModuleName,
        /// All that is known of it.
        record: &'a StepRecord,
    },
    /// A part of disco's own work is done.
    Spent {
        /// Which part.
        part: &'a str,
        /// What it cost.
        cost: &'a Cost,
    },
    /// The run has ended, and its record is on disk.
    Ended {
        /// That record.
        record: &'a RunRecord,
    },
    /// An earlier run has come to its end: it had been stopped, or waited to be confirmed.
    Settled {
        /// Its record.
        record: &'a RunRecord,
    },
    /// A step failed; its module ends here.
    StepFailed {
        /// The module.
        module: &'a ModuleName,
        /// The step.
        step: &'a str,
        /// How.
        outcome: &'a Outcome,
    },
    /// A module is not run, because one that it needs did not succeed.
    Skipped {
        /// The module.
        module: &'a ModuleName,
        /// The one that it needs.
        because: &'a ModuleName,
    },
    /// What a module changed.
    Changed {
        /// The module.
        module: &'a ModuleName,
        /// Against the state before it.
        changes: &'a ChangeSet,
        /// How true that is.
        label: &'a Label,
    },
    /// The validators of a module begin; what they print and try is told as of steps.
    Validating {
        /// Which module.
        module: &'a ModuleName,
    },
    /// A validator has ended; where it failed nothing is merged.
    Validated {
        /// The module.
        module: &'a ModuleName,
        /// The validator, as `validate/NAME`.
        validator: &'a str,
        /// How.
        outcome: &'a Outcome,
    },
    /// What the run has shown is kept as a plan.
    Saved {
        /// In which file.
        file: &'a Path,
        /// sha256 of the file, in hex.
        digest: &'a str,
        /// How many bytes it has.
        size: u64,
    },
    /// A place gets again what it held before a merge that is undone.
    Restoring {
        /// Where.
        path: &'a RootedPath,
        /// How that changes it.
        way: Way,
    },
    /// Everything is merged.
    Merged {
        /// How many objects differ.
        changes: usize,
    },
    /// Everything is merged, and is taken back unless somebody confirms it.
    Unconfirmed {
        /// Until when: seconds since 1970.
        until: u64,
    },
    /// Something that the merge left out, and why.
    NotMerged {
        /// Where.
        path: &'a RootedPath,
        /// Why.
        why: &'a str,
    },
    /// Something that the merge replaces although somebody has changed it, as the user wants; an undo brings it back.
    MergedOver {
        /// Where.
        path: &'a RootedPath,
        /// What somebody has changed.
        what: &'a str,
    },
    /// Everything is merged, and the recorded actions were not run.
    NotExecuted {
        /// How many they are.
        actions: usize,
        /// Why.
        why: &'a str,
    },
    /// All modules have had their turn: this is done on the live system around the merge.
    Scheduled {
        /// What, in its order.
        schedule: &'a Schedule,
        /// Of which root; only on the node's own anything is done.
        root: &'a LiveRoot,
    },
    /// The merge was taken back.
    Undone {
        /// Why.
        reason: &'a str,
    },
    /// A command has brought a service or a setting to where it was before the run.
    BroughtBack {
        /// Which.
        effect: &'a Effect,
        /// How it went.
        outcome: &'a Outcome,
        /// What it printed.
        output: &'a str,
    },
    /// Something was done on the live system.
    Executed {
        /// What.
        duty: &'a Duty,
        /// The last action that it does, where steps have asked for it.
        action: Option<&'a Action>,
        /// How it went.
        outcome: &'a Outcome,
        /// What it printed.
        output: &'a str,
    },
}
