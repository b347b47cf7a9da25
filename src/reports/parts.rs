//! The pieces of work of a run, one after the other, each with what it cost and its place in the run's time. Pure.

use crate::model::names::ModuleName;
use crate::model::run::RunRecord;
use crate::model::step::{Cost, Metrics, ModuleOutcome, ModuleRecord, StepKind, StepRecord};

/// What a piece of work is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// disco's own work for all modules.
    Disco,
    /// Fetching a module.
    Fetch,
    /// Laying a module's files.
    Files,
    /// A template.
    Template,
    /// A script.
    Exec,
    /// Finding the differences of a module.
    Diff,
    /// A validator.
    Validate,
}

impl Phase {
    /// Its word, which the classic report has for it too.
    pub fn word(self) -> &'static str {
        match self {
            Phase::Disco => "_internal",
            Phase::Fetch => "fetch",
            Phase::Files => "files",
            Phase::Template => "template",
            Phase::Exec => "exec",
            Phase::Diff => "diff",
            Phase::Validate => "validate",
        }
    }

    fn of(step: &StepKind) -> Phase {
        match step {
            StepKind::Files => Phase::Files,
            StepKind::Template { .. } => Phase::Template,
            StepKind::Script { .. } => Phase::Exec,
            StepKind::Validator { .. } => Phase::Validate,
        }
    }
}

/// When a piece of work began, in seconds since the run did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Began {
    /// The record says so.
    At(f64),
    /// It does not: after what came before it, as if nothing ran at the same time.
    About(f64),
}

impl Began {
    /// The seconds.
    pub fn seconds(self) -> f64 {
        match self {
            Began::At(seconds) | Began::About(seconds) => seconds,
        }
    }

    /// Whether the record says so.
    pub fn is_known(self) -> bool {
        matches!(self, Began::At(_))
    }
}

/// One piece of work.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// Of which module; `None` for disco's own.
    pub module: Option<&'a ModuleName>,
    /// What it is of.
    pub phase: Phase,
    /// The name of the step, or of the part of disco's own work; of the rest the word of its phase.
    pub name: &'a str,
    /// When it began.
    pub began: Began,
    /// What it cost.
    pub cost: &'a Cost,
    /// The step that it is, where it is one.
    pub step: Option<&'a StepRecord>,
}

impl<'a> Part<'a> {
    /// The name as tables have it: what is no step stands in brackets.
    pub fn label(&self) -> String {
        match (self.step, self.phase) {
            (Some(_), Phase::Validate) => format!("validate/{}", self.name),
            (Some(_), _) => self.name.to_owned(),
            (None, _) => format!("({})", self.name),
        }
    }

    /// The module, or `disco`.
    pub fn owner(&self) -> &'a str {
        self.module.map_or("disco", ModuleName::as_str)
    }

    /// When it ended, in seconds since the run began.
    pub fn ended(&self) -> f64 {
        self.began.seconds() + self.cost.time_real
    }

    /// What is known of it beside its cost.
    pub fn metrics(&self) -> Option<&'a Metrics> {
        self.step?.metrics.as_ref()
    }

    /// The most memory that it had, in bytes: of all its processes where that is known, else of the largest one.
    pub fn memory(&self) -> u64 {
        let own = self.cost.mem_max.saturating_mul(1024);
        self.metrics().and_then(|metrics| metrics.memory_peak).unwrap_or(0).max(own)
    }

    /// Bytes read from devices.
    pub fn read(&self) -> u64 {
        let blocks = self.cost.io_fsin.saturating_mul(512);
        self.metrics().and_then(|metrics| metrics.io_read).unwrap_or(blocks)
    }

    /// Bytes written to devices.
    pub fn written(&self) -> u64 {
        let blocks = self.cost.io_fsout.saturating_mul(512);
        self.metrics().and_then(|metrics| metrics.io_written).unwrap_or(blocks)
    }

    /// Seconds of CPU.
    pub fn cpu(&self) -> f64 {
        self.cost.time_user + self.cost.time_sys
    }

    /// The overlay's part of all the CPU that the step needed, itself and the overlay together, from 0 to 1.
    pub fn overlay_share(&self) -> Option<f64> {
        let overlay = self.metrics()?.overlay_cpu?;
        let all = self.cpu() + overlay;
        Some(if all > 0.0 { overlay / all } else { 0.0 })
    }
}

/// A module that was not run.
#[derive(Debug, Clone, Copy)]
pub struct Skipped<'a> {
    /// Which.
    pub module: &'a ModuleName,
    /// Because of which.
    pub because: &'a ModuleName,
}

/// Something in the order of a run.
#[derive(Debug, Clone, Copy)]
pub enum Entry<'a> {
    /// A piece of work.
    Part(Part<'a>),
    /// A module that was not run.
    Skipped(Skipped<'a>),
}

/// All of a run, in the order of its modules: disco's own work around it, and each module with all that is about it.
pub fn entries(record: &RunRecord) -> Vec<Entry<'_>> {
    let mut line = Line::default();
    line.disco(record, Place::Fetch);
    // All modules are fetched before any of them has its turn.
    let fetched: Vec<Began> = record
        .modules
        .iter()
        .map(|module| line.place(None, module.fetch.map_or(0.0, |cost| cost.time_real)))
        .collect();
    line.disco(record, Place::Prepare);
    for (module, fetched) in record.modules.iter().zip(fetched) {
        line.module(module, fetched);
    }
    line.disco(record, Place::Between);
    for validator in &record.validators {
        line.step(&validator.module, &validator.record);
    }
    line.disco(record, Place::Last);
    line.entries
}

/// The pieces of work alone.
pub fn parts(record: &RunRecord) -> Vec<Part<'_>> {
    let part = |entry| match entry {
        Entry::Part(part) => Some(part),
        Entry::Skipped(_) => None,
    };
    entries(record).into_iter().filter_map(part).collect()
}

/// How long the run took: between its two times, or, where it has no end, up to the end of its last piece of work.
pub fn duration(record: &RunRecord) -> f64 {
    let last = parts(record).iter().map(Part::ended).fold(0.0, f64::max);
    seconds(record).unwrap_or(0.0).max(last)
}

/// How long the run took; `None` where it has no end, or a time that is none.
pub fn seconds(record: &RunRecord) -> Option<f64> {
    let time = |text: &str| text.parse::<jiff::Timestamp>().ok();
    let (started, ended) = (time(&record.started)?, time(record.ended.as_deref()?)?);
    Some(ended.duration_since(started).as_secs_f64())
}

/// Where a part of disco's own work stands among what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Before the modules are fetched.
    Fetch,
    /// Before the first of them has its turn.
    Prepare,
    /// Between modules and validators.
    Between,
    /// After all of them.
    Last,
}

impl Place {
    fn of(part: &str) -> Place {
        match part {
            "fetch_params" => Place::Fetch,
            "plan" | "sandbox" => Place::Prepare,
            "validators" => Place::Between,
            _ => Place::Last,
        }
    }
}

/// A run as it is laid out, up to some moment of it.
#[derive(Debug, Default)]
struct Line<'a> {
    entries: Vec<Entry<'a>>,
    now: f64,
}

impl<'a> Line<'a> {
    fn place(&mut self, began: Option<f64>, takes: f64) -> Began {
        let began = began.map_or(Began::About(self.now), Began::At);
        self.now = began.seconds() + takes;
        began
    }

    fn disco(&mut self, record: &'a RunRecord, place: Place) {
        for internal in record.internal.iter().filter(|internal| Place::of(&internal.part) == place) {
            let began = self.place(internal.began, internal.cost.time_real);
            self.push(None, Phase::Disco, &internal.part, began, &internal.cost);
        }
    }

    fn module(&mut self, record: &'a ModuleRecord, fetched: Began) {
        let module = Some(&record.module);
        if let Some(cost) = &record.fetch {
            self.push(module, Phase::Fetch, "fetch", fetched, cost);
        }
        if let ModuleOutcome::Skipped { because } = &record.outcome {
            self.entries.push(Entry::Skipped(Skipped { module: &record.module, because }));
        }
        self.now = record.began.unwrap_or(self.now);
        for step in &record.steps {
            self.step(&record.module, step);
        }
        if let Some(cost) = &record.diff {
            let began = self.place(None, cost.time_real);
            self.push(module, Phase::Diff, "diff", began, cost);
        }
    }

    fn step(&mut self, module: &'a ModuleName, step: &'a StepRecord) {
        let began = self.place(step.began, step.cost.time_real);
        let (phase, name) = (Phase::of(&step.step), step.step.label());
        let part = Part { module: Some(module), phase, name, began, cost: &step.cost, step: Some(step) };
        self.entries.push(Entry::Part(part));
    }

    fn push(
        &mut self,
        module: Option<&'a ModuleName>,
        phase: Phase,
        name: &'a str,
        began: Began,
        cost: &'a Cost,
    ) {
        self.entries.push(Entry::Part(Part { module, phase, name, began, cost, step: None }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reports::sample;

    #[test]
    fn what_has_no_time_stands_after_what_came_before_it() {
        let mut record = sample::run(1, [0.5, 2.0]);
        let began = |record: &RunRecord| -> Vec<(String, Began)> {
            parts(record).iter().map(|part| (part.label(), part.began)).collect()
        };
        let known = began(&record);
        assert_eq!(known[2], ("20-slow".into(), Began::At(1.5)));
        record.modules[0].steps.iter_mut().for_each(|step| step.began = None);
        record.internal[0].began = None;
        let about = began(&record);
        assert_eq!(
            about.iter().map(|(_, began)| *began).collect::<Vec<_>>(),
            [0.0, 0.5, 1.0].map(Began::About)
        );
        assert_eq!(duration(&record), 3.6);
        record.ended = None;
        assert_eq!(duration(&record), 3.0);
    }

    #[test]
    fn what_the_cgroup_says_comes_before_what_one_process_says() {
        let record = sample::run(1, [0.5, 2.0]);
        let parts = parts(&record);
        assert_eq!((parts[1].memory(), parts[2].memory()), (2 << 20, 300 << 20));
        assert_eq!((parts[1].read(), parts[1].written()), (2048, 0));
        assert_eq!((parts[1].overlay_share(), parts[2].overlay_share()), (None, Some(0.25)));
    }
}
