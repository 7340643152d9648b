//! Who is present in a room, on all nodes: for rooms in which the application says so.
//!
//! A session is present when the application has it [enter](Presence::enter), and until it leaves
//! or ends; not because it is a member. The members of the room are told who has come and who has
//! gone, each by the node that it is on, out of what that node knows of all others (`state`). What
//! nodes say to each other is in `cluster::presence`.
//!
//! Spec: 06-rooms-and-requests, "Presence".

mod around;
mod presences;
mod state;
mod table;
mod telling;
#[cfg(test)]
mod tests;

pub(crate) use around::Others;
pub(crate) use presences::{Moving, Presences};
pub(crate) use state::{Info, People, RoomState, Whole};
