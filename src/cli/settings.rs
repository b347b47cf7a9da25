//! `disco settings`: every setting, its value, and where that came from.

use serde_json::json;

use crate::cli::exit::{Failure, Kind};
use crate::cli::{Format, Global, Said};
use crate::ops::settings;
use crate::settings::Row;

/// Show every setting with its value and where that came from.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A flag wins over a variable, a variable over a parameter, a parameter over the
default.

Examples:
  disco settings
  DISCO_CLIENT_NETWORK=host disco settings --format json")]
pub struct Args {
    /// The form of the list
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Does what the arguments ask for.
pub fn run(args: Args, global: &Global) -> Result<Said, Failure> {
    let (settings, unknown) = settings::settings(&global.flags())?;
    let rows = settings.rows();
    let result = match args.format {
        Format::Text => aligned(&rows),
        Format::Json => {
            let list = json!({"schema": 1, "settings": rows});
            serde_json::to_string(&list).map_err(|error| Failure::from_error(Kind::Software, &error))? + "\n"
        }
    };
    let unknown = unknown.iter().map(|origin| format!("{origin} sets nothing that disco knows"));
    let warnings = unknown.chain(settings.upload.wrong).collect();
    Ok(Said { result, warnings })
}

fn aligned(rows: &[Row]) -> String {
    let width = |text: fn(&Row) -> &str| rows.iter().map(|row| text(row).chars().count()).max().unwrap_or(0);
    let (names, values) = (width(|row| row.name), width(value));
    rows.iter().map(|row| format!("{:names$}  {:values$}  {}\n", row.name, value(row), row.origin)).collect()
}

/// A value for people: there is something to see also where there is none.
fn value(row: &Row) -> &str {
    if row.value.is_empty() { "(not set)" } else { &row.value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let row = |name, value: &str, origin: &str| Row {
            name,
            value: value.into(),
            origin: origin.into(),
            about: "",
        };
        let rows = [
            row("home", "/var/disco", "default"),
            row("server/uri", "", "default"),
            row("client/network", "host", "env DISCO_CLIENT_NETWORK"),
        ];
        assert_eq!(
            aligned(&rows),
            "home            /var/disco  default\nserver/uri      (not set)   default\nclient/network  host        env DISCO_CLIENT_NETWORK\n"
        );
    }
}
