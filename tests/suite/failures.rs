//! The eight failures of the first disco, each as tests of the whole program: what it did must not happen again.

mod merging;
mod noop;
mod planning;
mod records;
