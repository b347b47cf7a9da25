//! Tests of the overlay, all in one binary.
fn main() {}
