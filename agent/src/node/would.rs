//! What this node would say in `/v2/features` if all that it offers worked: its settings, without its state.

use std::sync::Arc;

use thiserror::Error;

use crate::face::board::{Found, Set};
use crate::face::builtin::{self, Subsystem};
use crate::face::clock::{self, Clock};
use crate::face::entry::{Entry, Ordered};
use crate::face::feature::NotAName;
use crate::face::log::Log;
use crate::face::ring::{Level, Ring};
use crate::face::trust::Trust;
use crate::face::{Board, Feature, Spec, Standing};
use crate::node::config::Config;
use crate::settings::load;

/// What cannot be said.
#[derive(Debug, Error)]
#[error("a feature has no good name")]
pub struct WouldError(#[from] NotAName);

/// What it would say.
pub struct Would {
    /// Of each feature.
    pub features: Ordered<Entry>,
    /// What is wrong with its settings, and what is worth a warning.
    pub troubles: Vec<String>,
}

/// All that disco offers.
pub fn specs() -> Result<Vec<Spec>, NotAName> {
    [builtin::dance, builtin::noop, builtin::lock, builtin::trigger, builtin::logs, builtin::facts]
        .into_iter()
        .map(|spec| spec())
        .collect()
}

/// What a node with these settings would say.
pub fn would_say(config: &Config) -> Result<Would, WouldError> {
    let log = Log::new(Ring::new(100, 100), Level::Error, clock::system() as Clock, Box::new(|_| {}));
    let working =
        |spec: Spec| -> Arc<dyn Feature> { Arc::new(Subsystem::new(spec, Box::new(|| Standing::Running))) };
    let features = specs()?.into_iter().map(working).collect();
    let set = Set { version: env!("CARGO_PKG_VERSION").to_owned(), trust: Trust::default() };
    let board = Board::new(set, log, clock::system(), features);
    board.load(|name| load::of_feature(&config.features, name.as_str()));
    for number in 0..board.len() {
        let Some(wanted) = board.wanted(number) else { continue };
        board.take(number, &wanted, Found { standing: Standing::Running, capabilities: vec![] });
    }
    let wrong: Vec<String> =
        board.log.read(|ring| ring.from(0.0).map(|record| record.message.clone()).collect());
    let troubles = config.global.warnings.iter().cloned().chain(board.doubts()).chain(wrong).collect();
    Ok(Would { features: board.v2(), troubles })
}
