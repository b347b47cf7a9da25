//! Some connections that read, on threads that may block. What is read is as of one moment, and not before the question.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::file;
use super::trouble::{Done, Trouble};

/// How many read at once.
const READERS: usize = 4;

/// The connections that nobody uses at this moment; they are made as they are needed.
pub struct Readers {
    path: PathBuf,
    free: Mutex<Vec<Connection>>,
    places: Semaphore,
}

impl Readers {
    /// None yet, for this file.
    pub fn new(path: PathBuf) -> Readers {
        Readers { path, free: Mutex::new(Vec::new()), places: Semaphore::new(READERS) }
    }

    /// What this reads, in one transaction.
    pub async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        read: impl FnOnce(&Connection) -> Done<T> + Send + 'static,
    ) -> Done<T> {
        let _place = self.places.acquire().await.map_err(|_| Trouble::Closed)?;
        let readers = self.clone();
        let done = tokio::task::spawn_blocking(move || readers.read_now(read)).await;
        done.unwrap_or(Err(Trouble::Closed))
    }

    fn read_now<T>(&self, read: impl FnOnce(&Connection) -> Done<T>) -> Done<T> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut connection = free.map_or_else(|| file::reading(&self.path), Ok)?;
        let transaction = connection.transaction()?;
        let found = read(&transaction);
        transaction.finish()?;
        if found.is_ok() {
            self.free.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
        found
    }
}
