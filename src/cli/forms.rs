//! What commands have to say, and in which form they are asked for it.

use clap::ValueEnum;

/// The form of a list for other programs, or for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs: one JSON object.
    Json,
}

/// What a command has to say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Said {
    /// Its result, for standard output.
    pub result: String,
    /// What else there is to know, one line each, for standard error.
    pub warnings: Vec<String>,
}

impl From<String> for Said {
    fn from(result: String) -> Said {
        Said { result, warnings: Vec::new() }
    }
}
