//! Which step of a module wrote what: the sandbox says after each step what was touched, and small texts are held as the step
//! left them, in case a later one of the module writes them too.

use std::collections::BTreeMap;
use std::io::Read as _;

use crate::model::attributes::FileKind;
use crate::model::change::{ChangeSet, ContentChange, Earlier, Writers, Written};
use crate::model::layer::{Extent, Touched};
use crate::model::path::RootedPath;
use crate::model::step::StepKind;
use crate::sys::tree::Root;

/// A step that touched more is not looked into: who wrote a line of it is then not told apart from the steps after it.
const MOST_PATHS: usize = 64;
/// Texts up to this many bytes are held.
const LARGEST: u64 = 128 * 1024;
/// All that is held of a module, in bytes.
const MOST_HELD: usize = 8 << 20;

/// What the steps of a module touched so far.
#[derive(Debug, Default)]
pub(super) struct Watch {
    steps: Vec<Step>,
    texts: BTreeMap<RootedPath, Vec<Earlier>>,
    held: usize,
}

/// The steps of a batch, which ran as one.
#[derive(Debug)]
struct Step {
    first: String,
    templates: BTreeMap<RootedPath, String>,
    touched: Touched,
}

impl Step {
    /// Which of the batch wrote a path: a template its target and the folders above that.
    fn label(&self, path: &RootedPath) -> &str {
        let below = self.templates.range(path.clone()..).next().filter(|(target, _)| target.is_within(path));
        below.map_or(&self.first, |(_, label)| label)
    }
}

impl Watch {
    /// A batch has ended, which touched that. `more` may follow in its module.
    pub(super) fn stepped(&mut self, batch: &[StepKind], touched: Touched, more: bool, upper: &Root) {
        let Some(first) = batch.first() else { return };
        let templates = batch.iter().filter_map(|step| match step {
            StepKind::Template { target, .. } => Some((target.clone(), step.label().to_owned())),
            StepKind::Files | StepKind::Script { .. } | StepKind::Validator { .. } => None,
        });
        let step = Step { first: first.label().to_owned(), templates: templates.collect(), touched };
        if more && step.touched.paths.len() <= MOST_PATHS {
            for path in step.touched.paths.keys() {
                if let Some(text) = text(upper, path).filter(|text| self.held + text.len() <= MOST_HELD) {
                    self.held += text.len();
                    let earlier = Earlier { step: step.label(path).to_owned(), text };
                    self.texts.entry(path.clone()).or_default().push(earlier);
                }
            }
        }
        self.steps.push(step);
    }

    /// All that was touched.
    pub(super) fn touched(&self) -> impl Iterator<Item = &Touched> {
        self.steps.iter().map(|step| &step.touched)
    }

    /// Who wrote these changes of the module, which has ended; `number` is that of an object of the scratchpad.
    pub(super) fn writers(self, changes: &ChangeSet, number: &dyn Fn(&RootedPath) -> Option<u64>) -> Writers {
        let (mut paths, mut trees, mut numbers) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for (at, step) in self.steps.iter().enumerate() {
            for (path, extent) in &step.touched.paths {
                paths.insert(path, at);
                if *extent == Extent::Whole {
                    trees.insert(path.clone(), at);
                }
            }
            numbers.extend(step.touched.inodes.iter().map(|number| (*number, at)));
        }
        let mut texts = self.texts;
        let written = changes.0.iter().filter_map(|change| {
            let path = &change.path;
            let above = std::iter::successors(Some(path.clone()), RootedPath::parent);
            let tree = above.filter_map(|path| trees.get(&path)).max();
            let name = number(path).and_then(|number| numbers.get(&number));
            let at =
                paths.get(path).max(tree).max(name).or(self.steps.len().checked_sub(1).as_ref()).copied()?;
            let step = self.steps.get(at)?.label(path).to_owned();
            let mut earlier = match change.content {
                ContentChange::Text { .. } => texts.remove(path).unwrap_or_default(),
                ContentChange::Same
                | ContentChange::Binary { .. }
                | ContentChange::Large { .. }
                | ContentChange::Withheld { .. } => Vec::new(),
            };
            // What the last writer left is the difference's own text.
            if earlier.last().is_some_and(|last| last.step == step) {
                earlier.pop();
            }
            earlier.dedup_by(|later, before| later.text == before.text);
            Some((path.clone(), Written { step, earlier }))
        });
        Writers(written.collect())
    }
}

/// The text that the scratchpad holds at a path; none where it is none, or too long. What cannot be read is not told apart
/// here: the look at all differences says it.
fn text(upper: &Root, path: &RootedPath) -> Option<String> {
    let object = upper.lookup(path).ok()??;
    if object.kind() != FileKind::Regular || object.stat().size > LARGEST {
        return None;
    }
    let mut text = String::new();
    object.read().ok()?.read_to_string(&mut text).ok()?;
    (!text.contains('\0')).then_some(text)
}
