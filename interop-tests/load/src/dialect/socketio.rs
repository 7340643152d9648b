//! Socket.IO's protocol 5 over Engine.IO 4, in the default namespace. The event `echo` is
//! acknowledged with its argument, `join` is acknowledged in the room, `pub` is emitted to the room
//! as `msg`.

use super::{Dialect, Outgoing, Role, Seen, Transport, field, http};

/// A client of Socket.IO.
#[derive(Debug)]
pub(crate) struct SocketIo {
    role: Role,
    requests: u64,
    path: String,
}

impl SocketIo {
    /// A client that is about to connect.
    #[must_use]
    pub(crate) fn new(role: Role) -> Self {
        Self { role, requests: 0, path: POLLING.to_owned() }
    }

    fn packet(
        &mut self,
        packet: &[u8],
        out: &mut Outgoing,
        seen: &mut dyn FnMut(Seen<'_>),
    ) -> Result<(), String> {
        match packet {
            // A handler that does not wait acknowledges in order, so the number need not be looked
            // at.
            [b'4', b'3', ..] => {
                seen(if self.role == Role::Member { Seen::Ready } else { Seen::Answer(packet) });
            }
            [b'4', b'2', rest @ ..] => {
                seen(Seen::Delivery(rest.strip_prefix(br#"["msg",""#).unwrap_or(rest)));
            }
            [b'2', rest @ ..] => out.message(&[b"3", rest]),
            [b'0', ..] => {
                self.path = format!("{POLLING}&sid={}", field(packet, "\"sid\":\"", b"\"")?);
                out.message(&[b"40"]);
            }
            [b'4', b'0', ..] if self.role == Role::Member => out.message(&[br#"420["join"]"#]),
            [b'4', b'0', ..] => seen(Seen::Ready),
            [b'6', ..] | b"ok" => {}
            _ => return Err(String::from_utf8_lossy(packet).into_owned()),
        }
        Ok(())
    }
}

impl Dialect for SocketIo {
    fn socket_path(&self) -> &'static str {
        "/socket.io/?EIO=4&transport=websocket"
    }

    fn opened(&mut self, _: &mut Outgoing, _: &mut dyn FnMut(Seen<'_>)) {}

    fn message(
        &mut self,
        message: &[u8],
        out: &mut Outgoing,
        seen: &mut dyn FnMut(Seen<'_>),
    ) -> Result<(), String> {
        // Only polling has several packets in a message.
        message
            .split(|byte| *byte == SEPARATOR)
            .try_for_each(|packet| self.packet(packet, out, seen))
    }

    fn request(&mut self, payload: &[u8], out: &mut Outgoing) {
        self.requests += 1;
        let number = self.requests.to_string();
        out.message(&[b"42", number.as_bytes(), br#"["echo",""#, payload, br#""]"#]);
    }

    fn publish(&mut self, payload: &[u8], out: &mut Outgoing) {
        out.message(&[br#"42["pub",""#, payload, br#""]"#]);
    }

    fn separator(&self, transport: Transport) -> Option<u8> {
        (transport == Transport::Polling).then_some(SEPARATOR)
    }

    fn open(&mut self, _: Transport, out: &mut Vec<u8>) {
        http::get(&self.path, out);
    }

    fn poll(&mut self, out: &mut Vec<u8>) {
        http::get(&self.path, out);
    }

    fn post(&mut self, batch: &[u8], out: &mut Vec<u8>) {
        http::post(&self.path, &[batch], out);
    }
}

const POLLING: &str = "/socket.io/?EIO=4&transport=polling";
const SEPARATOR: u8 = 0x1E;
