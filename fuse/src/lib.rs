//! A copy-on-write overlay of a read-only directory tree, served through FUSE.
