//! Tells monitors how runs end: the file in disco's home, the one for Prometheus, the log of the node's system. Whatever of that
//! cannot be done is a warning, and changes nothing of the run.

use std::path::PathBuf;

use crate::model::root::LiveRoot;
use crate::model::run::{RunOutcome, RunRecord};
use crate::model::told::in_full;
use crate::monitors::{self, LastRun, Message, State};
use crate::ops::dance::DanceEvent;
use crate::ops::upload::Uploads;
use crate::secrets::known;
use crate::settings::{Log, Settings};
use crate::sys::clock;
use crate::sys::files::{self, FileError, Ownership, Synced};
use crate::sys::lock::Lock;
use crate::sys::system_log;

/// Who hears how the runs of a command end, and tells it when that does.
#[derive(Debug)]
pub struct Monitors {
    command: &'static str,
    home: PathBuf,
    textfile: Option<PathBuf>,
    log: Log,
    /// The ends of earlier runs that this command has brought about.
    settled: Vec<State>,
    /// The end of the command's own run.
    own: Option<State>,
    /// Who is told beyond this node.
    uploads: Option<Uploads>,
}

impl Monitors {
    /// Of that command, which has these settings.
    pub fn new(command: &'static str, settings: &Settings) -> Monitors {
        Monitors {
            command,
            home: settings.home.value.clone(),
            textfile: settings.textfile.value.clone(),
            log: settings.log.value,
            settled: Vec::new(),
            own: None,
            uploads: Uploads::new(command, settings),
        }
    }

    /// Hears of something that a run tells.
    pub fn hear(&mut self, event: &DanceEvent<'_>) {
        if let Some(uploads) = &mut self.uploads {
            uploads.hear(event);
        }
        match event {
            DanceEvent::Ended { record } => self.own = Some(State::of(record, self.command, 0)),
            DanceEvent::Settled { record } => {
                self.settled.push(State::of(record, self.command, status(record)));
            }
            _ => {}
        }
    }

    /// Tells all that there is to tell. The command ends with that exit status, and, where it could not do its part, because
    /// of that. Returns what went wrong with telling it.
    pub fn tell(self, exit: i32, trouble: Option<&str>) -> Vec<String> {
        let mut warnings = Vec::new();
        let own = self.own.map(|state| State { exit, ..state });
        let mut messages: Vec<Message> = self.settled.iter().chain(&own).map(Message::from).collect();
        if let (None, Some(why)) = (&own, trouble) {
            // The user may have been shown it.
            messages.push(monitors::not_run(self.command, &known::hider().text(why), exit));
        }
        // What is done to an image says nothing about this node.
        let of_node = |state: &State| state.root == LiveRoot::Own;
        let states: Vec<State> = self.settled.into_iter().chain(own).filter(of_node).collect();
        if !states.is_empty() {
            let written = write(&self.home, self.textfile.as_deref(), states);
            warnings.extend(written.err().map(|why| format!("monitors are not told: {why}")));
        }
        for message in &messages {
            let told = log(self.log, message);
            warnings.extend(told.err().map(|why| format!("the system's log is not told: {why}")));
        }
        // Last: it may wait for a server.
        warnings.extend(self.uploads.into_iter().flat_map(|uploads| uploads.tell(exit)));
        warnings
    }
}

/// The exit status that the end of an earlier run would have had.
fn status(record: &RunRecord) -> i32 {
    match &record.outcome {
        RunOutcome::Shown | RunOutcome::Merged | RunOutcome::Unconfirmed { .. } => 0,
        RunOutcome::Interrupted { signal } => 128 + signal,
        RunOutcome::Failed
        | RunOutcome::ActionFailed
        | RunOutcome::Undone { .. }
        | RunOutcome::Unfinished
        | RunOutcome::NotStarted { .. }
        | RunOutcome::MergeFailed { .. } => 1,
    }
}

/// Writes both files. One at a time does so: a NOOP run that ends beside a live one would bring back what it had read of that.
fn write(
    home: &std::path::Path,
    textfile: Option<&std::path::Path>,
    states: Vec<State>,
) -> Result<(), String> {
    let path = home.join("last-run.json");
    let holder = format!("pid {}", std::process::id());
    let stop = std::sync::atomic::AtomicBool::new(false);
    let _lock = Lock::take(&home.join("last-run-lock"), &holder, Some(&stop), &mut |_| {})
        .map_err(|error| in_full(&error))?;
    let told = |error: FileError| in_full(&error);
    let text = files::read_if_there(&path).map_err(told)?.unwrap_or_default();
    let mut last = LastRun::parse(&text).unwrap_or_default();
    states.into_iter().for_each(|state| last.take(state));
    let text = last.text().map_err(|error| error.to_string())?;
    // Whoever watches a node is not root.
    files::write_synced(&path, text.as_bytes(), Ownership::New(0o644), Synced::Content).map_err(told)?;
    match textfile {
        Some(file) => {
            let text = monitors::text(&last);
            files::write_synced(file, text.as_bytes(), Ownership::New(0o644), Synced::Content).map_err(told)
        }
        None => Ok(()),
    }
}

fn log(log: Log, message: &Message) -> Result<(), String> {
    let pid = std::process::id();
    let journal = || system_log::send(system_log::JOURNAL, &monitors::datagram(message, pid));
    let syslog = || {
        let line = monitors::line(message, pid, &clock::for_syslog());
        system_log::send(system_log::SYSLOG, line.as_bytes())
    };
    let named = |path: &str, error: std::io::Error| format!("{path}: {}", in_full(&error));
    match log {
        Log::None => Ok(()),
        Log::Journal => journal().map_err(|error| named(system_log::JOURNAL, error)),
        Log::Syslog => syslog().map_err(|error| named(system_log::SYSLOG, error)),
        // A node without a log, such as a container, is none that has lost something.
        Log::Auto => {
            let _ = journal().or_else(|_| syslog());
            Ok(())
        }
    }
}
