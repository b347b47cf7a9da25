//! What the steps of a run print, kept in files beside its record.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use crate::model::names::ModuleName;
use crate::model::step::{StepKind, StepRecord, Stream};
use crate::ops::secrets::Opened;
use crate::secrets::{Carry, known};
use crate::sys::files::FileError;
use crate::sys::line_log::LineLog;

/// What the steps of a batch print, each in a file of its own.
#[derive(Debug)]
pub(super) struct Output<'a> {
    run: &'a Path,
    module: &'a ModuleName,
    /// What the names of its files begin with, so that those of no two steps meet.
    prefix: &'a str,
    /// The place of the batch's first step in its module.
    first: usize,
    batch: &'a [StepKind],
    logs: BTreeMap<usize, LineLog>,
    /// What secrets may go on in the next line of a step.
    carries: BTreeMap<(usize, bool), Carry>,
    opened: &'a mut Opened,
    /// What went wrong first; it is told when the steps have ended.
    error: Option<FileError>,
}

impl<'a> Output<'a> {
    /// Of a batch in the run of that folder.
    pub(super) fn new(
        run: &'a Path,
        module: &'a ModuleName,
        prefix: &'a str,
        first: usize,
        batch: &'a [StepKind],
        opened: &'a mut Opened,
    ) -> Output<'a> {
        let (logs, carries) = (BTreeMap::new(), BTreeMap::new());
        Output { run, module, prefix, first, batch, logs, carries, opened, error: None }
    }

    /// Has what steps have read until now known as secrets, where it is: before anything that they have said is told.
    pub(super) fn look(&mut self) {
        self.opened.look();
    }

    /// Keeps a line of a step, by its place in the batch, and returns it as the user may see it.
    pub(super) fn line<'t>(&mut self, at: usize, stream: Stream, text: &'t str) -> Cow<'t, str> {
        self.look();
        let carry = self.carries.entry((at, stream == Stream::Stdout)).or_default();
        let (kept, shown) = known::line(carry, text);
        let log = self.logs.entry(at).or_insert_with(|| {
            let (step, module, prefix) = (self.batch[at].label().replace('/', "_"), self.module, self.prefix);
            LineLog::new(self.run, format!("output/{module}/{prefix}{:03}-{step}.log.gz", self.first + at))
        });
        let written = log.line(stream, &kept);
        self.error = self.error.take().or(written.err());
        shown
    }

    /// Closes the files, and puts their names into the records.
    pub(super) fn finish(self, records: &mut [StepRecord]) -> Result<(), FileError> {
        self.opened.ended();
        if let Some(error) = self.error {
            return Err(error);
        }
        for (at, log) in self.logs {
            records[at].output = log.written().map(str::to_owned);
            log.finish()?;
        }
        Ok(())
    }
}
