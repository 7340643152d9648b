//! A client that is attached over a WebSocket: from its frames to packets.

use bowline_protocol::{Batch, Limits, Packet, ProtocolError};
use bytes::Bytes;

use super::frames::{FrameError, FrameReader, Inbound};
use super::outgoing::Outgoing;
use crate::session::{Downlink, Intake};
use crate::turn::Turn;

pub(super) struct Attached {
    pub(super) downlink: Downlink,
    /// The number of the next tracked packet of the client.
    next: u64,
    /// The message that is being received: the packets of it that the inbox had no room for, or
    /// that wait for the next turn.
    message: Option<Message>,
}

/// A message, without the packets that the session has accepted.
enum Message {
    Text(Batch),
    Binary(Bytes),
}

/// How many of the arrived frames the session has accepted.
pub(super) enum Taken {
    /// All of them.
    All,
    /// As many as one turn allows.
    Rest,
    /// As many as the inbox has room for: the session wakes this connection when it has more.
    Full,
    /// All before a frame that ends the conversation.
    Last(Last),
}

/// A frame after which nothing is read.
pub(super) enum Last {
    /// A close, with its code.
    Close(Option<u16>),
    Broken(FrameError),
}

impl Attached {
    /// A client whose first message has these packets after its first line.
    pub(super) const fn new(downlink: Downlink, next: u64, rest: Batch) -> Self {
        Self { downlink, next, message: Some(Message::Text(rest)) }
    }

    /// True if the session has accepted everything that has arrived.
    pub(super) fn has_received_all(&self, reader: &FrameReader) -> bool {
        self.message.is_none() && reader.is_idle()
    }

    /// Passes the packets of all arrived frames to the session, under one lock as far as possible.
    pub(super) fn take(
        &mut self,
        reader: &mut FrameReader,
        limits: &Limits,
        turn: &Turn,
        out: &mut Outgoing,
    ) -> Taken {
        let Self { downlink, next, message } = self;
        let mut arrived = Arrived { reader, message, limits, turn, out, last: None };
        // The first message is read without the session's lock: it may be large.
        while arrived.has_message() {
            let taken = downlink.receive(next, turn, || arrived.next_packet());
            let is_full = matches!(taken, Ok(Intake::Full));
            downlink.hold_unread(if is_full { arrived.size() } else { 0 });
            match taken {
                Ok(Intake::Full) => return Taken::Full,
                Ok(Intake::Rest) => return Taken::Rest,
                Ok(Intake::Done) => {}
                // Packets after an invalid one, or from a client that has lost the session, are
                // dropped.
                Ok(Intake::Refused) | Err(_) => *arrived.message = None,
            }
        }
        match arrived.last {
            Some(last) => Taken::Last(last),
            None if turn.is_over() => Taken::Rest,
            None => Taken::All,
        }
    }
}

/// The frames that have arrived.
struct Arrived<'a> {
    reader: &'a mut FrameReader,
    message: &'a mut Option<Message>,
    limits: &'a Limits,
    turn: &'a Turn,
    out: &'a mut Outgoing,
    last: Option<Last>,
}

impl Arrived<'_> {
    fn has_message(&mut self) -> bool {
        if self.message.is_none() && self.last.is_none() {
            *self.message = self.next_message();
        }
        self.message.is_some()
    }

    /// The bytes that have arrived and were not accepted.
    fn size(&self) -> usize {
        let message = match &*self.message {
            Some(Message::Text(batch)) => batch.size(),
            Some(Message::Binary(message)) => message.len(),
            None => 0,
        };
        message + self.reader.unread().len()
    }

    /// The next packet of the messages that have arrived completely. `None` also before a message
    /// in fragments: it may be as large as the limit allows, and is read without the session's
    /// lock.
    fn next_packet(&mut self) -> Option<Result<Packet, ProtocolError>> {
        loop {
            match self.message {
                Some(Message::Text(batch)) => {
                    if let Some(packet) = batch.next_packet() {
                        return Some(packet);
                    }
                    *self.message = None;
                }
                Some(Message::Binary(message)) => {
                    let packet = binary(message, self.limits);
                    *self.message = None;
                    return Some(packet);
                }
                None if self.last.is_some() || self.reader.has_fragments() => return None,
                None => *self.message = Some(self.next_message()?),
            }
        }
    }

    /// The next message of the client. Answers pings and other frames that concern only the
    /// connection.
    fn next_message(&mut self) -> Option<Message> {
        while !self.reader.is_idle() && !self.turn.is_over() {
            let last = match self.reader.next_message() {
                Ok(None) => return None,
                Ok(Some(Inbound::Text(text))) => match Batch::of_text(text, self.limits) {
                    Ok(batch) => {
                        self.turn.spend();
                        return Some(Message::Text(batch));
                    }
                    Err(_) => Last::Broken(FrameError::TooLarge),
                },
                Ok(Some(Inbound::Binary(message))) => {
                    self.turn.spend();
                    return Some(Message::Binary(message));
                }
                Ok(Some(Inbound::Ping(payload))) => {
                    self.turn.spend();
                    self.out.pong(&payload);
                    continue;
                }
                Ok(Some(Inbound::Pong)) => {
                    self.turn.spend();
                    continue;
                }
                Ok(Some(Inbound::Close(code))) => Last::Close(code),
                Err(error) => Last::Broken(error),
            };
            self.last = Some(last);
            return None;
        }
        None
    }
}

fn binary(message: &Bytes, limits: &Limits) -> Result<Packet, ProtocolError> {
    if message.len() > limits.packet {
        return Err(ProtocolError::TooLarge);
    }
    Packet::parse_binary(message)
}
