//! Requests to the lock server.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| disco_fuzz::server::speak(input));
