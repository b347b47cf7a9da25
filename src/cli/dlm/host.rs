//! `disco dlm host`: which hosts the lock server knows.

use std::collections::BTreeSet;

use clap::ArgAction;
use disco_dlm::model::HostName;
use disco_dlm_server::access::{Host, HostChange};
use serde_json::json;

use crate::cli::Format;
use crate::cli::dlm::{At, shown};
use crate::cli::exit::Failure;
use crate::cli::runs::columns;

/// What the end of its help says.
pub(super) const EXAMPLES: &str = "\
Examples:
  disco dlm host add web1.example.com --group web
  disco dlm host set web1.example.com --may-acquire false
  disco dlm host ls --format json | jq -r .name
  disco dlm host rm web1.example.com";

/// The version of the JSON lines' form.
const SCHEMA: u32 = 1;

/// What it takes.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Add a host, by the name in its certificate
    #[command(after_help = "\
The name is the last CN of the certificate's subject, in lower case. A lock
whose slots are a share of its group counts the hosts in the group of its own
name, or, where nobody is in that, all hosts.

Examples:
  disco dlm host add web1.example.com
  disco dlm host add web1.example.com --group web --group reboot")]
    Add(Change),
    /// Change a host; what is not named stays
    #[command(after_help = "\
Examples:
  disco dlm host set web1.example.com --may-acquire false
  disco dlm host set web1.example.com --group web --group reboot
  disco dlm host set web1.example.com --no-groups")]
    Set(Change),
    /// Remove a host; its slots are released, its events removed
    #[command(after_help = "Example:\n  disco dlm host rm web1.example.com")]
    Rm {
        /// The host
        name: HostName,
        #[command(flatten)]
        at: At,
    },
    /// List the hosts
    #[command(after_help = "\
Examples:
  disco dlm host ls
  disco dlm host ls --format json | jq -r 'select(.may_acquire | not).name'")]
    Ls {
        /// How to print them
        #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
        format: Format,
        #[command(flatten)]
        at: At,
    },
}

/// A host and what is said of it.
#[derive(Debug, clap::Args)]
pub struct Change {
    /// The host
    name: HostName,
    /// A group that it belongs to; all of them have to be named
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// It belongs to no group
    #[arg(long, conflicts_with = "groups")]
    no_groups: bool,
    /// Whether it may acquire locks: true or false
    #[arg(long, value_name = "BOOL", action = ArgAction::Set, hide_possible_values = true)]
    may_acquire: Option<bool>,
    #[command(flatten)]
    at: At,
}

impl Change {
    fn meant(&self) -> HostChange {
        let named: BTreeSet<String> = self.groups.iter().cloned().collect();
        let groups = (self.no_groups || !named.is_empty()).then_some(named);
        HostChange { groups, may_acquire: self.may_acquire }
    }
}

/// Does what the arguments ask for.
pub fn run(command: Command) -> Result<String, Failure> {
    match command {
        Command::Add(change) => {
            let host = change.at.store()?.add_host(&change.name, change.meant())?;
            Ok(format!("{}: added{}\n", host.name, described(&host)))
        }
        Command::Set(change) => {
            let host = change.at.store()?.set_host(&change.name, change.meant())?;
            Ok(format!("{}: changed{}\n", host.name, described(&host)))
        }
        Command::Rm { name, at } => {
            at.store()?.remove_host(&name)?;
            Ok(format!("{name}: removed\n"))
        }
        Command::Ls { format, at } => {
            let hosts = at.store()?.hosts()?;
            Ok(match format {
                Format::Text => table(&hosts),
                Format::Json => hosts.iter().map(|host| format!("{}\n", line(host))).collect(),
            })
        }
    }
}

fn described(host: &Host) -> String {
    let groups: Vec<&str> = host.groups.iter().map(String::as_str).collect();
    let groups = if groups.is_empty() { String::new() } else { format!(", in {}", groups.join(", ")) };
    let barred = if host.may_acquire { "" } else { ", may not acquire locks" };
    format!("{groups}{barred}")
}

fn table(hosts: &[Host]) -> String {
    let head = ["NAME", "ID", "GROUPS", "MAY ACQUIRE", "LAST CHECK-IN"].map(str::to_owned);
    let rows = hosts.iter().map(|host| {
        let groups: Vec<&str> = host.groups.iter().map(String::as_str).collect();
        let groups = if groups.is_empty() { "-".to_owned() } else { groups.join(",") };
        let may_acquire = if host.may_acquire { "yes" } else { "no" };
        [
            host.name.to_string(),
            host.id.0.to_string(),
            groups,
            may_acquire.to_owned(),
            shown(host.last_checkin),
        ]
    });
    columns(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
}

fn line(host: &Host) -> serde_json::Value {
    json!({
        "schema": SCHEMA,
        "id": host.id,
        "name": host.name,
        "groups": host.groups,
        "may_acquire": host.may_acquire,
        "enrolled": shown(Some(host.enrolled)),
        "last_checkin": host.last_checkin.map(|at| shown(Some(at))),
    })
}
