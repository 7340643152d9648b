//! The sessions that are present in a room, on all nodes: for rooms in which the application uses
//! presence.
//!
//! A session is present from the time when the application makes it [enter](Presence::enter) until
//! it leaves or ends, not because it is a member. Each node notifies the members on it of who has
//! entered and left the room, from what it knows of all nodes (`state`). The messages between nodes
//! are in `cluster::presence`.
//!
//! Spec: 06-rooms-and-requests, "Presence".

mod around;
mod notices;
mod presences;
mod state;
mod table;
#[cfg(test)]
mod tests;

pub(crate) use around::Others;
pub(crate) use presences::{Moving, Presences};
pub(crate) use state::{Info, People, RoomState, Whole};
