//! What every page has around it.

use maud::{DOCTYPE, Markup, html};

use super::super::session::Secret;
use super::super::visit::Visitor;
use super::words::visible;
use crate::access::Permission;
use crate::store::Paging;

/// A page for somebody.
pub fn page(title: &str, visitor: &Visitor, here: &str, main: &Markup) -> Markup {
    let link = |path: &str, text: &str| {
        html! { a href=(path) aria-current=[(here == path).then_some("page")] { (text) } }
    };
    let nav = html! {
        nav aria-label="Pages" {
            (link("/locks", "Locks"))
            @if visitor.may(Permission::ViewHosts) { (link("/hosts", "Hosts")) }
        }
        div.who {
            span { "Logged in as " b { (visible(visitor.login.as_str())) } }
            @if let Some(csrf) = &visitor.csrf {
                form method="post" action="/logout" { (hidden(csrf)) button { "Log out" } }
            }
        }
    };
    whole(title, Some(&nav), main)
}

/// A page that says what is wrong.
pub fn trouble(what: &str) -> Markup {
    whole(
        "Not done",
        None,
        &html! { h1 { "Not done" } p role="alert" { (visible(what)) } p { a href="/locks" { "To the locks" } } },
    )
}

/// Any page.
pub fn whole(title: &str, nav: Option<&Markup>, main: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (visible(title)) " – disco locks" }
                link rel="stylesheet" href="/pages/style.css";
            }
            body {
                a.skip href="#main" { "To the content" }
                header { a.home href="/locks" { "disco locks" } @if let Some(nav) = nav { (nav) } }
                main #main { (main) }
            }
        }
    }
}

/// What proves that a form is of this session.
pub fn hidden(csrf: &Secret) -> Markup {
    html! { input type="hidden" name="csrf" value=(csrf.text()); }
}

/// Links to the pages beside this one. `path` has its own parameters, each with `&` at its end.
pub fn pager(path: &str, paging: Paging, total: u64) -> Markup {
    let size = paging.per_page.unwrap_or(total).max(1);
    let last = total.div_ceil(size).max(1);
    let to = |page: u64| format!("{path}page={page}");
    html! {
        @if last > 1 || paging.page > 1 {
            nav.pager aria-label="Pages of this list" {
                @if paging.page > 1 { a rel="prev" href=(to((paging.page - 1).min(last))) { "Previous" } }
                span { "Page " (paging.page) " of " (last) }
                @if paging.page < last { a rel="next" href=(to(paging.page + 1)) { "Next" } }
            }
        }
    }
}
