//! The parameter tree on disk: folders hold entries, plain-text files hold values.
//!
//! It reads ([`load`]), shows ([`dump`]), changes ([`edit`]) and lays defaults under ([`merge_defaults`]). What a parameter
//! means is not known here.

pub mod assignments;
pub mod edit;
pub mod load;
pub mod origin;

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::model::names::{NameError, ParameterName};
use crate::model::params::{Param, Params};
use crate::sys::files::FileError;

pub use assignments::{Assignment, parse_assignments};
pub use edit::{delete, put};
pub use load::{load, load_strange};

/// A parameter that could not be read or changed.
#[derive(Debug, Error)]
pub enum ParamsError {
    /// A file or folder of the tree could not be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file's name is no parameter name.
    #[error("{path:?} in the parameter tree has a name that no parameter can have")]
    BadName {
        /// The file or folder.
        path: PathBuf,
        /// The rule; none where the name is not UTF-8.
        #[source]
        source: Option<NameError>,
    },
    /// A value is not text.
    #[error("{path:?}: a parameter's value is plain text in UTF-8")]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// A symbolic link leads out of the tree.
    #[error("{path:?} leads out of the parameter tree, to {target:?}")]
    LeadsOut {
        /// The link.
        path: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// A symbolic link leads nowhere.
    #[error("{path:?} is a link that leads nowhere")]
    Dangling {
        /// The link.
        path: PathBuf,
    },
    /// What should be a folder of parameters is none.
    #[error("{path:?} is not a folder")]
    NotFolder {
        /// It.
        path: PathBuf,
    },
    /// A tree that is too large to be one, or whose links multiply it.
    #[error("{path:?} in the parameter tree: a tree may hold at most {MOST_ENTRIES} entries, and values of {} MiB, in {MOST_DEPTH} folders one in another", MOST_BYTES >> 20)]
    TooLarge {
        /// Where the limit was met.
        path: PathBuf,
    },
    /// A symbolic link leads back to a folder that holds it.
    #[error("{path:?} leads back to a folder that holds it")]
    Loop {
        /// The link.
        path: PathBuf,
    },
    /// An entry is neither a file nor a folder.
    #[error("{path:?} is neither a file nor a folder")]
    Special {
        /// The entry.
        path: PathBuf,
    },
    /// There is no such parameter.
    #[error("there is no parameter {0}")]
    Absent(ParameterName),
    /// A value was to be put where a folder is.
    #[error("parameter {0} is a folder, and cannot become a value")]
    IsFolder(ParameterName),
    /// A folder was to be made or listed where a value is.
    #[error("parameter {0} is a value, not a folder")]
    IsValue(ParameterName),
    /// What stands in the place of a secret in a dump was to be set as its value.
    #[error("parameter {0} is a secret, and [secret] stands for its value: nothing is set")]
    Hidden(ParameterName),
    /// A folder that holds parameters was to be deleted alone.
    #[error("parameter folder {0} is not empty")]
    NotEmpty(ParameterName),
    /// A line of assignments cannot be used; nothing was changed.
    #[error("line {line} of the parameters to set")]
    Line {
        /// Which line, from 1.
        line: usize,
        /// What is wrong with it.
        #[source]
        source: Box<LineError>,
    },
}

/// The most entries of one tree, links followed: a tree that is larger is a mistake, or an attack.
pub const MOST_ENTRIES: usize = 100_000;
/// The most bytes that the values of one tree may have together.
pub const MOST_BYTES: u64 = 64 << 20;

/// The most folders of one tree that lie one in another: as deep as readers of JSON go.
pub const MOST_DEPTH: usize = 100;

impl ParamsError {
    /// The same; a path below `folder` is said from there, for a folder that is gone when somebody reads this.
    #[must_use]
    pub fn said_from(self, folder: &Path) -> ParamsError {
        let mut error = self;
        match &mut error {
            ParamsError::File(file) => cut(&mut file.path, folder),
            ParamsError::BadName { path, .. }
            | ParamsError::NotText { path }
            | ParamsError::LeadsOut { path, .. }
            | ParamsError::Dangling { path }
            | ParamsError::NotFolder { path }
            | ParamsError::TooLarge { path }
            | ParamsError::Loop { path }
            | ParamsError::Special { path } => cut(path, folder),
            ParamsError::Absent(_)
            | ParamsError::IsFolder(_)
            | ParamsError::IsValue(_)
            | ParamsError::NotEmpty(_)
            | ParamsError::Hidden(_)
            | ParamsError::Line { .. } => {}
        }
        error
    }
}

fn cut(path: &mut PathBuf, folder: &Path) {
    if let Ok(below) = path.strip_prefix(folder) {
        *path = below.to_owned();
    }
}

/// What is wrong with a line of assignments.
#[derive(Debug, Error)]
pub enum LineError {
    /// It has no `=`.
    #[error("{0:?} is not NAME=VALUE")]
    NoAssignment(String),
    /// Its name is no parameter name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// It does not fit the tree, or a line before it.
    #[error(transparent)]
    Params(#[from] ParamsError),
}

/// The tree as lines `NAME = VALUE`, folders as `NAME = {}`, a folder before what it holds, sorted by name.
///
/// One parameter is one line: a newline or another control character in a value is shown escaped (`\n`).
pub fn dump(params: &Params) -> String {
    let mut text = String::new();
    dump_below(params, "", &mut text);
    text
}

fn dump_below(params: &Params, above: &str, text: &mut String) {
    for (name, param) in &params.0 {
        let name = if above.is_empty() { name.clone() } else { format!("{above}/{name}") };
        match param {
            Param::Value(value) => *text += &format!("{name} = {}\n", on_one_line(value)),
            Param::Folder(folder) => {
                *text += &format!("{name} = {{}}\n");
                dump_below(folder, &name, text);
            }
        }
    }
}

fn on_one_line(value: &str) -> String {
    let escape =
        |c: char| if c.is_control() && c != '\t' { c.escape_default().to_string() } else { c.to_string() };
    value.chars().map(escape).collect()
}

/// The names that a folder of the tree holds, sorted; of the whole tree where none is named.
pub fn keys(params: &Params, name: Option<&ParameterName>) -> Result<Vec<String>, ParamsError> {
    let folder = match name {
        None => params,
        Some(name) => match params.get(name) {
            None => return Err(ParamsError::Absent(name.clone())),
            Some(Param::Value(_)) => return Err(ParamsError::IsValue(name.clone())),
            Some(Param::Folder(folder)) => folder,
        },
    };
    Ok(folder.0.keys().cloned().collect())
}

/// The node's parameters with defaults laid under them: what the node says wins, a value over a folder too.
pub fn merge_defaults(mut node: Params, defaults: Params) -> Params {
    for (name, default) in defaults.0 {
        match (node.0.remove(&name), default) {
            (None, default) => node.0.insert(name, default),
            (Some(Param::Folder(own)), Param::Folder(default)) => {
                node.0.insert(name, Param::Folder(merge_defaults(own, default)))
            }
            (Some(own), Param::Value(_) | Param::Folder(_)) => node.0.insert(name, own),
        };
    }
    node
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(json: &str) -> Params {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_dump_is_the_readmes() {
        let params = tree(
            r#"{"disco": {"server": {"uri": "disco@aklabs.net"},
                "client": {"cmds": {"rsync": "rsync -qaWHe \"ssh -i /home/disco/.ssh/id_rsa_disco\""}}}}"#,
        );
        assert_eq!(
            dump(&params),
            "disco = {}\n\
             disco/client = {}\n\
             disco/client/cmds = {}\n\
             disco/client/cmds/rsync = rsync -qaWHe \"ssh -i /home/disco/.ssh/id_rsa_disco\"\n\
             disco/server = {}\n\
             disco/server/uri = disco@aklabs.net\n"
        );
        assert_eq!(
            dump(&tree(r#"{"a": "1\nb = 2\u001b[0m"}"#)),
            "a = 1\\nb = 2\\u{1b}[0m\n",
            "one line each"
        );
    }

    #[test]
    fn keys_are_those_of_one_folder() {
        let params = tree(r#"{"a": {"x": "1", "b": {"y": "2"}}, "c": "3"}"#);
        let name = |name| ParameterName::new(name).unwrap();
        assert_eq!(keys(&params, None).unwrap(), ["a", "c"]);
        assert_eq!(keys(&params, Some(&name("a"))).unwrap(), ["b", "x"]);
        assert!(matches!(keys(&params, Some(&name("c"))), Err(ParamsError::IsValue(_))));
        assert!(matches!(keys(&params, Some(&name("a/z"))), Err(ParamsError::Absent(_))));
    }

    #[test]
    fn the_node_wins_over_defaults() {
        for (node, defaults, merged) in [
            (r#"{"a":"1"}"#, r#"{"a":"2","b":"3"}"#, r#"{"a":"1","b":"3"}"#),
            (r#"{"f":{"x":"1"}}"#, r#"{"f":{"x":"2","y":"3"}}"#, r#"{"f":{"x":"1","y":"3"}}"#),
            (r#"{"f":{"x":"1"}}"#, r#"{"f":""}"#, r#"{"f":{"x":"1"}}"#),
            (r#"{"f":""}"#, r#"{"f":{"x":"2"}}"#, r#"{"f":""}"#),
        ] {
            assert_eq!(merge_defaults(tree(node), tree(defaults)), tree(merged), "{node} over {defaults}");
        }
    }
}
