//! The validators of a run, once all its modules have succeeded: scripts that look at the tree that they have left, as a merge
//! would make it, and have a say in whether it is merged.
//!
//! Their sandbox lies upon the sealed one, and what they do in it is dropped with it. Each sees what the modules have left and
//! nothing of those before it: one that has changed something is the last in its sandbox.

use crate::model::action::Action;
use crate::model::attempt::{Answer, Attempt};
use crate::model::names::ModuleName;
use crate::model::plan::Plan;
use crate::model::run::ValidatorRecord;
use crate::model::step::{StepKind, StepRecord};
use crate::ops::secrets::Opened;
use crate::sandbox::{Sandbox, Scratch, Spec};
use crate::step::{self, StepEvent};
use crate::sys::files;

use super::output::Output;
use super::{DanceError, DanceEvent, Doing, Run, modules};

/// Runs every validator of the plan, so that one run shows all that is wrong; none where a module did not succeed.
pub(super) fn run_all(
    run: &mut Run<'_>,
    plan: &Plan,
    spec: &Spec<'_>,
    sealed: &Scratch,
    context: &step::Context<'_>,
) -> Result<(), DanceError> {
    if !modules::all_done(&run.record) {
        return Ok(());
    }
    let mut opened: Option<Sandbox> = None;
    for module in plan.modules.iter().map(|planned| &planned.module) {
        for (at, script) in module.validators.iter().enumerate() {
            if at == 0 {
                (run.on_event)(DanceEvent::Validating { module: &module.name });
            }
            let mut sandbox = match opened.take() {
                Some(sandbox) => sandbox,
                None => open(run, spec, sealed)?,
            };
            let record =
                run_one(run, &module.name, (at, module.validators.len()), script, &mut sandbox, context)?;
            opened = match sandbox.layers().take_touched()?.is_empty() && record.attempts.is_empty() {
                true => Some(sandbox),
                false => sandbox.seal().map(|_| None)?,
            };
            run.record.validators.push(ValidatorRecord { module: module.name.clone(), record });
        }
    }
    opened.map_or(Ok(()), |sandbox| Ok(sandbox.seal().map(drop)?))
}

/// A sandbox of what the modules have left, in a folder of its own below the run's.
fn open(run: &mut Run<'_>, spec: &Spec<'_>, sealed: &Scratch) -> Result<Sandbox, DanceError> {
    let scratch = spec.scratch.join(format!("validate-{}", run.record.validators.len()));
    files::create_new_dir(&scratch, 0o700)?;
    let spec = Spec { upon: Some(sealed), scratch: &scratch, ..spec.clone() };
    Ok(run.metered("validators", |_| Sandbox::open(&spec))?)
}

fn run_one(
    run: &mut Run<'_>,
    module: &ModuleName,
    (at, of): (usize, usize),
    script: &str,
    sandbox: &mut Sandbox,
    context: &step::Context<'_>,
) -> Result<StepRecord, DanceError> {
    let validator = &format!("validate/{script}");
    (run.on_event)(DanceEvent::Doing(Doing::Step { step: validator, at: at + 1, of }));
    let mut opened = Opened::watch(sandbox.layers());
    let batch = [StepKind::Validator { script: script.to_owned() }];
    let mut output = Output::new(&run.folder, module, "validate-", at, &batch, &mut opened);
    let began = run.seconds();
    let on_event = &mut run.on_event;
    let mut tell = |_, event: StepEvent<'_>| match event {
        StepEvent::Line { stream, text, more } => {
            let text = &output.line(0, stream, text);
            on_event(DanceEvent::Line { module, step: validator, stream, text, more });
        }
        // It is an attempt, told with the others.
        StepEvent::Asked(_) => {}
    };
    let mut done = step::run(sandbox, context, module, &batch, &mut 0, &mut tell)?;
    StepRecord::place_in_time(&mut done, began);
    output.finish(&mut done)?;
    // A batch of one is begun whatever happens.
    let mut record = done.remove(0);
    for action in std::mem::take(&mut record.actions) {
        note(&mut record.attempts, attempt(&action));
    }
    for attempt in &record.attempts {
        on_event(DanceEvent::Tried { module, step: validator, attempt });
    }
    on_event(DanceEvent::StepEnded { module, record: &record });
    on_event(DanceEvent::Validated { module, validator, outcome: &record.outcome });
    Ok(record)
}

/// What a validator asked of the running system, as something that was tried and will not be done.
fn attempt(action: &Action) -> Attempt {
    let (program, words) = action.effect.words();
    let (call, target) = (program.to_owned(), words);
    Attempt {
        call,
        target,
        answer: Answer::Pretended,
        program: String::new(),
        line: action.effect.line,
        count: 1,
    }
}

/// Adds an attempt, or counts it where there is an equal one.
fn note(attempts: &mut Vec<Attempt>, new: Attempt) {
    let equal = |one: &&mut Attempt| {
        (&one.call, &one.target, one.answer, one.line) == (&new.call, &new.target, new.answer, new.line)
    };
    match attempts.iter_mut().find(equal) {
        Some(known) => known.count += new.count,
        None => attempts.push(new),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_again_and_again_is_told_once() {
        let asked = |argv: &[&str], line| {
            attempt(&Action {
                seq: 0,
                module: ModuleName::new("m").unwrap(),
                step: "10-x".into(),
                effect: crate::model::action::Effect {
                    kind: Default::default(),
                    target: "x".into(),
                    program: "/usr/bin/systemctl".into(),
                    argv: argv.iter().map(|word| (*word).to_owned()).collect(),
                    cwd: "/".into(),
                    line: Some(line),
                    input: None,
                    processes: Vec::new(),
                },
            })
        };
        let mut attempts = Vec::new();
        note(&mut attempts, asked(&["/bin/systemctl", "reload", "a b"], 3));
        note(&mut attempts, asked(&["systemctl", "reload", "a b"], 3));
        note(&mut attempts, asked(&["systemctl", "reload", "a b"], 4));
        let told: Vec<_> = attempts.iter().map(Attempt::to_string).collect();
        assert_eq!(
            told,
            [
                "systemctl : reload 'a b' : pretended, line 3, 2 times",
                "systemctl : reload 'a b' : pretended, line 4"
            ]
        );
    }
}
