//! The secrets of this process, and whether its user may see them.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::model::secret::Secret;

use super::{Carry, Hider, Secrets};

static KNOWN: RwLock<Option<Secrets>> = RwLock::new(None);
static HIDER: RwLock<Hider> = RwLock::new(Hider { redactor: None, withholds: true });
static SHOWN: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

/// A set stays whole whatever happens to a thread: nothing is taken from it.
fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

/// From now on files that others cannot read are no secrets: their owner runs this, and sees what is theirs.
pub fn own_files() {
    learn(|secrets| secrets.files_are_own = true);
    write(&HIDER).withholds = false;
}

/// Adds to what is known.
pub fn learn(add: impl FnOnce(&mut Secrets)) {
    let mut known = write(&KNOWN);
    let secrets = known.get_or_insert_default();
    let before = secrets.values.len();
    add(secrets);
    if secrets.values.len() != before {
        let all = Hider::new(secrets.redactor());
        *write(&HIDER) = Hider { withholds: !secrets.files_are_own, ..all };
    }
}

/// Those that are in one of these texts, in any form: what whoever gets the texts must know, to hide it too.
pub fn those_in<'a>(texts: impl Iterator<Item = Cow<'a, str>>) -> Vec<Secret> {
    let known = read(&KNOWN);
    let (Some(secrets), Some(redactor)) = (known.as_ref(), hider().redactor) else { return Vec::new() };
    let found: BTreeSet<usize> = texts.flat_map(|text| redactor.values_in(&text)).collect();
    let found = found.into_iter().filter_map(|at| secrets.values.get(at));
    // One that is no text is not in a text either, but by its form.
    found
        .map(|(name, value)| Secret {
            name: name.clone(),
            value: String::from_utf8_lossy(value).into_owned(),
        })
        .collect()
}

/// What hides all that is known by now.
pub fn hider() -> Hider {
    read(&HIDER).clone()
}

/// What the user should know of it, told once.
pub fn take_warnings() -> Vec<String> {
    let mut known = write(&KNOWN);
    let warnings = known.as_mut().map(|secrets| std::mem::take(&mut secrets.warnings));
    warnings.into_iter().flatten().collect()
}

/// From now on the user sees them: `--show-secrets`. No record ever holds one.
pub fn show() {
    SHOWN.store(true, std::sync::atomic::Ordering::Relaxed);
}

/// Whether the user sees them.
pub fn are_shown() -> bool {
    SHOWN.load(std::sync::atomic::Ordering::Relaxed)
}

/// What hides for the user's eyes: nothing, where secrets are shown.
pub fn to_show() -> Hider {
    if are_shown() { Hider::of_nothing() } else { hider() }
}

/// A text as the user may see it.
pub fn shown(text: &str) -> Cow<'_, str> {
    match to_show().text(text) {
        Cow::Borrowed(_) => Cow::Borrowed(text),
        Cow::Owned(hidden) => Cow::Owned(hidden),
    }
}

/// A line of what a step prints: as it is recorded, and as it is shown.
pub fn line<'a>(carry: &mut Carry, line: &'a str) -> (Cow<'a, str>, Cow<'a, str>) {
    let hidden = match read(&HIDER).line(carry, line) {
        Cow::Borrowed(_) => return (Cow::Borrowed(line), Cow::Borrowed(line)),
        Cow::Owned(hidden) => hidden,
    };
    let shown = if are_shown() { Cow::Borrowed(line) } else { Cow::Owned(hidden.clone()) };
    (Cow::Owned(hidden), shown)
}
