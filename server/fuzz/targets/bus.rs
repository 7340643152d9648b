//! What comes from other nodes, taken as the server does it.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| bowline_server::fuzzing::bus(data));
