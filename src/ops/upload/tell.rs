//! Hears how the runs of a command end, and puts that into the spool; then tries once to send it. Whatever of that cannot be done is
//! a warning, and changes nothing of the run. Where nobody is set to be told, it does nothing.

use crate::model::change::ChangeKind;
use crate::model::names::RunId;
use crate::model::root::LiveRoot;
use crate::model::run::RunRecord;
use crate::model::told::in_full;
use crate::ops::dance::DanceEvent;
use crate::ops::facts;
use crate::secrets::known;
use crate::settings::Settings;
use crate::sys::clock;
use crate::uploads::{Spool, Target, Touched, Touches, facts as node_facts, report, webhook};

use super::send::{self, When};
use super::{AFTER_RUN, goes_to, is_set};

/// Who is told of the runs of a command.
#[derive(Debug)]
pub struct Uploads {
    settings: Settings,
    tries: bool,
    touches: Touches,
    bodies: Vec<(Target, RunId, String)>,
    warnings: Vec<String>,
}

impl Uploads {
    /// For the runs of that command. `None` where nobody is set, or a command's runs are nobody's but its user's.
    pub fn new(command: &str, settings: &Settings) -> Option<Uploads> {
        let tries = match command {
            "dance" | "apply" | "undo" => true,
            // They may come before there is a network, or beside somebody who waits: what they leave goes out with the next run.
            "recover" | "confirm" => false,
            _ => return None,
        };
        let wrong = &settings.upload.wrong;
        (is_set(settings) || !wrong.is_empty()).then(|| Uploads {
            settings: settings.clone(),
            tries,
            touches: Touches::default(),
            bodies: Vec::new(),
            warnings: wrong.iter().map(|why| format!("not everybody is told of this run: {why}")).collect(),
        })
    }

    /// Hears of something that a run tells.
    pub fn hear(&mut self, event: &DanceEvent<'_>) {
        match event {
            DanceEvent::Changed { module, changes, .. } => {
                // What is shown to the user may be more than may be sent.
                let hider = known::hider();
                let (shown, _) = self.settings.noise.value.fold(changes);
                for change in &shown.0 {
                    self.touches.add(|| Touched {
                        module: module.to_string(),
                        path: hider.path(&change.path).to_string(),
                        what: match change.kind {
                            ChangeKind::Created { .. } => "created",
                            ChangeKind::Modified { .. } => "modified",
                            ChangeKind::Deleted { .. } => "deleted",
                        },
                    });
                }
            }
            DanceEvent::Ended { record } => {
                let touches = std::mem::take(&mut self.touches);
                let at = record.ended.clone().unwrap_or_else(clock::now);
                self.write(record, &touches, &at);
            }
            // It has told of its end already, at that time; what became of it since is told by now's.
            DanceEvent::Settled { record } => self.write(record, &Touches::default(), &clock::now()),
            _ => {}
        }
    }

    /// What is done to an image says nothing about this node.
    fn write(&mut self, record: &RunRecord, touches: &Touches, at: &str) {
        if record.root != LiveRoot::Own {
            return;
        }
        for target in [Target::Report, Target::Webhook] {
            let body = match target {
                _ if goes_to(&self.settings, target).is_none() => continue,
                Target::Webhook => webhook::body(record, touches, at),
                Target::Report | Target::Facts => report::body(record, touches, at),
            };
            match body {
                Ok(body) => self.bodies.push((target, record.run.clone(), body)),
                Err(error) => self.warnings.push(not_kept(&in_full(&error))),
            }
        }
        if goes_to(&self.settings, Target::Facts).is_some() {
            match facts::inventory() {
                Ok(inventory) => {
                    let version = env!("CARGO_PKG_VERSION");
                    let body = node_facts::body(&self.settings.node.value, &inventory, version, at);
                    self.bodies.push((Target::Facts, record.run.clone(), body.to_string()));
                }
                Err(error) => self.warnings.push(not_kept(&in_full(&error))),
            }
        }
    }

    /// Keeps it, and tries once to send it unless a signal has ended the command. Returns what its user should know.
    pub fn tell(mut self, exit: i32) -> Vec<String> {
        let spool = Spool::of(&self.settings.home.value);
        if self.bodies.is_empty() {
            return self.warnings;
        }
        for (target, run, body) in std::mem::take(&mut self.bodies) {
            match spool.add(target, &run, body) {
                Ok(warnings) => self.warnings.extend(warnings),
                Err(error) => self.warnings.push(not_kept(&in_full(&error))),
            }
        }
        if self.tries && exit < 128 {
            self.warnings.extend(self.try_once());
        }
        self.warnings
    }

    fn try_once(&self) -> Option<String> {
        match send::send(&self.settings, When::Due, AFTER_RUN) {
            Ok(round) => {
                let told: Vec<String> = round.told().collect();
                (!told.is_empty()).then(|| told.join("; "))
            }
            // Whoever sends now, or next, sends this too.
            Err(super::UploadError::Busy | super::UploadError::NotSet) => None,
            Err(super::UploadError::Spool(error)) => Some(not_kept(&in_full(&error))),
        }
    }
}

fn not_kept(why: &str) -> String {
    format!("what is to be told of this run is lost: {why}")
}
