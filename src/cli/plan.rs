//! `disco plan show`: a plan for whoever reviews it.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::changes::text;
use crate::cli::dance::Diff;
use crate::cli::ending::count;
use crate::cli::exit::{Failure, Kind};
use crate::cli::json_actions::Asked;
use crate::cli::{Format, Global, Said};
use crate::model::action::Effect;
use crate::model::change::ChangeSet;
use crate::model::duty::Schedule;
use crate::model::names::{ModuleName, NodeName, RunId};
use crate::model::root::LiveRoot;
use crate::model::saved::{Content, LiveScript};
use crate::model::truth::Label;
use crate::ops::plan_show::plan_show;
use crate::ops::settings::settings;
use crate::plans::Plan;

/// What `disco plan` takes.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Show what a plan is, and every change that it makes
    #[command(after_help = "\
All of the file is verified first. Its digest is what `sha256sum FILE` prints.

Examples:
  disco plan show web1.plan
  disco plan show web1.plan --diff unified
  disco plan show web1.plan --format json | jq -r '.changes[].path'")]
    Show(ShowArgs),
}

/// What `disco plan show` takes.
#[derive(Debug, clap::Args)]
pub struct ShowArgs {
    /// The plan
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// How differences of content are shown
    #[arg(long, value_enum, default_value = "normal")]
    diff: Diff,
    /// How to print it
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: Format,
}

/// The version of the JSON line's form.
const SCHEMA: u32 = 1;

#[derive(Debug, Serialize)]
struct Line<'a> {
    schema: u32,
    file: &'a Path,
    digest: &'a str,
    size: u64,
    node: &'a NodeName,
    root: &'a LiveRoot,
    version: &'a str,
    run: &'a RunId,
    made: &'a str,
    #[serde(flatten)]
    label: &'a Label,
    modules: &'a [ModuleName],
    settings: &'a [(String, String)],
    changes: &'a ChangeSet,
    actions: Vec<Asked<'a>>,
    schedule: &'a Schedule,
    scripts: &'a [LiveScript],
}

/// Shows something of a plan.
pub fn run(command: &Command, global: &Global) -> Result<Said, Failure> {
    let Command::Show(args) = command;
    // A plan can be looked at where disco has no good settings, too.
    let settings = settings(&global.flags()).ok().map(|(settings, _)| settings);
    let plan = plan_show(settings.as_ref(), &args.file)?;
    let text = match args.format {
        Format::Text => described(&plan, args),
        Format::Json => json(&plan, &args.file)
            .map_err(|error| Failure::new(Kind::Software, "cannot show the plan").because(&error))?,
    };
    Ok(text.into())
}

fn described(plan: &Plan, args: &ShowArgs) -> String {
    let Plan { head, changes, digest, .. } = plan;
    let modules: Vec<&str> = head.modules.iter().map(ModuleName::as_str).collect();
    let mut out = format!(
        "plan     {}\ndigest   sha256 {digest}\nnode     {}, root {}\nmade     {} by disco {}, run {}\nmodules  {}\nreport   {}\nholds    {}, {}\n\n",
        args.file.display(),
        head.node,
        head.root,
        head.made,
        head.version,
        head.run,
        modules.join(" "),
        head.label,
        count(changes.0.len(), "change"),
        count(head.actions.len(), "action"),
    );
    out.push_str(&text::change_set(changes, args.diff.into()));
    for duty in head.schedule.duties() {
        out.push_str(&format!("warning: Would execute : {}{}\n", duty.words(), by(&duty.effect)));
        out.extend(
            duty.effect.input.iter().flat_map(|input| input.lines()).map(|line| format!("  {line}\n")),
        );
    }
    for left in &head.schedule.left_out {
        let lines =
            left.commands.iter().map(|command| format!("warning: Not executed : {command} : {}\n", left.why));
        out.extend(lines);
    }
    for script in &plan.scripts {
        let LiveScript { module, folder, name, content } = script;
        out.push_str(&format!("\nscript   {module} {}/{name}\n", folder.name()));
        match content {
            Content::Text(text) => out.extend(text.lines().map(|line| format!("  {line}\n"))),
            Content::Bytes(bytes) => out.push_str(&format!("  {} bytes, no text\n", bytes.len())),
        }
    }
    out
}

/// The program of a command, where its words name another.
fn by(effect: &Effect) -> String {
    let called = effect.argv.first().and_then(|word| Path::new(word).file_name());
    let same = effect.program.file_name() == called;
    if same { String::new() } else { format!(" : by {}", effect.program.display()) }
}

fn json(plan: &Plan, file: &Path) -> serde_json::Result<String> {
    let head = &plan.head;
    let line = Line {
        schema: SCHEMA,
        file,
        digest: &plan.digest,
        size: plan.size,
        node: &head.node,
        root: &head.root,
        version: &head.version,
        run: &head.run,
        made: &head.made,
        label: &head.label,
        modules: &head.modules,
        settings: &head.settings,
        changes: &plan.changes,
        actions: head.actions.iter().map(Asked::from).collect(),
        schedule: &head.schedule,
        scripts: &plan.scripts,
    };
    serde_json::to_string(&line).map(|line| line + "\n")
}
