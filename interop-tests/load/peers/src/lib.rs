//! What the peers have in common.

/// The port to listen on, on 127.0.0.1: the last argument.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn port() -> u16 {
    let last = std::env::args().next_back();
    last.and_then(|port| port.parse().ok()).expect("the last argument is a port")
}
