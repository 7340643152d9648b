//! Attacks on a server of the project, and what they cost: each against a process of its own, with
//! an innocent client beside it.
//!
//! An attack is a function that does its worst and returns the connections that it still holds.
//! They stay open while the server is watched afterwards: what a peer holds shall not depend on its
//! leaving. Each row has bounds, and one that is beyond a bound has failed.

mod attack;
mod check;
mod churn;
mod floods;
mod innocent;
mod piled;
mod plan;
mod recovery;
mod report;
mod scenario;
pub mod server;
mod stalled;
mod target;
mod unread;
mod wire;
mod words;

pub use attack::run;
pub use plan::Plan;
pub use report::{Report, Row};
