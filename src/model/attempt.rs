//! What a step tried to do to the world outside of its sandbox, and was kept from.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An attempt, or several equal ones. What has a command that does the same is an action instead (see [`crate::model::action`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// What was tried: mostly the name of a system call, such as `connect`.
    pub call: String,
    /// On what, in words: `192.0.2.7 port 443 (tcp)`, `/run/dbus/system_bus_socket`.
    pub target: String,
    /// What whoever tried was told.
    pub answer: Answer,
    /// The program that tried first, by its short name; empty where it was gone already.
    pub program: String,
    /// The line of the step's script that it was in the first time, where that could be found out.
    pub line: Option<u32>,
    /// How often.
    pub count: u64,
}

/// What whoever tried was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// That it was done.
    Pretended,
    /// That it may not be done, or cannot be.
    Refused,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Answer::Pretended => "pretended",
            Answer::Refused => "refused",
        })
    }
}

impl fmt::Display for Attempt {
    /// `connect : 192.0.2.7 port 443 (tcp) : refused, by curl, line 3, 12 times`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Attempt { call, target, answer, program, line, count } = self;
        write!(f, "{call} : {target} : {answer}")?;
        if !program.is_empty() {
            write!(f, ", by {program}")?;
        }
        if let Some(line) = line {
            write!(f, ", line {line}")?;
        }
        if *count > 1 {
            write!(f, ", {count} times")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_is_told_in_one_line() {
        let mut attempt = Attempt {
            call: "connect".into(),
            target: "192.0.2.7 port 443 (tcp)".into(),
            answer: Answer::Refused,
            program: "curl".into(),
            line: Some(3),
            count: 12,
        };
        let told = "connect : 192.0.2.7 port 443 (tcp) : refused, by curl, line 3, 12 times";
        assert_eq!(attempt.to_string(), told);
        (attempt.count, attempt.line, attempt.program) = (1, None, String::new());
        assert_eq!(attempt.to_string(), "connect : 192.0.2.7 port 443 (tcp) : refused");
    }
}
