//! A module's folder, read into data ([`read`]) or made new ([`scaffold`]). It runs nothing, and orders nothing.

pub mod on_change;
pub mod read;
pub mod requires;
pub mod scaffold;

use std::path::PathBuf;

use thiserror::Error;

use crate::model::glob::NoGlob;
use crate::model::names::{ModuleName, NameError};
use crate::sys::files::FileError;

pub use read::{read, read_requires, read_scripts, read_steps};
pub use scaffold::scaffold;

/// A module's folder that cannot be used.
#[derive(Debug, Error)]
pub enum ModuleError {
    /// It is not there.
    #[error("there is no module {module}: {folder:?} is not a folder")]
    Missing {
        /// The module.
        module: ModuleName,
        /// Where it should be.
        folder: PathBuf,
    },
    /// Something of it could not be read or written.
    #[error("module {module}")]
    File {
        /// The module.
        module: ModuleName,
        /// Why not.
        #[source]
        source: FileError,
    },
    /// A line of `requires` says nothing that is known.
    #[error(
        "module {module}: requires, line {line}: {text:?} is not `after MODULE`, `before MODULE` or `MODULE`"
    )]
    Requirement {
        /// The module.
        module: ModuleName,
        /// Which line of its `requires`, from 1.
        line: usize,
        /// The line.
        text: String,
        /// What is wrong with the name in it; none where there is none.
        #[source]
        source: Option<Box<NameError>>,
    },
    /// A line of `on-change` says nothing that is known.
    #[error("module {module}: on-change, line {line}: {text:?} is not `GLOB… : COMMAND`")]
    OnChange {
        /// The module.
        module: ModuleName,
        /// Which line of its `on-change`, from 1.
        line: usize,
        /// The line.
        text: String,
        /// What is wrong with a pattern in it; none where something else is.
        #[source]
        source: Option<Box<NoGlob>>,
    },
    /// A symbolic link leads out of the module's folder, or nowhere.
    #[error(
        "module {module}: the link {path:?} leads to {target:?}, which is nothing in the module's own folder"
    )]
    LeadsOut {
        /// The module.
        module: ModuleName,
        /// The link, below the module's folder.
        path: PathBuf,
        /// What it says.
        target: PathBuf,
    },
    /// A name is not UTF-8, or would break the lines of a report.
    #[error("module {module}: the name of {path:?} is not plain text: UTF-8 without control characters")]
    NotText {
        /// The module.
        module: ModuleName,
        /// The file or folder, below the module's.
        path: PathBuf,
    },
    /// An entry is not of the type that its place asks for.
    #[error("module {module}: {path:?} is not a {expected}")]
    WrongType {
        /// The module.
        module: ModuleName,
        /// The entry, below the module's folder.
        path: PathBuf,
        /// What it should be.
        expected: &'static str,
    },
    /// Two templates make the same file.
    #[error("module {module}: the templates {first:?} and {second:?} make the same file")]
    SameTarget {
        /// The module.
        module: ModuleName,
        /// One template.
        first: String,
        /// The other.
        second: String,
    },
    /// There is something where a new module was to be made.
    #[error("module {module}: {folder:?} is there already")]
    Exists {
        /// The module.
        module: ModuleName,
        /// Its folder.
        folder: PathBuf,
    },
}
