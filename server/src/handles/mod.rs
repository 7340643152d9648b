//! The handles of applications: a session, an audience, a room's history, who is present in it, and
//! the requests that they send.

mod audience;
mod history;
mod items;
mod namespace;
mod presence;
mod request;
mod socket;
mod topic;

pub use audience::{Audience, Recipient, Replies, RequestAll};
pub use history::History;
pub(crate) use items::RawItems;
pub use items::{Chunks, ItemStream, Items};
pub use namespace::Namespace;
pub use presence::Presence;
pub use request::Request;
pub use socket::Socket;
pub use topic::Topic;
