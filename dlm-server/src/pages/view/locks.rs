//! The list of locks.

use disco_dlm::model::Lock;
use disco_dlm::native::route::encoded;
use maud::{Markup, html};

use super::super::visit::Visitor;
use super::layout::{page, pager};
use super::words::{ago, visible};
use crate::search::{Order, OrderField};
use crate::store::Paging;
use crate::wire::native::said::{View, stale};

/// What a list was asked for.
pub struct List<'a> {
    pub visitor: &'a Visitor,
    pub search: &'a str,
    pub order: &'a str,
    pub paging: Paging,
}

/// Where a lock has its page. `.` and `..` have none: browsers take them away, however they are written.
pub fn path(name: &str) -> Option<String> {
    (!matches!(name, "." | "..")).then(|| format!("/locks/{}", encoded(name)))
}

/// A link to a lock.
pub fn link(name: &str) -> Markup {
    html! { @match path(name) {
        Some(path) => { a href=(path) { bdi { (visible(name)) } } }
        None => { bdi { (visible(name)) } }
    } }
}

/// The list.
pub fn list(list: &List<'_>, order: Order, locks: &[(Lock, View)], total: u64) -> Markup {
    let main = html! {
        h1 { "Locks" }
        (search_box(list, None))
        p { @match total { 0 => "No lock passes this search.", 1 => "One lock.", _ => { (total) " locks." } } }
        @if !locks.is_empty() {
            table.cards {
                thead { tr {
                    (head(list, order, OrderField::Name, "name", "Name"))
                    (head(list, order, OrderField::Host, "host", "Held by"))
                    th scope="col" { "Since" }
                    th scope="col" { "Waiting" }
                    (head(list, order, OrderField::Enabled, "enabled", "State"))
                } }
                tbody { @for (lock, view) in locks { (row(lock, *view)) } }
            }
        }
        (pager(&format!("/locks?search={}&order={}&", encoded(list.search), encoded(list.order)), list.paging, total))
    };
    page("Locks", list.visitor, "/locks", &main)
}

/// A search that cannot be understood.
pub fn not_understood(list: &List<'_>, what: &str) -> Markup {
    page("Locks", list.visitor, "/locks", &html! { h1 { "Locks" } (search_box(list, Some(what))) })
}

fn search_box(list: &List<'_>, wrong: Option<&str>) -> Markup {
    html! {
        form.search role="search" action="/locks" {
            label for="search" { "Search" }
            input #search type="search" name="search" value=(list.search) maxlength="4096" aria-describedby="search-help"
                aria-invalid=[wrong.map(|_| "true")];
            @if !list.order.is_empty() { input type="hidden" name="order" value=(list.order); }
            button { "Search" }
            @if !list.search.is_empty() { a href="/locks" { "All locks" } }
        }
        @if let Some(wrong) = wrong { p.wrong role="alert" { (visible(wrong)) } }
        p.help #search-help {
            "For example " code { "web" } ", " code { "host = web1.example.com" } ", " code { "enabled = false" } ", "
            code { "name ~ db and has host" } "."
        }
    }
}

/// A head by which the list can be ordered.
fn head(list: &List<'_>, order: Order, by: OrderField, word: &str, title: &str) -> Markup {
    let ours = order.by == by;
    let down = ours && !order.descending;
    let to =
        format!("/locks?search={}&order={word}{}", encoded(list.search), if down { "%20DESC" } else { "" });
    let sorted = match (ours, order.descending) {
        (false, _) => None,
        (true, false) => Some("ascending"),
        (true, true) => Some("descending"),
    };
    html! {
        th scope="col" aria-sort=[sorted] {
            a href=(to) { (title) @match sorted { Some("ascending") => " ▲", Some(_) => " ▼", None => {} } }
        }
    }
}

fn row(lock: &Lock, view: View) -> Markup {
    let first = lock.holders.first();
    html! {
        tr {
            th scope="row" { (link(lock.name.as_str())) }
            td.host data-label="Held by" {
                @match first {
                    None => "nobody",
                    Some(holder) => { bdi { (visible(holder.host.as_str())) } }
                }
                @if lock.holders.len() > 1 { " and " (lock.holders.len() - 1) " more" }
            }
            td data-label="Since" { @match first { None => "–", Some(holder) => (ago(holder.since, view.now)) } }
            td data-label="Waiting" { (lock.tickets.len()) }
            td data-label="State" { (state(lock, view)) }
        }
    }
}

/// What is to be known of a lock at once, in words.
pub fn state(lock: &Lock, view: View) -> Markup {
    let stale = lock.holders.iter().filter(|holder| stale(&lock.policy, holder, view)).count();
    html! {
        @if !lock.enabled { span.mark { "disabled" } " " }
        @if lock.frozen() { span.mark { "frozen" } " " }
        @if stale > 0 { span.mark { "stale" } " " }
        @if lock.enabled && !lock.frozen() && stale == 0 {
            @if lock.holders.is_empty() { "free" } @else { "held" }
        }
    }
}

/// The page where there is no lock yet.
pub fn welcome(visitor: &Visitor) -> Markup {
    let main = html! {
        h1 { "No locks yet" }
        p { "A lock lets one host at a time do something, such as installing updates, or as many as its policy says." }
        p { "The first host that asks for a lock makes it. With disco:" }
        pre { code { "disco lock acquire web-updates" } }
        p { "With curl, and a certificate of this server's CA:" }
        pre { code {
            "curl -X PUT -H 'Content-Type: application/json' \\\n  --key host.key --cert host.pem \\\n  https://THIS-SERVER/api/dlmlocks/web-updates/lock"
        } }
    };
    page("Welcome", visitor, "/locks", &main)
}
