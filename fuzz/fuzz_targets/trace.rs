//! See `trace` in `src/readers.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rgctl_fuzz::readers::trace(bytes));
