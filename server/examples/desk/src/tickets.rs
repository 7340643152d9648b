//! The tickets, and who may see which.

use bowline_server::{Failure, Socket};
use serde::Serialize;

use crate::people::Person;

/// A customer's question.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Ticket {
    pub(crate) id: u32,
    pub(crate) subject: &'static str,
    pub(crate) customer: &'static str,
}

/// All that this person may see.
pub(crate) fn of(person: &Person) -> Vec<Ticket> {
    TICKETS.into_iter().filter(|ticket| person.agent || ticket.customer == person.name).collect()
}

/// The ticket, if it is there and this person may see it: others are not told which of the two.
pub(crate) fn find(person: &Person, id: u32) -> Option<Ticket> {
    of(person).into_iter().find(|ticket| ticket.id == id)
}

/// The topic of a ticket that the client is subscribed to, so that it may speak there.
pub(crate) fn open(socket: &Socket, id: u32) -> Result<String, Failure> {
    let topic = format!("ticket/{id}");
    if socket.is_subscribed(&topic) { Ok(topic) } else { Err(Failure::new("no-such-ticket")) }
}

const TICKETS: [Ticket; 3] = [
    Ticket { id: 1, subject: "The sheet slips off the cleat", customer: "ada" },
    Ticket { id: 2, subject: "Which knot for a wet rope?", customer: "ben" },
    Ticket { id: 3, subject: "A left-handed marlinspike", customer: "ada" },
];
