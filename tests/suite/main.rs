//! The one test binary of the program.
