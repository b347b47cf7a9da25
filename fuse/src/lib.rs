//! A copy-on-write overlay of a read-only directory tree, served through FUSE.
//!
//! The map, from the bottom up:
//!
//! - `clone` takes the private read-only clone of a tree: the only way this crate ever sees the lower.
//! - `stat`, `place` say what an object is and how to reach it; `dirfd` keeps open directories.
//! - `lower` shows several lower layers as one tree; `scratch` is where changes go.
//! - `mounts`, `ids` give every object one number that is unique in the mount and survives copy-up.
//! - `node` is the table of what the kernel remembers; `links` keeps hard links of the lower together,
//!   and `siblings` finds those that nobody has looked up.
//! - `whiteout` hides names; `content` and `copy_up` bring objects of the lower into the upper.
//! - `moved` lets a directory of the lower have another name, without copying what is in it.
//! - `boundary` keeps the lower's mounts apart.
//! - `lookup`, `readdir`, `attributes`, `xattr`, `data`, `put`, `create`, `remove`, `rename`, `durable`, `shim` are
//!   the requests, as plain functions of [`Overlay`]: no transport in them.
//! - `room` keeps some of the scratch's disk free; `served` counts what serving costs.
//! - `serve` is the one place that knows FUSE, and `knobs` the other: a file system of its own, which shows the kernel's
//!   files and pretends what is written to them; it has nothing of the overlay but the transport.
//! - `layer` decodes an upper directory for whoever compares and merges, without touching the mount, and `layer_at`
//!   parts of it; `below` makes it a lower layer of another overlay; `touched` says which parts are worth it, `seen` what the lower had when it was first shown,
//!   and `private` which files were opened that not everybody can read.
//!
//! What this version does not do:
//!
//! - data go through this process, not past it (no passthrough);
//! - the first change of a hard-linked file some of whose names are neither known nor beside it walks its file
//!   system, and renames wait for that;
//! - changes that others make to the lower while it is served are shown late or not at all: [`Overlay::base`] tells them;
//! - a file that is renamed over another has both names for a moment, an empty directory that is replaced is
//!   gone for a moment, and what is made under a name that the lower does not have is there before its owner
//!   and mode are: whoever kills the process just then finds that in the layer;
//! - a file that several layers know by different names counts the links that its own layer has, until it is changed;
//! - file flags (`chattr`) are not copied.

#![allow(clippy::disallowed_methods, reason = "the overlay has its own descriptors, and no sys")]

mod attributes;
mod below;
mod boundary;
mod clone;
mod content;
mod copy_up;
mod create;
mod data;
mod dirfd;
mod durable;
mod ids;
mod knobs;
mod layer;
mod layer_at;
mod links;
mod lookup;
mod lower;
mod mounts;
mod moved;
mod node;
mod overlay;
mod place;
mod private;
mod put;
mod readdir;
mod remove;
mod rename;
mod room;
mod scratch;
mod seen;
mod serve;
mod served;
mod shim;
mod siblings;
mod stat;
#[cfg(test)]
mod tests;
mod touched;
mod unprivileged;
mod whiteout;
mod xattr;

pub use clone::read_only_clone;
pub use knobs::{Keeper, Knobs, Refusal, Shown, Write, serve_knobs};
pub use layer::{LayerEntry, LayerKind, read_layer};
pub use layer_at::{read_layer_at, read_layer_within};
pub use overlay::{Error, Options, Overlay};
pub use private::Opened;
pub use scratch::Scratch;
pub use seen::{Copied, Look};
pub use serve::{Server, Writes, serve};
pub use served::Work;
pub use shim::Shim;
pub use stat::Stat;
pub use touched::{Extent, Touched};
pub use unprivileged::be_unprivileged;
pub use xattr::is_private_xattr;

/// What a request ends with: a value, or the error number its caller shall see.
type Result<T> = std::result::Result<T, rustix::io::Errno>;
