//! Loads a server, Bowline's or another, and says what a message costs it.
//!
//! One thread and one fleet of clients on non-blocking sockets, with the framing of the raw client:
//! the clients that libraries offer spend more on a message than the servers that are measured. A
//! dialect is what the clients speak.
//!
//! The figure to compare is the CPU time of the server process for each message: it is steady where
//! rates and latencies depend on the machine's mood. Rates mean something where the server is the
//! limit.

mod bench;
mod check;
mod client;
mod clock;
mod dialect;
mod fleet;
mod http;
mod latencies;
mod link;
mod measure;
mod peers;
mod report;
mod scenario;
mod tally;
mod target;
mod verdict;

pub use bench::{Plan, Server, own, run};
pub use dialect::{Role, Transport};
pub use fleet::{Fleet, Traffic};
pub use measure::{idle_bytes, text};
pub use peers::{PEERS, Peer};
pub use report::{median, plot, svg, table};
pub use scenario::{SCENARIOS, Scenario};
pub use tally::Tally;
pub use verdict::Verdict;
