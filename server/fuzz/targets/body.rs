//! HTTP bodies with their first lines, read and answered as the server does it.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| bowline_server::fuzzing::body(data));
