//! How true a report is, and what keeps it from being exact.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// How far what was done in the sandbox is what would be done on the live system. Ordered from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Truth {
    /// Everything it did is in the report.
    #[default]
    Exact,
    /// A stubbed command or a stopped call could have changed its course.
    Approximate,
    /// It could talk to a host beyond the package sources.
    Unknown,
}

/// The truth of a step, a module or a run, with its reasons: `exact`, `approximate: kill, service`, `unknown: network`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Label {
    /// How true.
    #[serde(default)]
    pub truth: Truth,
    /// The stubs and stopped calls by name, and `network` where that was open; empty where it is exact.
    #[serde(default)]
    pub because: BTreeSet<String>,
}

impl Label {
    /// Lowers it to `truth` at best, because of that.
    pub fn lower(&mut self, truth: Truth, because: &str) {
        self.truth = self.truth.max(truth);
        self.because.insert(because.to_owned());
    }

    /// The label of something that consists of both.
    pub fn and(mut self, other: &Label) -> Label {
        self.truth = self.truth.max(other.truth);
        self.because.extend(other.because.iter().cloned());
        self
    }

    /// The label of something that consists of all of these.
    pub fn of_all<'a>(parts: impl IntoIterator<Item = &'a Label>) -> Label {
        parts.into_iter().fold(Label::default(), Label::and)
    }

    /// Whether everything is in the report.
    pub fn is_exact(&self) -> bool {
        self.truth == Truth::Exact
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.truth {
            Truth::Exact => "exact",
            Truth::Approximate => "approximate",
            Truth::Unknown => "unknown",
        })?;
        let mut before = ": ";
        for reason in &self.because {
            write!(f, "{before}{reason}")?;
            before = ", ";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_add_up_to_the_worst_with_all_reasons() {
        let (mut one, mut other) = (Label::default(), Label::default());
        assert_eq!(one.to_string(), "exact");
        one.lower(Truth::Approximate, "service");
        one.lower(Truth::Approximate, "kill");
        one.lower(Truth::Approximate, "kill");
        other.lower(Truth::Unknown, "network");
        assert_eq!(one.to_string(), "approximate: kill, service");
        assert_eq!(
            Label::of_all([&Label::default(), &one, &other]).to_string(),
            "unknown: kill, network, service"
        );
        assert!(Label::of_all([]).is_exact());
    }

    #[test]
    fn a_label_of_old_is_read() {
        let label: Label = serde_json::from_str(r#"{"truth":"approximate"}"#).unwrap();
        assert_eq!((label.truth, label.because.len()), (Truth::Approximate, 0));
    }
}
