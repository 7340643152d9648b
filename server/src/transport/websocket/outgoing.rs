//! Writes packets as WebSocket frames, many to a message where they allow it.

use std::ops::ControlFlow;

use bowline_protocol::{CarrierGone, Close, CloseCode, Encoded, Packet, Transmit};
use bytes::{Bytes, BytesMut};

use super::frames::{self, Opcode};
use crate::session::{Lent, Sink};
use crate::transport::lines::{self, ENOUGH, Lines};

/// Frames that are being written.
#[derive(Debug)]
pub(super) struct Outgoing {
    /// Lines that are not yet a message, with room for the header of its frame.
    lines: Lines,
    frames: BytesMut,
    closed: bool,
}

impl Outgoing {
    pub(super) fn new() -> Self {
        Self { lines: Self::no_lines(), frames: BytesMut::new(), closed: false }
    }

    /// Sends a packet that does not come from a session.
    pub(super) fn send(&mut self, packet: Packet) {
        // It is small, so it does not matter whether there is room for more.
        let _ = self.write(&Transmit::Control(packet));
    }

    /// Sends the last packet of a connection that its session did not end.
    pub(super) fn send_close(&mut self, close: Close) {
        self.send(Packet::Close(close));
    }

    /// Sends why the connection ends, for a client that still reads.
    pub(super) fn send_gone(&mut self, gone: CarrierGone) {
        match gone.close() {
            Some(close) => self.send_close(close),
            None => self.write_close_frame(CloseCode::NORMAL.get(), ""),
        }
    }

    pub(super) fn pong(&mut self, payload: &[u8]) {
        frames::write_frame(Opcode::Pong, payload, &mut self.frames);
    }

    /// Sends only a close frame: to a peer that violated WebSocket, or that closed first.
    pub(super) fn write_close_frame(&mut self, code: u16, reason: &str) {
        self.finish_message();
        if !std::mem::replace(&mut self.closed, true) {
            frames::write_close(code, reason, &mut self.frames);
        }
    }

    /// Frames that another node has written.
    pub(super) fn pass_on(&mut self, frames: Bytes) {
        self.finish_message();
        self.frames.unsplit(BytesMut::from(frames));
    }

    pub(super) const fn is_closed(&self) -> bool {
        self.closed
    }

    /// Everything that was written, `None` if that is nothing.
    pub(super) fn take(&mut self) -> Option<Bytes> {
        self.finish_message();
        (!self.frames.is_empty()).then(|| lines::give_back(std::mem::take(&mut self.frames)))
    }

    fn put(&mut self, packet: &Encoded) {
        match packet.binary_message() {
            None => self.lines.put(packet),
            Some(message) => {
                self.finish_message();
                frames::write_frame(Opcode::Binary, message, &mut self.frames);
            }
        }
    }

    fn finish_message(&mut self) {
        if self.lines.as_bytes().is_empty() {
            return;
        }
        let mut frame = std::mem::replace(&mut self.lines, Self::no_lines()).into_text();
        frames::finish_frame(Opcode::Text, &mut frame);
        if self.frames.is_empty() {
            self.frames = frame;
        } else {
            self.frames.extend_from_slice(&frame);
        }
    }

    fn no_lines() -> Lines {
        Lines::behind(frames::MAX_SERVER_HEADER)
    }
}

impl Sink for Outgoing {
    fn write(&mut self, transmit: &Lent<'_>) -> ControlFlow<()> {
        match transmit {
            Transmit::Tracked { packet, .. } => self.put(packet),
            Transmit::Volatile(packet) => self.put(packet),
            Transmit::Control(packet) => {
                self.lines.put_control(packet);
                if let Packet::Close(close) = packet {
                    self.write_close_frame(close.code.get(), "");
                    return ControlFlow::Break(());
                }
            }
        }
        let size = self.frames.len() + self.lines.as_bytes().len();
        if size >= ENOUGH { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
