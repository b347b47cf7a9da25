//! The list of hosts.

use maud::{Markup, html};

use super::super::lists::Holds;
use super::super::visit::Visitor;
use super::layout::{page, pager};
use super::locks::link;
use super::words::{exactly, visible};
use crate::access::Host;
use crate::store::{Page, Paging};

/// The list.
pub fn list(visitor: &Visitor, found: &Page<Host>, holds: &Holds, paging: Paging) -> Markup {
    let Page { items: hosts, total } = found;
    let main = html! {
        h1 { "Hosts" }
        @if hosts.is_empty() {
            p { "No host is known. On the server:" }
            pre { code { "disco dlm host add web1.example.com" } }
        } @else {
            p { @match *total { 1 => "One host.", _ => { (total) " hosts." } } }
            table.cards {
                thead { tr {
                    th scope="col" { "Name" }
                    th scope="col" { "Last check-in" }
                    th scope="col" { "Holds" }
                    th scope="col" { "Groups" }
                    th scope="col" { "May acquire" }
                } }
                tbody { @for host in hosts {
                    tr {
                        th scope="row" { bdi { (visible(host.name.as_str())) } }
                        td data-label="Last check-in" {
                            @match host.last_checkin { None => "never", Some(at) => (exactly(at)) }
                        }
                        td data-label="Holds" {
                            @match holds.get(&host.name) {
                                None => "nothing",
                                Some(locks) => { ul.plain { @for lock in locks { li { (link(lock.as_str())) } } } }
                            }
                        }
                        td data-label="Groups" {
                            @if host.groups.is_empty() { "none" }
                            @for (n, group) in host.groups.iter().enumerate() {
                                @if n > 0 { ", " } bdi { (visible(group)) }
                            }
                        }
                        td data-label="May acquire" { @if host.may_acquire { "yes" } @else { "no" } }
                    }
                } }
            }
        }
        (pager("/hosts?", paging, *total))
    };
    page("Hosts", visitor, "/hosts", &main)
}
