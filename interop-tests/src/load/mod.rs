//! Loads a server, Bowline's or another, and says what a message costs it.
//!
//! One thread and one fleet of clients on non-blocking sockets, with framing of its own: the clients that
//! libraries offer spend more on a message than the servers that are measured. A dialect is what the clients speak.
//!
//! The figure to compare is the CPU time of the server process for each message: it is steady where rates and
//! latencies depend on the machine's mood. Rates mean something where the server is the limit.

pub(crate) mod bench;
mod client;
mod clock;
pub(crate) mod dialect;
pub(crate) mod fleet;
mod frames;
mod histogram;
mod http;
mod link;
pub(crate) mod measure;
mod peers;
pub(crate) mod report;
mod scenario;
mod verdict;

pub use bench::{Plan, run};
pub use peers::{PEERS, Peer};
pub use report::{plot, table};
pub use scenario::{SCENARIOS, Scenario};
pub use verdict::Verdict;
