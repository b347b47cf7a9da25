//! Tests of the overlay through a real mount, all in one binary. Every test mounts in a namespace of its own.

#![allow(clippy::disallowed_methods, reason = "tests make their own files")]
#![allow(clippy::unwrap_used)]

mod apart;
mod copy_up;
mod descriptors;
mod immutable;
mod killed;
mod knobs;
mod layer;
mod layers;
mod links;
mod listing;
mod load;
mod names;
mod nested;
mod open_files;
mod owners;
mod program;
mod random;
mod shims;
mod special;
mod tree;
mod world;
