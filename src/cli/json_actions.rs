//! Actions and what is done about them, as JSON has them.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use serde::Serialize;

use crate::model::action::{Action, Effect, EffectKind};
use crate::model::duty::{Duty, DutyOrigin, ServiceDeed};
use crate::model::names::ModuleName;

/// An action, its paths as text or bytes.
#[derive(Debug, Serialize)]
pub(super) struct Asked<'a> {
    seq: u32,
    module: &'a ModuleName,
    step: &'a str,
    program: Shown<'a>,
    argv: &'a [String],
    cwd: Shown<'a>,
    kind: EffectKind,
    target: &'a str,
    line: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<&'a str>,
}

/// Something that is done on the live system.
#[derive(Debug, Serialize)]
pub(super) struct Done<'a> {
    number: u32,
    #[serde(flatten)]
    origin: &'a DutyOrigin,
    command: String,
    service: Option<&'a ServiceDeed>,
}

impl<'a> From<&'a Duty> for Done<'a> {
    fn from(duty: &'a Duty) -> Done<'a> {
        let Duty { number, origin, effect: _, service } = duty;
        Done { number: *number, origin, command: duty.words(), service: service.as_ref() }
    }
}

/// A path of the host: text, or `{"hex": …}` where its bytes are not UTF-8, as a [`RootedPath`] has it.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Shown<'a> {
    Text(&'a str),
    Bytes { hex: String },
}

impl<'a> From<&'a Path> for Shown<'a> {
    fn from(path: &'a Path) -> Shown<'a> {
        match path.to_str() {
            Some(text) => Shown::Text(text),
            None => Shown::Bytes {
                hex: path.as_os_str().as_bytes().iter().map(|byte| format!("{byte:02x}")).collect(),
            },
        }
    }
}

impl<'a> From<&'a Action> for Asked<'a> {
    fn from(action: &'a Action) -> Asked<'a> {
        let Action { seq, module, step, effect } = action;
        let Effect { kind, target, program, argv, cwd, line, input, processes: _ } = effect;
        let (program, cwd) = (program.as_path().into(), cwd.as_path().into());
        let (kind, line, input) = (*kind, *line, input.as_deref());
        Asked { seq: *seq, module, step, program, argv, cwd, kind, target, line, input }
    }
}
