//! Differences and other plain data without secrets: for a record, and for the user's eyes.

use std::borrow::Cow;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::model::change::{Change, ChangeSet, ContentChange, Writers};
use crate::model::path::RootedPath;
use crate::model::text::Text;

use super::redactor::{Redactor, marker};
use super::{Hider, Secrets, private};

/// Names that are checked where they are read, and words of ours: fields with these hold no text of anybody else.
const NAMES: [&str; 13] = [
    "md5", "run", "node", "module", "plan", "undoes", "because", "kind", "origin", "change", "content",
    "stream", "output",
];

impl Secrets {
    /// Adds what stands in files that only root can read, as far as these differences hold it.
    pub fn add_withheld(&mut self, changes: &ChangeSet) {
        for change in &changes.0 {
            let path = change.path.to_string();
            if let ContentChange::Text { before, after } = &change.content
                && private::is_withheld(change)
                && private::is_looked_for(&path)
            {
                self.add_file(&path, before.shown().as_bytes());
                self.add_file(&path, after.shown().as_bytes());
            }
        }
    }
}

impl Hider {
    /// Differences without secrets: what stands in files that only root can read is withheld, all other text is without values.
    pub fn changes<'a>(&self, changes: &'a ChangeSet) -> Cow<'a, ChangeSet> {
        let hidden: Vec<_> = changes.0.iter().map(|change| self.change(change)).collect();
        if hidden.iter().all(|change| matches!(change, Cow::Borrowed(_))) {
            return Cow::Borrowed(changes);
        }
        Cow::Owned(ChangeSet(hidden.into_iter().map(Cow::into_owned).collect()))
    }

    /// Who wrote what of these differences, and what steps left there meanwhile, without secrets.
    pub fn writers(&self, changes: &ChangeSet, writers: &Writers) -> Writers {
        let mut hidden = writers.clone();
        for change in &changes.0 {
            let Some(written) = hidden.0.get_mut(&change.path) else { continue };
            if self.withholds && private::is_withheld(change) {
                written.earlier.clear();
            }
            let hide = |text: &mut String| {
                if let Cow::Owned(hidden) = self.text(text) {
                    *text = hidden;
                }
            };
            hide(&mut written.step);
            for earlier in &mut written.earlier {
                hide(&mut earlier.step);
                hide(&mut earlier.text);
            }
        }
        hidden
    }

    /// One difference without secrets.
    fn change<'a>(&self, change: &'a Change) -> Cow<'a, Change> {
        let (path, kind) = (self.path(&change.path), self.data(&change.kind));
        let content = match &change.content {
            ContentChange::Text { before, after } if self.withholds && private::is_withheld(change) => {
                Cow::Owned(ContentChange::Withheld { before: before.len() as u64, after: after.len() as u64 })
            }
            ContentChange::Text { before, after } => match self.sides(before, after) {
                Some((before, after)) => {
                    Cow::Owned(ContentChange::Text { before: before.into(), after: after.into() })
                }
                None => Cow::Borrowed(&change.content),
            },
            other => Cow::Borrowed(other),
        };
        match (path, kind, content) {
            (Cow::Borrowed(_), Ok(Cow::Borrowed(_)), Cow::Borrowed(_)) => Cow::Borrowed(change),
            (path, kind, content) => Cow::Owned(Change {
                path: path.into_owned(),
                // Its words are attributes; where they cannot be read again they stay what they are.
                kind: kind.map_or_else(|_| change.kind.clone(), Cow::into_owned),
                content: content.into_owned(),
            }),
        }
    }

    /// A path without secrets. A name of a parameter is several words in it, not several folders.
    pub fn path<'a>(&self, path: &'a RootedPath) -> Cow<'a, RootedPath> {
        let Some(redactor) = &self.redactor else { return Cow::Borrowed(path) };
        let text = path.absolute();
        let text = text.to_string_lossy();
        let places = redactor.places(&text);
        if places.is_empty() {
            return Cow::Borrowed(path);
        }
        let (mut hidden, mut at) = (String::new(), 0);
        for (range, name) in places {
            hidden += &text[at..range.start];
            hidden += &marker(&name.replace('/', ":"));
            at = range.end;
        }
        hidden += &text[at..];
        Cow::Owned(RootedPath::new(hidden).unwrap_or_default())
    }

    /// Both sides without secrets, if there are any. Where a line of one side holds one, what stands at its place on the other
    /// side is one too: what a password was before it was changed, nobody knows any more.
    fn sides(&self, before: &Text, after: &Text) -> Option<(String, String)> {
        let redactor = self.redactor.as_ref()?;
        let (before, after) = (&*before.shown(), &*after.shown());
        let (old, new) = (redactor.text(before), redactor.text(after));
        if let (Cow::Borrowed(_), Cow::Borrowed(_)) = (&old, &new) {
            return None;
        }
        let (from_new, from_old) = (Around::of(redactor, after), Around::of(redactor, before));
        Some((from_new.hide(before, &old, after), from_old.hide(after, &new, before)))
    }

    /// Data without secrets, whatever its fields are: each text in it is looked through.
    pub fn data<'a, T>(&self, data: &'a T) -> serde_json::Result<Cow<'a, T>>
    where
        T: Serialize + DeserializeOwned + Clone,
    {
        if self.redactor.is_none() {
            return Ok(Cow::Borrowed(data));
        }
        let json = serde_json::to_value(data)?;
        let mut hidden = json.clone();
        if !self.walk(&mut hidden, false) {
            return Ok(Cow::Borrowed(data));
        }
        serde_json::from_value(hidden).map(Cow::Owned).or_else(|_| {
            // A secret that is a word of ours, such as `unfinished`: such words stay, so that the rest can be read.
            let mut hidden = json;
            self.walk(&mut hidden, true);
            serde_json::from_value(hidden).map(Cow::Owned)
        })
    }

    /// Hides within it; whether there was anything.
    fn walk(&self, json: &mut Value, words_stay: bool) -> bool {
        match json {
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
            Value::String(text) => {
                let is_word = |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
                if words_stay && is_word(text) {
                    return false;
                }
                let Cow::Owned(hidden) = self.text(text) else { return false };
                *text = hidden;
                true
            }
            Value::Array(values) => {
                values.iter_mut().fold(false, |any, one| self.walk(one, words_stay) | any)
            }
            Value::Object(fields) => fields.iter_mut().fold(false, |any, (name, value)| {
                let named = NAMES.contains(&name.as_str()) && !value.is_object();
                (!named && self.walk(value, words_stay)) | any
            }),
        }
    }
}

/// What stands around the secrets of one side, line by line.
struct Around<'a>(Vec<(&'a str, &'a str, String)>);

impl<'a> Around<'a> {
    fn of(redactor: &Redactor, side: &'a str) -> Around<'a> {
        let lines = side.lines().flat_map(|line| {
            let places = redactor.places(line).into_iter();
            places.map(move |(range, name)| (&line[..range.start], &line[range.end..], name.to_owned()))
        });
        Around(lines.collect())
    }

    /// The other side (`text`, and `hidden` as it is without what is known), without what stands in the same surroundings and
    /// is not in the side that these are of.
    fn hide(&self, text: &str, hidden: &str, side: &str) -> String {
        if self.0.is_empty() {
            return hidden.to_owned();
        }
        let there: std::collections::HashSet<&str> = side.lines().collect();
        let line = |(line, hidden): (&str, &str)| {
            if line != hidden || there.contains(line.trim_end_matches('\n')) {
                return hidden.to_owned();
            }
            let (bare, end) = line.strip_suffix('\n').map_or((line, ""), |bare| (bare, "\n"));
            let same = self.0.iter().find(|(before, after, _)| {
                let around = before.len() + after.len();
                around < bare.len() && bare.starts_with(before) && bare.ends_with(after)
            });
            match same {
                Some((before, after, name)) => {
                    format!("{before}{}{after}{end}", marker(&format!("{name}, another value")))
                }
                None => hidden.to_owned(),
            }
        };
        text.split_inclusive('\n').zip(hidden.split_inclusive('\n')).map(line).collect()
    }
}

#[cfg(test)]
#[path = "told_tests.rs"]
mod tests;
