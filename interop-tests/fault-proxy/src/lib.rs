//! A TCP relay that misbehaves when it is told to.
//!
//! It listens on a loopback port of its own in front of one address. What it does wrong is one
//! value, [`Faults`], which can be built in code or read from a command line
//! ([`Faults::from_words`]; the program is `fault-proxy`), and changed while connections are open.
//! Except for the faults that speak of requests, it knows nothing but bytes, so a TLS connection or
//! a WebSocket passes through like anything else.
//!
//! ```
//! use bowline_fault_proxy::{Cut, FaultProxy};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! # let server = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let proxy = FaultProxy::start(server.local_addr()?).await?;
//! let client = tokio::net::TcpStream::connect(proxy.addr()).await?;
//! proxy.wait_for(|counters| counters.accepted == 1).await;
//! assert_eq!(proxy.cut_all(Cut::Reset), 1);
//! # Ok(())
//! # }
//! ```

mod answers;
mod connection;
mod counters;
mod downlink;
mod ending;
mod faults;
mod headers;
mod life;
mod line;
mod lock;
#[cfg(test)]
mod pieces;
mod posts;
mod proxy;
mod replay;
mod requests;
mod shared;
mod source;
mod uplink;

pub use counters::Counters;
pub use faults::{Answers, Cut, Direction, Faults, Refusal, Upgrade};
pub use proxy::FaultProxy;
