//! The store that a configuration names, opened.

use std::sync::Arc;

use crate::config::{EtcdAt, StoreAt};
use crate::store::etcd::{AddressError, EtcdStore, Options};
use crate::store::sqlite::SqliteStore;
use crate::store::{Store, StoreError};

/// The store of a configuration. To be called where async code runs.
pub async fn open(at: &StoreAt) -> Result<Arc<dyn Store>, StoreError> {
    match at {
        StoreAt::Sqlite(path) => Ok(Arc::new(SqliteStore::open(path)?)),
        StoreAt::Etcd(at) => Ok(Arc::new(in_etcd(at).await?)),
    }
}

async fn in_etcd(at: &EtcdAt) -> Result<EtcdStore, StoreError> {
    let no_address =
        |error: AddressError| StoreError::Unavailable { store: at.url.clone(), source: error.into() };
    let address = at.url.parse().map_err(no_address)?;
    let options = Options {
        ca: at.ca.clone(),
        cert: at.cert.clone(),
        key: at.key.clone(),
        user: at.user.clone(),
        password_file: at.password_file.clone(),
        ..Options::default()
    };
    EtcdStore::connect(&address, &options).await
}
