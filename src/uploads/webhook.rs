//! A run as a webhook gets it, and the signature by which that knows who sends it. Pure.

use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use sha2::Sha256;

use crate::model::change::ChangeCounts;
use crate::model::names::{ModuleName, NodeName, RunId};
use crate::model::root::LiveRoot;
use crate::model::run::{Mode, RunOutcome, RunRecord};
use crate::model::step::ModuleOutcome;
use crate::model::truth::Label;
use crate::uploads::counts::{self, Counts};
use crate::uploads::item::{Touched, Touches};

/// The version of the body's form. What is added keeps it.
pub const SCHEMA: u32 = 1;
/// The header with the signature.
pub const SIGNATURE: &str = "x-disco-signature-256";
/// The header with what it is.
pub const EVENT: &str = "x-disco-event";
/// The header by which a message that comes twice is known.
pub const DELIVERY: &str = "x-disco-delivery";

#[derive(Debug, Serialize)]
struct Body<'a> {
    schema: u32,
    event: &'static str,
    node: &'a NodeName,
    run: &'a RunId,
    mode: Mode,
    root: &'a LiveRoot,
    undoes: Option<&'a RunId>,
    version: &'a str,
    started: &'a str,
    ended: Option<&'a str>,
    told: &'a str,
    seconds: Option<f64>,
    outcome: &'a RunOutcome,
    failed: bool,
    counts: Counts,
    #[serde(flatten)]
    label: &'a Label,
    modules: Vec<Module<'a>>,
    actions: Vec<Action>,
    changes: &'a [Touched],
    more_changes: usize,
}

#[derive(Debug, Serialize)]
struct Module<'a> {
    module: &'a ModuleName,
    #[serde(flatten)]
    outcome: &'a ModuleOutcome,
    changes: ChangeCounts,
}

#[derive(Debug, Serialize)]
struct Action {
    command: String,
    outcome: Option<String>,
}

/// What is sent of a run that was told at that time (RFC 3339).
pub fn body(record: &RunRecord, touches: &Touches, told: &str) -> Result<String, serde_json::Error> {
    serde_json::to_string(&Body {
        schema: SCHEMA,
        event: "run",
        node: &record.node,
        run: &record.run,
        mode: record.mode,
        root: &record.root,
        undoes: record.undoes.as_ref(),
        version: &record.version,
        started: &record.started,
        ended: record.ended.as_deref(),
        told,
        seconds: counts::seconds(record),
        outcome: &record.outcome,
        failed: counts::has_failed(&record.outcome),
        counts: counts::counts(record),
        label: &record.label,
        modules: record
            .modules
            .iter()
            .map(|one| Module { module: &one.module, outcome: &one.outcome, changes: one.changes })
            .collect(),
        actions: record
            .duties
            .iter()
            .map(|one| Action {
                command: one.duty.words(),
                outcome: one.outcome.as_ref().map(ToString::to_string),
            })
            .collect(),
        changes: &touches.first,
        more_changes: touches.more,
    })
}

/// The signature of a body: `sha256=` and HMAC-SHA256 in hex, as GitHub's webhooks have it.
pub fn signature(secret: &str, body: &str) -> String {
    // HMAC takes keys of any length.
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key of any length");
    mac.update(body.as_bytes());
    let digest = mac.finalize().into_bytes();
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={hex}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_what_others_compute() {
        // RFC 4231, test case 2.
        assert_eq!(
            signature("Jefe", "what do ya want for nothing?"),
            "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
