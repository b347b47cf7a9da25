//! What can go wrong with the file, and what a client hears of it.

use std::io;
use std::path::Path;
use std::sync::Arc;

use rusqlite::ErrorCode;
use thiserror::Error;

use crate::store::StoreError;

/// Something went wrong. It can be cloned: all requests of one transaction hear of it.
#[derive(Debug, Clone, Error)]
pub enum Trouble {
    /// SQLite says so.
    #[error("SQLite")]
    Sql(#[source] Arc<rusqlite::Error>),
    /// The file or its folder cannot be made.
    #[error("the file")]
    File(#[source] Arc<io::Error>),
    /// A row that makes no sense.
    #[error("{what} makes no sense")]
    Row {
        /// Which.
        what: String,
        /// Why.
        #[source]
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// A newer disco made it.
    #[error("form {0} is newer than this program")]
    Newer(u32),
    /// Another program's file.
    #[error("it is no store of locks")]
    Foreign,
    /// Its thread or a runtime has ended.
    #[error("it is closed")]
    Closed,
}

/// What is done with the file, or why not.
pub type Done<T> = Result<T, Trouble>;

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Trouble {
        Trouble::Sql(Arc::new(error))
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Trouble {
        Trouble::File(Arc::new(error))
    }
}

impl Trouble {
    /// A row that makes no sense, and why.
    pub fn row(
        what: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Trouble {
        Trouble::Row { what: what.into(), source: Arc::from(source.into()) }
    }

    /// Whether it is about one row alone, so that other requests can go on.
    pub fn is_of_one_row(&self) -> bool {
        matches!(self, Trouble::Row { .. }) || self.code() == Some(ErrorCode::ConstraintViolation)
    }

    /// Whether another process is at it, so that the same can work later.
    pub fn is_busy(&self) -> bool {
        matches!(self.code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
    }

    fn code(&self) -> Option<ErrorCode> {
        match self {
            Trouble::Sql(error) => error.sqlite_error_code(),
            Trouble::File(_)
            | Trouble::Row { .. }
            | Trouble::Newer(_)
            | Trouble::Foreign
            | Trouble::Closed => None,
        }
    }

    /// As every store says it.
    pub fn of_store(self, path: &Path, known: u32) -> StoreError {
        let store = path.display().to_string();
        let damaged = |what: &str, source: Trouble| StoreError::Damaged {
            what: String::from(what),
            store: store.clone(),
            source: Box::new(source),
        };
        match &self {
            Trouble::Newer(found) => StoreError::Newer { store, found: *found, known },
            Trouble::Row { what, source } => {
                StoreError::Damaged { what: what.clone(), store, source: Box::new(source.clone()) }
            }
            Trouble::Foreign => damaged("the file", self),
            Trouble::Sql(_) => match self.code() {
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => damaged("the file", self),
                _ => StoreError::Unavailable { store, source: Box::new(self) },
            },
            Trouble::File(_) | Trouble::Closed => StoreError::Unavailable { store, source: Box::new(self) },
        }
    }
}
