//! The lists: locks and hosts.

use std::collections::BTreeMap;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use disco_dlm::model::{HostName, Lock, LockName, Requester};
use disco_dlm::rules::Operation;
use serde::Deserialize;

use super::visit::{Visitor, away};
use super::{Pages, page, view};
use crate::access::{Host, Permission};
use crate::search::{Comparison, Field, Filter, Order, parse};
use crate::store::{Ask, Page, Paging, StoreError, Told, Which};
use crate::wire::native::said::{View, lapsed, needs_group};

/// Who holds what.
pub type Holds = BTreeMap<HostName, Vec<LockName>>;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Listed {
    search: String,
    order: String,
    page: Option<u64>,
}

impl Pages {
    pub(super) async fn look(&self, which: Which) -> Result<Told, StoreError> {
        let ask = Ask { which, requester: Requester::Server, operation: Operation::Show };
        self.app.store.ask(ask).await
    }

    pub(super) fn view(&self, told: &Told) -> View {
        View { now: told.at, group: told.group, stale_hours: self.app.set.stale_hours }
    }

    fn paging(&self, page: Option<u64>) -> Paging {
        Paging { page: page.unwrap_or(1).max(1), per_page: Some(self.app.set.per_page.clamp(1, 200)) }
    }

    /// These locks as they are now, each with what has to be known to show it.
    async fn now(&self, locks: Vec<Lock>) -> Result<Vec<(Lock, View)>, StoreError> {
        let mut shown = vec![];
        let mut view: Option<View> = None;
        for lock in locks {
            let seen = match view.filter(|_| !needs_group(&lock)) {
                Some(view) => view,
                None => self.view(&self.look(Which::Numbered(lock.id)).await?),
            };
            view = Some(seen);
            shown.push((lapsed(&lock, seen), seen));
        }
        Ok(shown)
    }
}

/// `GET /locks`
pub async fn locks(
    State(pages): State<Pages>,
    visitor: Visitor,
    asked: Result<Query<Listed>, QueryRejection>,
) -> Response {
    if let Some(refused) = visitor.lacks(Permission::ViewDlmlocks) {
        return refused;
    }
    let Ok(Query(asked)) = asked else { return Redirect::to("/locks").into_response() };
    let list = view::locks::List {
        visitor: &visitor,
        search: &asked.search,
        order: &asked.order,
        paging: pages.paging(asked.page),
    };
    let understood =
        parse::filter(&asked.search).and_then(|filter| Ok((filter, parse::order(&asked.order)?)));
    let (filter, order) = match understood {
        Ok(understood) => understood,
        Err(error) => {
            return page(StatusCode::BAD_REQUEST, view::locks::not_understood(&list, &error.to_string()));
        }
    };
    match pages.listed(&filter, order, list.paging).await {
        Ok((shown, total)) if total == 0 && filter == Filter::All && shown.is_empty() => {
            page(StatusCode::OK, view::locks::welcome(&visitor))
        }
        Ok((shown, total)) => page(StatusCode::OK, view::locks::list(&list, order, &shown, total)),
        Err(error) => away(error),
    }
}

impl Pages {
    async fn listed(
        &self,
        filter: &Filter,
        order: Order,
        paging: Paging,
    ) -> Result<(Vec<(Lock, View)>, u64), StoreError> {
        let found = self.app.store.locks(filter, order, paging).await?;
        Ok((self.now(found.items).await?, found.total))
    }

    /// A page of hosts, and who of them holds what now.
    async fn known(&self, paging: Paging) -> Result<(Page<Host>, Holds), StoreError> {
        let found = self.app.store.hosts(paging).await?;
        let mut holds = Holds::new();
        for host in &found.items {
            let filter = Filter::Compare(Field::Host, Comparison::Equal, host.name.to_string());
            let all = Paging { page: 1, per_page: None };
            let locks = self.app.store.locks(&filter, Order::default(), all).await?.items;
            for (lock, _) in self.now(locks).await? {
                if lock.holder(&host.name).is_some() {
                    holds.entry(host.name.clone()).or_default().push(lock.name);
                }
            }
        }
        Ok((found, holds))
    }
}

/// `GET /hosts`
pub async fn hosts(
    State(pages): State<Pages>,
    visitor: Visitor,
    asked: Result<Query<Listed>, QueryRejection>,
) -> Response {
    if let Some(refused) = visitor.lacks(Permission::ViewHosts) {
        return refused;
    }
    let paging = pages.paging(asked.ok().and_then(|Query(asked)| asked.page));
    match pages.known(paging).await {
        Ok((found, holds)) => page(StatusCode::OK, view::hosts::list(&visitor, &found, &holds, paging)),
        Err(error) => away(error),
    }
}
