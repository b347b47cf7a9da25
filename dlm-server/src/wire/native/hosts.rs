//! Hosts that the server knows, and who it takes the caller for.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use disco_dlm::model::{HostName, Lock, LockName, Requester};
use disco_dlm::native::say::{HostSaid, HostsSaid, WhoSaid};
use disco_dlm::rules::Operation;
use serde::Deserialize;

use super::Native;
use super::asked::{Asked, NamedHost, Who};
use super::error::Problem;
use super::locks::paging;
use super::said::{View, lapsed, rfc3339};
use crate::access::{Host, Permission};
use crate::app::Caller;
use crate::search::{Comparison, Field, Filter, Order};
use crate::store::{Paging, StoreError, Which};

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct HostsAsked {
    page: Option<u64>,
    per_page: Option<u64>,
}

/// `GET /whoami`
pub async fn whoami(who: Who) -> Result<Json<WhoSaid>, Problem> {
    let permissions = match &who.0 {
        Caller::Host(_) => vec![],
        Caller::User { permissions, .. } => permissions.iter().map(|one| one.name().to_owned()).collect(),
        Caller::Nobody(why) => return Err(Problem::NotKnown(why.clone())),
    };
    let requester = who.0.requester().ok_or(Problem::NotKnown(crate::app::NotKnown::Silent))?;
    Ok(Json(WhoSaid { requester, permissions, server: env!("CARGO_PKG_VERSION").to_owned() }))
}

/// `GET /hosts`
pub async fn list(
    State(native): State<Native>,
    who: Who,
    asked: Result<Asked<HostsAsked>, Problem>,
) -> Result<Json<HostsSaid>, Problem> {
    who.user(Permission::ViewHosts)?;
    let Asked(asked) = asked?;
    let paging = paging(asked.page, asked.per_page, native.app.set.per_page)?;
    let page = native.app.store.hosts(paging).await?;
    let holds = native.holds(&Filter::Has(Field::Host)).await?;
    let hosts = page.items.iter().map(|host| host_said(host, &holds)).collect();
    Ok(Json(HostsSaid { hosts, total: page.total }))
}

/// `GET /hosts/NAME`
pub async fn show(
    State(native): State<Native>,
    who: Who,
    NamedHost(name): NamedHost,
) -> Result<Json<HostSaid>, Problem> {
    if !matches!(&who.0, Caller::Host(host) if *host == name) {
        who.user(Permission::ViewHosts)?;
    }
    let Some(host) = native.app.store.host(&name).await? else { return Err(Problem::NoHost(name)) };
    let filter = Filter::Compare(Field::Host, Comparison::Equal, name.to_string());
    let holds = native.holds(&filter).await?;
    Ok(Json(host_said(&host, &holds)))
}

impl Native {
    /// Who holds what of the locks that pass.
    async fn holds(&self, filter: &Filter) -> Result<BTreeMap<HostName, Vec<LockName>>, StoreError> {
        let all = Paging { page: 1, per_page: None };
        let locks = self.app.store.locks(filter, Order::default(), all).await?.items;
        let Some(first) = locks.first() else { return Ok(BTreeMap::new()) };
        // What has lapsed by the store's clock is held no more.
        let told = self.ask(Which::Numbered(first.id), Requester::Server, Operation::Show).await?;
        Ok(held_by(&locks, self.view(&told)))
    }
}

/// Who holds what of these locks.
pub fn held_by(locks: &[Lock], view: View) -> BTreeMap<HostName, Vec<LockName>> {
    let mut holds: BTreeMap<HostName, Vec<LockName>> = BTreeMap::new();
    for lock in locks {
        for holder in lapsed(lock, view).holders {
            holds.entry(holder.host).or_default().push(lock.name.clone());
        }
    }
    holds
}

fn host_said(host: &Host, holds: &BTreeMap<HostName, Vec<LockName>>) -> HostSaid {
    HostSaid {
        id: host.id.0,
        name: host.name.clone(),
        groups: host.groups.iter().cloned().collect(),
        may_acquire: host.may_acquire,
        enrolled: rfc3339(host.enrolled),
        last_checkin: host.last_checkin.map(rfc3339),
        holds: holds.get(&host.name).cloned().unwrap_or_default(),
    }
}
