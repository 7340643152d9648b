//! Gathers packets into the lines of one message or body.

use std::ops::ControlFlow;

use bowline_protocol::{CarrierGone, Close, Packet, Transmit};
use bytes::{BufMut as _, BytesMut};

use crate::session::Sink;

/// A batch that is being written, on a carrier that knows only text.
#[derive(Debug, Default)]
pub(super) struct Lines {
    text: BytesMut,
    /// The number of the last tracked packet.
    last_number: u64,
    closed: bool,
}

impl Lines {
    /// Lines that follow a tracked packet of this number.
    pub(super) fn after(last_number: u64) -> Self {
        Self { last_number, ..Self::default() }
    }

    pub(super) const fn last_number(&self) -> u64 {
        self.last_number
    }

    /// True if the last line is a close.
    pub(super) const fn is_closed(&self) -> bool {
        self.closed
    }

    /// Tells a client that still listens why its carrier ends.
    pub(super) fn write_gone(&mut self, gone: CarrierGone) {
        if let Some(code) = gone.close_code() {
            write_control(&Packet::Close(Close::new(code)), &mut self.text);
        }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.text
    }

    pub(super) fn into_text(self) -> BytesMut {
        self.text
    }
}

impl Sink for Lines {
    fn write(&mut self, transmit: &Transmit) -> ControlFlow<()> {
        match transmit {
            Transmit::Tracked { number, packet } => {
                self.last_number = *number;
                separate(&mut self.text);
                self.text.put_slice(packet.text_line());
            }
            Transmit::Volatile(packet) => {
                separate(&mut self.text);
                self.text.put_slice(packet.text_line());
            }
            Transmit::Control(packet) => {
                self.closed = matches!(packet, Packet::Close(_));
                if let Packet::Welcome(welcome) = packet {
                    self.last_number = welcome.next - 1;
                }
                write_control(packet, &mut self.text);
            }
        }
        if self.closed || self.text.len() >= ENOUGH {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

/// Appends a control packet as a line of its own.
pub(super) fn write_control(packet: &Packet, out: &mut BytesMut) {
    separate(out);
    packet.write_line(out).expect("writing to memory cannot fail");
}

fn separate(text: &mut BytesMut) {
    if !text.is_empty() {
        text.put_u8(b'\n');
    }
}

/// Bytes after which a message is large enough to be sent: more would delay what comes first.
pub(super) const ENOUGH: usize = 64 * 1024;
