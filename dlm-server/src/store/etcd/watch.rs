//! Tells when locks or logs change, whichever server changes them: a watch at one member, and at the next one when that ends, hangs
//! or has lost the others. What was missed meanwhile is told as one change.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use tokio::sync::watch::Sender;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::chance;
use super::client::Client;
use super::keys::Keys;
use super::wire::{Operation, Transaction, TransactionSaid, watch};

/// How often the watched member is asked whether it still has a majority: one that hangs says nothing, and nor does a quiet one.
const LOOK: Duration = Duration::from_secs(3);
/// The pause before the next member is tried, which grows up to the longest.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// Watches for ever.
pub async fn watch_changes(client: Arc<Client>, keys: Keys, changes: Sender<u64>, patience: Duration) {
    let mut pause = PAUSE;
    for member in (0..client.members()).cycle() {
        if let Ok(body) = client.open(member, "/v3/watch", &watch(&keys.watched())).await {
            // What happened before this watch is not told by it.
            changes.send_modify(|count| *count += 1);
            if follow(&client, &keys, &changes, member, body, patience).await {
                pause = PAUSE;
            }
        }
        sleep(chance::part(pause)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Tells what a watch says until it says no more. Whether it ever said anything.
async fn follow(
    client: &Client,
    keys: &Keys,
    changes: &Sender<u64>,
    member: usize,
    mut body: Incoming,
    patience: Duration,
) -> bool {
    let mut said = false;
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    look.reset();
    loop {
        tokio::select! {
            frame = body.frame() => {
                let Some(Ok(frame)) = frame else { return said };
                if frame.data_ref().is_some_and(ends) {
                    return said;
                }
                said = true;
                changes.send_modify(|count| *count += 1);
            }
            _ = look.tick() => {
                let then = vec![Operation::Get(keys.form())];
                let body = Bytes::from(Transaction { then, ..Transaction::default() }.json().to_string());
                if client.ask_one::<TransactionSaid>(member, "/v3/kv/txn", body, patience).await.is_err() {
                    return said;
                }
            }
        }
    }
}

/// Whether these are words with which a watch ends: `"error"` or `"canceled":true`. Names and values are in base64 and cannot say so. Split in
/// two they are not seen; then the next look, or the end of the stream, tells.
fn ends(data: &Bytes) -> bool {
    let has = |word: &[u8]| data.windows(word.len()).any(|window| window == word);
    has(b"\"error\"") || has(b"\"canceled\":true")
}
