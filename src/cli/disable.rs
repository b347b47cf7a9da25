//! `disco disable` and `disco enable`: live runs switched off on this node, and on again.

use serde::Serialize;

use crate::cli::exit::Failure;
use crate::cli::{Format, Global, Said};
use crate::model::disabled::Disabled;
use crate::ops::disable::{self, Switched};
use crate::ops::settings::settings;

/// What the end of `disco disable`'s help says.
pub(super) const EXAMPLES: &str = "\
Until `disco enable` each live run is refused with exit status 75, and says why,
by whom and since when: `dance`, `try --commit`, `shell --merge`; `apply` and
`undo` too, unless --even-if-disabled. Dry runs, `recover`, `confirm` and what
is under way go on. It outlives a restart of the machine.

Examples:
  disco disable 'the array is being rebuilt, until Monday'
  disco disable --show
  disco enable";

/// What the end of `disco enable`'s help says.
pub(super) const ENABLE_EXAMPLES: &str =
    "Examples:\n  disco enable\n  disco enable --format json | jq -r .was.why";

/// What `disco disable` takes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Why, for whoever is refused
    #[arg(value_name = "WHY", default_value = "", hide_default_value = true)]
    why: String,
    /// Change nothing, say how it is
    #[arg(long, conflicts_with = "why")]
    show: bool,
    /// How to say it
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
}

/// What `disco enable` takes.
#[derive(Debug, clap::Args)]
pub struct EnableArgs {
    /// How to say it
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
}

/// The version of the JSON's form.
const SCHEMA: u32 = 1;

#[derive(Debug, Serialize)]
struct Line<'a> {
    schema: u32,
    live: &'static str,
    changed: bool,
    /// Why they are off.
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled: Option<Why<'a>>,
    /// Why they were off until now.
    #[serde(skip_serializing_if = "Option::is_none")]
    was: Option<Why<'a>>,
}

#[derive(Debug, Serialize)]
struct Why<'a> {
    why: &'a str,
    by: &'a str,
    since: &'a str,
}

impl<'a> Why<'a> {
    fn of(Disabled { why, by, since, .. }: &'a Disabled) -> Why<'a> {
        Why { why, by, since }
    }
}

/// Switches them off, or says how it is.
pub fn run(args: &Args, global: &Global) -> Result<Said, Failure> {
    let (settings, _) = settings(&global.flags())?;
    let home = &settings.home.value;
    if args.show {
        let now = disable::look(home)?;
        let shown = now.as_ref().map(|disabled| format!("live runs are disabled {disabled}\n"));
        let said = said(&now.map_or(Switched::WasOn, Switched::WasOff), args.format)?;
        return Ok(match (args.format, shown) {
            (Format::Text, Some(shown)) => shown.into(),
            (Format::Text, None) | (Format::Json, _) => said,
        });
    }
    let switched = disable::disable(&settings, &args.why)?;
    let mut said = said(&switched, args.format)?;
    match &switched {
        Switched::WasOff(first) if !args.why.is_empty() && first.why != args.why => {
            let stays = "the first reason stays: `disco enable`, then give yours";
            said.warnings.push(stays.to_owned());
        }
        Switched::WasOff(_) | Switched::Off(_) | Switched::On(_) | Switched::WasOn => {}
    }
    if disable::is_under_way(home) {
        said.warnings.push("a live run is under way, and goes on".to_owned());
    }
    Ok(said)
}

/// Switches them on.
pub fn enable(args: &EnableArgs, global: &Global) -> Result<Said, Failure> {
    let (settings, _) = settings(&global.flags())?;
    said(&disable::enable(&settings)?, args.format)
}

/// What there is to say of a node with live runs switched off, where no more than that is to be known.
pub(super) fn notice(disabled: &Disabled) -> String {
    format!("live runs are disabled {disabled}; `disco enable` lets them run")
}

fn said(switched: &Switched, format: Format) -> Result<Said, Failure> {
    let text = match switched {
        Switched::Off(disabled) => format!("live runs are disabled {disabled}\n"),
        Switched::WasOff(disabled) => format!("live runs are disabled already, {disabled}\n"),
        Switched::On(disabled) => format!("live runs are enabled; they were disabled {disabled}\n"),
        Switched::WasOn => "live runs are enabled\n".to_owned(),
    };
    let (live, changed, disabled, was) = match switched {
        Switched::Off(disabled) => ("disabled", true, Some(disabled), None),
        Switched::WasOff(disabled) => ("disabled", false, Some(disabled), None),
        Switched::On(was) => ("enabled", true, None, Some(was)),
        Switched::WasOn => ("enabled", false, None, None),
    };
    let line = Line { schema: SCHEMA, live, changed, disabled: disabled.map(Why::of), was: was.map(Why::of) };
    Ok(match format {
        Format::Text => text.into(),
        Format::Json => format!("{}\n", serde_json::json!(line)).into(),
    })
}
