//! The server without any client of ours: bytes in, bytes out.
//!
//! What is sent and expected here is written by hand from the specification, so that server and
//! client cannot be wrong together. Every test runs its own server on its own port, and ends by
//! looking through everything that was logged for what nobody may see.

mod raw {
    mod addresses;
    mod carriers;
    mod close;
    mod fairness;
    mod first_lines;
    mod frames;
    mod heartbeats;
    mod http;
    mod instances;
    mod journal;
    mod limits;
    mod logs;
    mod memory;
    mod origins;
    mod packets;
    mod polling;
    mod posting;
    mod scene;
    mod streaming;
    mod trials;
    mod vectors;
    mod websocket;
}
