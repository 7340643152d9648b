//! What applications hold of the session layer: a session, a room's history, who is present in it.

mod history;
mod presence;
mod socket;

pub use history::History;
pub use presence::Presence;
pub use socket::Socket;
