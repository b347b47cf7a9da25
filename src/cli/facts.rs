//! `disco facts`: what this node says of itself, as a Foreman gets it.

use serde_json::Value;

use crate::cli::exit::Failure;
use crate::cli::{Format, Global, Said};
use crate::ops::settings::{for_anybody, settings};

/// Show what this node says of itself.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
These go to a Foreman with each run, where disco/upload/foreman is set and
disco/upload/facts is true. Who is not root does not see all of them.

Examples:
  disco facts
  disco facts --format json | jq .networking.ip")]
pub struct Args {
    /// The form of the list
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Does what the arguments ask for.
pub fn run(args: &Args, global: &Global) -> Result<Said, Failure> {
    let (settings, _) = settings(&for_anybody(global.flags()))?;
    let facts = Value::Object(crate::ops::facts::facts(&settings)?);
    Ok(match args.format {
        Format::Text => text(&facts),
        Format::Json => format!("{facts}\n"),
    }
    .into())
}

/// A line each: its path, and its value.
fn text(facts: &Value) -> String {
    let mut lines = Vec::new();
    below(facts, String::new(), &mut lines);
    let width = lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    lines.into_iter().map(|(name, value)| format!("{name:width$}  {value}\n")).collect()
}

fn below(value: &Value, path: String, lines: &mut Vec<(String, String)>) {
    let under = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match value {
        Value::Object(all) => all.iter().for_each(|(name, value)| below(value, under(name), lines)),
        Value::Array(all) => {
            all.iter().enumerate().for_each(|(at, value)| below(value, under(&at.to_string()), lines));
        }
        Value::String(text) => lines.push((path, text.clone())),
        Value::Null | Value::Bool(_) | Value::Number(_) => lines.push((path, value.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fact_has_a_line() {
        let facts = serde_json::json!({"os": {"name": "Debian"}, "models": ["a", "b"], "count": 2});
        assert_eq!(text(&facts), "count     2\nmodels.0  a\nmodels.1  b\nos.name   Debian\n");
    }
}
