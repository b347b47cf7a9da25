//! One lock.

use disco_dlm::model::{EventKind, Holder, Lock, Requester};
use disco_dlm::native::route::encoded;
use disco_dlm::rules::{Opening, opening};
use maud::{Markup, html};

use super::super::session::Secret;
use super::super::visit::Visitor;
use super::layout::{self, hidden, pager};
use super::locks::state;
use super::words::{ago, policy, until, visible};
use crate::store::{Logged, Page as Found, Paging};
use crate::wire::native::said::{View, stale};

/// What is said before all else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said<'a> {
    /// Nothing.
    Nothing,
    /// That something was done.
    Done(&'a str),
    /// That it was not.
    Wrong(&'a str),
}

/// What is said after an action.
pub fn done(action: &str) -> Said<'static> {
    match action {
        "enable" => Said::Done("The lock is enabled."),
        "disable" => Said::Done("The lock is disabled: it can be neither acquired nor released."),
        "thaw" => Said::Done("The failures are forgotten."),
        "release" => Said::Done("The lock was taken away. Whoever held it may still be working."),
        _ => Said::Nothing,
    }
}

/// All that is on the page.
pub struct Page<'a> {
    pub visitor: &'a Visitor,
    pub lock: &'a Lock,
    pub view: View,
    pub said: Said<'a>,
    /// `None` for who may not see them.
    pub events: Option<&'a Found<Logged>>,
    pub paging: Paging,
}

/// The page.
pub fn page(page: &Page<'_>) -> Markup {
    let Page { visitor, lock, view, said, .. } = page;
    let name = lock.name.as_str();
    let main = html! {
        h1 { "Lock " bdi { (visible(name)) } }
        @match said {
            Said::Nothing => {}
            Said::Done(what) => { p.done role="status" { (what) } }
            Said::Wrong(what) => { p.wrong role="alert" { (what) } }
        }
        p { "State: " (state(lock, *view)) (opens(lock, *view)) }
        (holders(page))
        (queue(lock, *view))
        (failures(lock, *view))
        section aria-labelledby="policy" {
            h2 #policy { "Policy" }
            ul { @for line in policy(&lock.policy, lock.policy.slots.of(view.group), view.stale_hours) {
                li { (visible(&line)) }
            } }
        }
        @if let Some(csrf) = visitor.edits() { (actions(lock, csrf)) }
        (events(page))
    };
    layout::page(name, visitor, "", &main)
}

fn opens(lock: &Lock, view: View) -> Markup {
    html! { @if let Opening::Closed { why, until: at } = opening(&lock.policy.calendar, view.now) {
        ". Closed: " (visible(&why.to_string()))
        @if let Some(at) = at { "; opens " (until(at, view.now)) }
    } }
}

fn holders(page: &Page<'_>) -> Markup {
    let Page { visitor, lock, view, .. } = page;
    html! {
        section aria-labelledby="holders" {
            h2 #holders { "Held by" }
            @if lock.holders.is_empty() { p { "Nobody." } } @else {
                table.cards {
                    thead { tr {
                        th scope="col" { "Host" }
                        th scope="col" { "Since" }
                        th scope="col" { "Last asked" }
                        th scope="col" { "Ends" }
                        th scope="col" { "Token" }
                        th scope="col" { "What it does" }
                        @if visitor.edits().is_some() { th scope="col" { "Take away" } }
                    } }
                    tbody { @for holder in &lock.holders { (holder_row(lock, holder, *view, visitor.edits())) } }
                }
            }
        }
    }
}

fn holder_row(lock: &Lock, holder: &Holder, view: View, csrf: Option<&Secret>) -> Markup {
    html! {
        tr {
            th scope="row" { bdi { (visible(holder.host.as_str())) } }
            td data-label="Since" { (ago(holder.since, view.now)) }
            td data-label="Last asked" {
                (ago(holder.renewed, view.now))
                @if stale(&lock.policy, holder, view) { " " span.mark { "stale" } }
            }
            td data-label="Ends" {
                @match lock.expires(holder) { None => "when released", Some(at) => (until(at, view.now)) }
            }
            td data-label="Token" { (holder.token.0) }
            td.said data-label="What it does" {
                @if holder.note.is_empty() { "not said" } @else { (visible(&holder.note)) }
            }
            @if let Some(csrf) = csrf {
                td data-label="Take away" {
                    @let host = holder.host.as_str();
                    (form(lock, csrf, "release", "Force release", Some(host), &format!("why-{}", holder.token.0)))
                }
            }
        }
    }
}

fn queue(lock: &Lock, view: View) -> Markup {
    html! {
        section aria-labelledby="queue" {
            h2 #queue { "Waiting" }
            @if lock.tickets.is_empty() { p { "Nobody." } } @else {
                ol { @for ticket in &lock.tickets {
                    li { bdi { (visible(ticket.host.as_str())) } ", first asked " (ago(ticket.since, view.now)) }
                } }
            }
        }
    }
}

fn failures(lock: &Lock, view: View) -> Markup {
    html! { @if !lock.failures.is_empty() {
        section aria-labelledby="failures" {
            h2 #failures { "Failed since the last thaw" }
            ul { @for failure in &lock.failures {
                li {
                    bdi { (visible(failure.host.as_str())) } ", " (ago(failure.at, view.now))
                    @if !failure.note.is_empty() { ": " span.said { (visible(&failure.note)) } }
                }
            } }
        }
    } }
}

fn actions(lock: &Lock, csrf: &Secret) -> Markup {
    html! {
        section aria-labelledby="actions" {
            h2 #actions { "Change" }
            @if lock.enabled {
                p { "A disabled lock can be neither acquired nor released." }
                (form(lock, csrf, "disable", "Disable", None, "why-switch"))
            } @else {
                (form(lock, csrf, "enable", "Enable", None, "why-switch"))
            }
            @if !lock.failures.is_empty() {
                p { "Thawing forgets the failures." }
                (form(lock, csrf, "thaw", "Thaw", None, "why-thaw"))
            }
            @if lock.holders.len() > 1 {
                p { "All holders lose the lock, whatever they are doing." }
                (form(lock, csrf, "release", "Force release of all", None, "why-all"))
            }
        }
    }
}

fn form(lock: &Lock, csrf: &Secret, action: &str, title: &str, host: Option<&str>, id: &str) -> Markup {
    html! {
        form.act method="post" action={ "/locks/" (encoded(lock.name.as_str())) "/" (action) } {
            (hidden(csrf))
            @if let Some(host) = host { input type="hidden" name="host" value=(host); }
            label for=(id) { "Why" }
            input #(id) name="reason" required maxlength="1000" autocomplete="off";
            button aria-label=[host.map(|host| format!("{title}: {}", visible(host)))] { (title) }
        }
    }
}

fn events(page: &Page<'_>) -> Markup {
    let Some(found) = page.events else { return html! {} };
    let name = page.lock.name.as_str();
    html! {
        section aria-labelledby="events" {
            h2 #events { "What happened" }
            @if found.items.is_empty() { p { "Nothing that is still kept." } } @else {
                table.cards {
                    thead { tr {
                        th scope="col" { "When" }
                        th scope="col" { "What" }
                        th scope="col" { "Host" }
                        th scope="col" { "Asked by" }
                        th scope="col" { "Why" }
                    } }
                    tbody { @for logged in &found.items { (event_row(logged, page.view)) } }
                }
            }
            (pager(&format!("/locks/{}?", encoded(name)), page.paging, found.total))
        }
    }
}

fn event_row(logged: &Logged, view: View) -> Markup {
    let event = &logged.event;
    html! {
        tr {
            td data-label="When" { (ago(event.at, view.now)) }
            td data-label="What" { (kind(event.kind)) }
            td.host data-label="Host" { @match &event.host { None => "–", Some(host) => { bdi { (visible(host.as_str())) } } } }
            td.host data-label="Asked by" { @match &event.requester {
                Requester::Host(host) => { bdi { (visible(host.as_str())) } }
                Requester::User(user) => { "user " bdi { (visible(user.as_str())) } }
                Requester::Server => "the server",
            } }
            td.said data-label="Why" { @if event.detail.is_empty() { "–" } @else { (visible(&event.detail)) } }
        }
    }
}

fn kind(kind: EventKind) -> &'static str {
    match kind {
        EventKind::Acquire => "acquired",
        EventKind::Release => "released",
        EventKind::ReleaseFailed => "released as failed",
        EventKind::Force => "taken away",
        EventKind::Expire => "ended by itself",
        EventKind::Fail => "refused",
        EventKind::Enable => "enabled",
        EventKind::Disable => "disabled",
        EventKind::Create => "made",
        EventKind::Update => "changed",
        EventKind::Delete => "removed",
        EventKind::Policy => "policy changed",
        EventKind::Freeze => "frozen",
        EventKind::Thaw => "thawed",
    }
}
