//! The soak: numbered messages both ways, through a network that keeps breaking.
//!
//! Each client runs four flows at once: events up, events down, requests up, requests down; and on
//! demand streams in both directions, and subscriptions to a topic. Every
//! message is numbered within its flow, and both ends write down what arrives. Meanwhile
//! connections are cut and transports changed, spread evenly over the run by its own progress. At
//! the end the books are compared.

mod chaos;
mod flows;
mod hostile;
mod ledger;
mod plan;
mod report;
mod soak;
mod streams;
mod topics;

pub use ledger::Ledger;
pub use plan::{Plan, Transports};
pub use report::Report;
pub use soak::run;
