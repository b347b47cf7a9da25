//! `disco plan show`: a plan for whoever reviews it.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::cli::dance::Diff;
use crate::cli::dance_classic::differences;
use crate::cli::ending::{count, with_noise};
use crate::cli::exit::{Failure, Kind};
use crate::cli::json_actions::Asked;
use crate::cli::json_forms::OneChange;
use crate::cli::{Format, Global, Said};
use crate::model::action::Effect;
use crate::model::duty::Schedule;
use crate::model::names::{ModuleName, NodeName, RunId};
use crate::model::noise::Noise;
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
  disco plan show web1.plan --diff unified --all
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
    /// List changes of classes of noise too (locks, caches, backups, times), instead of counting them
    #[arg(long)]
    all: bool,
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
    changes: Vec<OneChange<'a>>,
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
    let noise = settings.as_ref().map(|settings| settings.noise.value.clone()).unwrap_or_default();
    let noise = &noise;
    let text = match args.format {
        Format::Text => described(&plan, args, noise),
        Format::Json => json(&plan, &args.file, noise)
            .map_err(|error| Failure::new(Kind::Software, "cannot show the plan").because(&error))?,
    };
    Ok(text.into())
}

fn described(plan: &Plan, args: &ShowArgs, noise: &Noise) -> String {
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
        with_noise(changes.0.len(), noise.count(changes)),
        count(head.actions.len(), "action"),
    );
    out.push_str(&differences(changes, args.diff.into(), (!args.all).then_some(noise)));
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

fn json(plan: &Plan, file: &Path, noise: &Noise) -> serde_json::Result<String> {
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
        changes: OneChange::all(&plan.changes, noise),
        actions: head.actions.iter().map(Asked::from).collect(),
        schedule: &head.schedule,
        scripts: &plan.scripts,
    };
    serde_json::to_string(&line).map(|line| line + "\n")
}
