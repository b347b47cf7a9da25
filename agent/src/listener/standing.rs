//! How the node stands, as the helper said last: asked in the background, so that nobody who asks the listener waits for it.

use std::sync::Arc;
use std::time::Duration;

use disco_listen::Log;
use disco_listen::log::causes;
use tokio::sync::{oneshot, watch};

use super::helper::{Helper, HelperError};
use crate::runs::{Answer, Ask, Standing};

/// How often the helper is asked.
pub const EVERY: Duration = Duration::from_secs(15);

/// What the helper said last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Known {
    /// It was not asked yet.
    #[default]
    Nothing,
    /// This.
    Said(Box<Standing>),
    /// It gives no answer, and why.
    Silent(String),
}

/// The longest wait for what it says first.
const FIRST: Duration = Duration::from_secs(5);

/// What is known; clones know the same.
#[derive(Debug, Clone, Default)]
pub struct Seen(Arc<watch::Sender<Known>>);

impl Seen {
    /// What is known now.
    pub fn now(&self) -> Known {
        self.0.borrow().clone()
    }

    /// What is known once it was asked: whoever has started this process by coming is not told that nobody answers.
    pub async fn first(&self) -> Known {
        let mut seen = self.0.subscribe();
        // After that long nothing is known.
        let _ = tokio::time::timeout(FIRST, seen.wait_for(|known| *known != Known::Nothing)).await;
        self.now()
    }

    /// Knows this from now on; what was known before.
    pub fn set(&self, known: Known) -> Known {
        self.0.send_replace(known)
    }
}

/// Asks once.
pub async fn ask(helper: &Helper) -> Result<Standing, HelperError> {
    match helper.ask(&Ask::Standing {}).await? {
        Answer::Standing(standing) => Ok(standing),
        Answer::Run(_) | Answer::Runs { .. } | Answer::Refused { .. } => {
            Err(HelperError::Unexpected { path: helper.path().to_owned() })
        }
    }
}

/// Asks over and over; `first` is told of the first answer, or that there is none.
pub async fn watch(helper: Arc<Helper>, seen: Seen, log: Log, first: oneshot::Sender<()>) {
    let mut first = Some(first);
    loop {
        let known = match ask(&helper).await {
            Ok(standing) => Known::Said(Box::new(standing)),
            Err(error) => Known::Silent(causes(&error)),
        };
        let before = seen.set(known.clone());
        // Nobody listens where there is no face.
        let _ = first.take().map(|first| first.send(()));
        match (&before, &known) {
            (Known::Silent(old), Known::Silent(new)) if old == new => {}
            (_, Known::Silent(why)) => log.error(format_args!("{why}")),
            (Known::Silent(_), Known::Said(_)) => log.info(format_args!("the agent's helper answers again")),
            (_, Known::Said(_) | Known::Nothing) => {}
        }
        tokio::time::sleep(EVERY).await;
    }
}
