//! Bare text: `/echo` answers each message, what `/pub` says reaches every `/sub` and every stream
//! of `/events`.

use super::{Dialect, Outgoing, Role, Seen, Transport, http};

/// A connection without a session.
#[derive(Debug)]
pub(crate) struct Raw(pub(crate) Role);

impl Dialect for Raw {
    fn socket_path(&self) -> &'static str {
        match self.0 {
            Role::Caller | Role::Apart => "/echo",
            Role::Member => "/sub",
            Role::Publisher => "/pub",
        }
    }

    fn opened(&mut self, _: &mut Outgoing, seen: &mut dyn FnMut(Seen<'_>)) {
        seen(Seen::Ready);
    }

    fn message(
        &mut self,
        message: &[u8],
        _: &mut Outgoing,
        seen: &mut dyn FnMut(Seen<'_>),
    ) -> Result<(), String> {
        match self.0 {
            Role::Member if message == b"ready" => seen(Seen::Ready),
            Role::Member => seen(Seen::Delivery(message)),
            Role::Caller | Role::Apart => seen(Seen::Answer(message)),
            Role::Publisher => {}
        }
        Ok(())
    }

    fn request(&mut self, payload: &[u8], out: &mut Outgoing) {
        out.message(&[payload]);
    }

    fn publish(&mut self, payload: &[u8], out: &mut Outgoing) {
        out.message(&[payload]);
    }

    fn separator(&self, _: Transport) -> Option<u8> {
        None
    }

    fn open(&mut self, _: Transport, out: &mut Vec<u8>) {
        http::get("/events", out);
    }

    fn poll(&mut self, _: &mut Vec<u8>) {}

    fn post(&mut self, _: &[u8], _: &mut Vec<u8>) {}
}
