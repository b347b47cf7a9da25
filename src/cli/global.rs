//! The flags that every command has.

use std::path::PathBuf;

use clap::Args;

use crate::cli::terminal::Color;
use crate::settings::Flags;
use crate::settings::table::Name;

/// Flags that every command knows.
#[derive(Debug, Clone, Default, Args)]
pub struct Global {
    /// disco's own folder [default: /var/disco]
    #[arg(long, global = true, value_name = "DIR", display_order = 900)]
    pub home: Option<PathBuf>,
    /// This node's name [default: the host name]
    #[arg(long, global = true, value_name = "NAME", display_order = 900)]
    pub node: Option<String>,
    /// Colour: auto (on a terminal, unless NO_COLOR is set), always or never
    #[arg(
        long,
        global = true,
        value_enum,
        default_value = "auto",
        value_name = "WHEN",
        display_order = 900,
        hide_possible_values = true
    )]
    pub color: Color,
    /// Show secrets too: for root at a terminal, nothing of it in a pipe or a record
    #[arg(long, global = true, display_order = 900)]
    pub show_secrets: bool,
}

impl Global {
    /// The settings that these flags name.
    pub fn flags(&self) -> Flags {
        let home = self.home.as_ref().map(|home| (Name::Home, home.to_string_lossy().into_owned()));
        let node = self.node.as_ref().map(|node| (Name::Node, node.clone()));
        home.into_iter().chain(node).collect()
    }
}
