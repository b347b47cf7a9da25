//! Which parameters are secrets: those whose path is one of the patterns. The patterns stand in the code, in the setting
//! `client/secrets`, and in parameters `disco/client/secrets` of the node and of each module; with `!` a pattern says that it is none.
//! The last one that fits counts.

use serde::{Deserialize, Serialize};

use crate::model::glob::PathGlob;
use crate::model::params::{Param, Params};
use crate::model::path::RootedPath;

/// Shorter values are none: they would be found everywhere.
pub const SHORTEST: usize = 8;

/// What is a secret on every node.
const DEFAULT: &str = "**/*password* **/*passwd* **/*passphrase* **/*secret* **/*secret*/** **/*token* **/*credential* \
    **/*credential*/** **/*private_key* **/*private-key* **/*privatekey* **/*api_key* **/*apikey* \
    !**/*_file !**/*_path !**/*_dir !**/*_url !**/disco/client/secrets";

/// The parameter by which a node and a module add patterns.
pub const PARAMETER: &str = "disco/client/secrets";

/// A value that is a secret, where somebody else must know it to hide it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret {
    /// What is shown in its place.
    pub name: String,
    /// It.
    pub value: String,
}

/// Patterns, in their order.
#[derive(Debug, Clone)]
pub struct Patterns(Vec<(PathGlob, bool)>);

impl Patterns {
    /// Those of every node.
    pub fn new() -> Patterns {
        Patterns(parse(DEFAULT).unwrap_or_default())
    }

    /// Adds those of a text; what is none of them is said.
    pub fn add(&mut self, text: &str) -> Result<(), String> {
        self.0.extend(parse(text)?);
        Ok(())
    }

    /// Whether a parameter of that path is a secret, whatever the case of its letters.
    pub fn mark(&self, name: &str) -> bool {
        let [Ok(path), Ok(lower)] = [name.to_owned(), name.to_lowercase()].map(RootedPath::new) else {
            return false;
        };
        let last = self.0.iter().rfind(|(glob, _)| glob.matches(&path) || glob.matches(&lower));
        last.is_some_and(|(_, secret)| *secret)
    }

    /// The values of a tree that are secrets, each with its path.
    pub fn values<'a>(&self, params: &'a Params) -> Vec<(String, &'a str)> {
        let mut found = Vec::new();
        self.below(params, "", &mut found);
        found
    }

    fn below<'a>(&self, params: &'a Params, above: &str, found: &mut Vec<(String, &'a str)>) {
        for (name, param) in &params.0 {
            let name = if above.is_empty() { name.clone() } else { format!("{above}/{name}") };
            match param {
                Param::Value(value) if value.len() >= SHORTEST && self.mark(&name) => {
                    found.push((name, value));
                }
                Param::Value(_) => {}
                Param::Folder(folder) => self.below(folder, &name, found),
            }
        }
    }
}

impl Default for Patterns {
    fn default() -> Patterns {
        Patterns::new()
    }
}

/// The patterns of a text, with white space between them.
pub fn parse(text: &str) -> Result<Vec<(PathGlob, bool)>, String> {
    let one = |word: &str| {
        let (pattern, secret) = word.strip_prefix('!').map_or((word, true), |pattern| (pattern, false));
        let pattern = format!("/{}", pattern.trim_start_matches('/'));
        Ok((pattern.parse::<PathGlob>().map_err(|error| error.to_string())?, secret))
    };
    text.split_whitespace().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_marked_by_their_paths_and_the_last_pattern_counts() {
        let mut patterns = Patterns::new();
        for (name, marked) in [
            ("db/password", true),
            ("password", true),
            ("DB_PASSWORD", true),
            ("a/secrets/x/y", true),
            ("db/host", false),
            ("db/password_file", false),
            ("disco/client/secrets", false),
            ("license", false),
        ] {
            assert_eq!(patterns.mark(name), marked, "{name}");
        }
        patterns.add("license/** !db/**").unwrap();
        assert!(patterns.mark("license/key") && !patterns.mark("db/password"));
        assert!(patterns.add("a[").is_err());
        let params: Params =
            serde_json::from_str(r#"{"a": {"token": "0123456789", "x": "0123456789"}, "password": "short"}"#)
                .unwrap();
        assert_eq!(patterns.values(&params), [("a/token".to_owned(), "0123456789")]);
    }
}
