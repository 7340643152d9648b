//! Every bad network that the project makes promises about, real proxies included, with the clients
//! of the project and those of others: who connects, how fast, and what is lost.
//!
//! A row is a client and its server as programs of their own, with a network between them. Both
//! ends send a numbered event and a numbered request twenty times a second, and say what they sent,
//! what arrived and what was answered. The runner breaks the network and puts the books together.

mod books;
mod lab;
mod middlebox;
mod namespace;
pub mod native;
mod outcome;
mod place;
mod program;
mod record;
mod report;
mod row;
mod scenario;
mod table;
mod tools;

pub use lab::{Plan, run};
pub use outcome::Outcome;
pub use report::table;
pub use row::Row;
pub use tools::Tools;
