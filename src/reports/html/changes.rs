//! What the run changed, module by module, each with its difference folded in.

use maud::{Markup, html};

use crate::model::attributes::{Attributes, FileKind};
use crate::model::change::{Change, ChangeKind, ContentChange};
use crate::reports::html::words::{bytes, count, visible};
use crate::reports::html::{Page, Shown};

/// With more changes than that a module's are folded.
const MANY: usize = 200;

/// All changes; none where nothing changed.
pub fn changes(page: &Page<'_>) -> Option<Markup> {
    if page.changes.is_empty() {
        return None;
    }
    let groups = page.changes.chunk_by(|one, other| one.recorded.module == other.recorded.module);
    let many = page.changes.len() > MANY;
    Some(html! {
        p.tools.js {
            input type="search" id="find" placeholder="Search paths and differences" aria-label="Search changes" autocomplete="off";
            button type="button" data-all="open" { "Unfold" } button type="button" data-all="close" { "Fold" }
            span id="found" role="status" {}
        }
        @for group in groups {
            details.module open[!many] {
                summary { b { (group[0].recorded.module) } span.dim { " " (count(group.len(), "change", "changes")) } }
                @for shown in group { (one(shown)) }
            }
        }
    })
}

fn one(shown: &Shown) -> Markup {
    let change = &shown.recorded.change;
    let (sign, class, word) = match &change.kind {
        ChangeKind::Created { .. } => ("+", "created", "created"),
        ChangeKind::Modified { .. } => ("~", "modified", "modified"),
        ChangeKind::Deleted { .. } => ("−", "deleted", "deleted"),
    };
    let rows = attributes(change);
    let head = html! {
        span.sign title=(word) { (sign) }
        code { (visible(&change.path.to_string())) }
        span.what { (word) (kind(change)) @if let Some(step) = &shown.recorded.step { ", by " (visible(step)) } }
        span.stat { (stat(shown)) }
    };
    if shown.diff.is_empty() && rows.is_empty() {
        return html! { div.change.(class) { (head) } };
    }
    html! {
        details.change.(class) {
            summary { (head) }
            @if !rows.is_empty() { p.attributes { (compared(&rows)) } }
            @if !shown.diff.is_empty() { pre.diff { (diff(&shown.diff)) } }
            @if shown.cut > 0 { p.dim { "… " (count(shown.cut, "more line", "more lines")) ", which the record has" } }
        }
    }
}

/// What differs on one line; for what came or went as plain text, which is light.
fn compared(rows: &[(String, Option<String>, Option<String>)]) -> Markup {
    let one_side = |(name, before, after): &(String, Option<String>, Option<String>)| match (before, after) {
        (Some(value), None) | (None, Some(value)) => Some(format!("{name} {value}")),
        (Some(_), Some(_)) | (None, None) => None,
    };
    if let Some(words) = rows.iter().map(one_side).collect::<Option<Vec<_>>>() {
        return html! { (visible(&words.join(" · "))) };
    }
    html! {
        @for (name, before, after) in rows {
            span { (visible(name)) " " del { (visible(before.as_deref().unwrap_or("none"))) } ins { (visible(after.as_deref().unwrap_or("none"))) } }
        }
    }
}

fn kind(change: &Change) -> &'static str {
    let (before, after) = change.kind.sides();
    let Some(side) = after.or(before) else { return "" };
    match side.kind {
        FileKind::Regular => "",
        FileKind::Directory => " folder",
        FileKind::Symlink => " link",
        FileKind::CharacterDevice | FileKind::BlockDevice => " device",
        FileKind::Fifo => " pipe",
        FileKind::Socket => " socket",
    }
}

fn stat(shown: &Shown) -> Markup {
    match &shown.recorded.change.content {
        ContentChange::Same => html! {},
        ContentChange::Binary { before, after } => {
            html! { "binary, " (bytes(*before)) " → " (bytes(*after)) }
        }
        ContentChange::Withheld { before, after } => {
            html! { "withheld, for only root can read it, " (bytes(*before)) " → " (bytes(*after)) }
        }
        ContentChange::Large { before, after } => html! { "large, " (bytes(*before)) " → " (bytes(*after)) },
        ContentChange::Text { .. } => {
            let lines = |sign: char| shown.diff.lines().filter(|line| line.starts_with(sign)).count();
            let (come, gone) = (lines('+'), lines('-'));
            html! { @if come > 0 { ins { "+" (come) } } " " @if gone > 0 { del { "−" (gone) } } @if shown.cut > 0 { " and more" } }
        }
    }
}

/// What differs of the attributes, or what a new object has: name, before, after.
fn attributes(change: &Change) -> Vec<(String, Option<String>, Option<String>)> {
    let (before, after) = change.kind.sides();
    let [before, after] = [before, after].map(|side| side.map(listed).unwrap_or_default());
    let mut rows: Vec<(String, Option<String>, Option<String>)> =
        before.into_iter().map(|(name, value)| (name, Some(value), None)).collect();
    for (name, value) in after {
        match rows.iter_mut().find(|row| row.0 == name) {
            Some(row) => row.2 = Some(value),
            None => rows.push((name, None, Some(value))),
        }
    }
    rows.retain(|(_, before, after)| before != after);
    rows
}

fn listed(side: &Attributes) -> Vec<(String, String)> {
    let Attributes {
        kind,
        device: _,
        mode,
        uid: _,
        gid: _,
        owner,
        group,
        size,
        md5,
        target,
        rdev,
        selinux,
        xattrs,
    } = side;
    let mut all = vec![
        ("mode".to_owned(), format!("{:04o}", mode & 0o7777)),
        ("owner".to_owned(), format!("{owner}:{group}")),
    ];
    if *kind == FileKind::Regular {
        all.push(("size".to_owned(), bytes(*size)));
    }
    let known = [("md5", md5), ("target", target), ("selinux", selinux)];
    all.extend(known.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?))));
    all.extend(rdev.map(|(major, minor)| ("device".to_owned(), format!("{major}:{minor}"))));
    all.extend(xattrs.iter().map(|(name, value)| (name.clone(), value.clone())));
    all
}

/// The lines of a difference, those of one kind in one element: a page of many is lighter for it. Each line keeps its sign.
fn diff(text: &str) -> Markup {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let kind = |line: &str| line.chars().next().filter(|sign| "+-@".contains(*sign));
    html! {
        @for run in lines.chunk_by(|one, other| kind(one) == kind(other)) {
            @let lines = run.concat();
            @match kind(run[0]) {
                Some('+') => ins { (visible(&lines)) },
                Some('-') => del { (visible(&lines)) },
                Some(_) => span.hunk { (visible(&lines)) },
                None => (visible(&lines)),
            }
        }
    }
}
