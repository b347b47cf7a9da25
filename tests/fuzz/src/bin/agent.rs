//! Requests to the agent.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| disco_fuzz::agent::speak(input));
