//! What the steps of a run print, kept in files beside its record.

use std::collections::BTreeMap;
use std::path::Path;

use crate::model::names::ModuleName;
use crate::model::step::{StepKind, StepRecord, Stream};
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
    ) -> Output<'a> {
        Output { run, module, prefix, first, batch, logs: BTreeMap::new(), error: None }
    }

    /// Keeps a line of a step, by its place in the batch.
    pub(super) fn line(&mut self, at: usize, stream: Stream, text: &str) {
        let log = self.logs.entry(at).or_insert_with(|| {
            let (step, module, prefix) = (self.batch[at].label().replace('/', "_"), self.module, self.prefix);
            LineLog::new(self.run, format!("output/{module}/{prefix}{:03}-{step}.log.gz", self.first + at))
        });
        let written = log.line(stream, text);
        self.error = self.error.take().or(written.err());
    }

    /// Closes the files, and puts their names into the records.
    pub(super) fn finish(self, records: &mut [StepRecord]) -> Result<(), FileError> {
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
