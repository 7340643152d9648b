//! Gathers packets into the lines of one message or body.

use std::cell::Cell;
use std::ops::ControlFlow;

use bowline_protocol::{CarrierGone, Encoded, Packet, Transmit};
use bytes::{BufMut as _, Bytes, BytesMut};

use crate::session::{Lent, Sink};

/// A batch that is being written, on a carrier that knows only text.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// What the carrier writes in front of it, then the batch.
    text: BytesMut,
    head: usize,
    /// The number of the last tracked packet.
    last_number: u64,
    closed: bool,
}

impl Lines {
    /// One line.
    pub(super) fn of(packet: &Packet) -> Self {
        let mut lines = Self::default();
        lines.put_control(packet);
        lines
    }

    /// Lines that follow a tracked packet of this number.
    pub(super) fn after(last_number: u64) -> Self {
        Self { last_number, ..Self::default() }
    }

    /// Lines with room for so many bytes in front of them, in the buffer of this thread: see
    /// [`give_back`].
    pub(super) fn behind(head: usize) -> Self {
        Self { head, ..Self::default() }
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
        if let Some(close) = gone.close() {
            self.put_control(&Packet::Close(close));
        }
    }

    /// The batch.
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.text.get(self.head..).unwrap_or_default()
    }

    /// The room in front and the batch.
    pub(super) fn into_text(self) -> BytesMut {
        self.text
    }

    /// Makes room for a line of so many bytes, behind those that are there.
    #[inline]
    fn begin_line(&mut self, length: usize) {
        if self.text.is_empty() {
            self.begin(length);
        } else {
            self.text.put_u8(b'\n');
        }
    }

    fn begin(&mut self, length: usize) {
        if self.head > 0 {
            self.text = BUFFER.take();
            // What was written before is gone mostly, and then its place is taken again.
            self.text.reserve(ROOM);
        } else {
            self.text.reserve(length.max(USUAL));
        }
        self.text.put_bytes(0, self.head);
    }

    /// Appends a packet in its text form.
    #[inline]
    pub(super) fn put(&mut self, packet: &Encoded) {
        let line = packet.text_line();
        self.begin_line(line.len());
        self.text.put_slice(line);
    }

    /// Appends a control packet.
    pub(super) fn put_control(&mut self, packet: &Packet) {
        self.begin_line(0);
        write(packet, &mut self.text);
    }
}

impl Sink for Lines {
    fn write(&mut self, transmit: &Lent<'_>) -> ControlFlow<()> {
        match transmit {
            Transmit::Tracked { number, packet } => {
                self.last_number = *number;
                self.put(packet);
            }
            Transmit::Volatile(packet) => self.put(packet),
            Transmit::Control(packet) => {
                self.closed = matches!(packet, Packet::Close(_));
                if let Packet::Welcome(welcome) = packet {
                    self.last_number = welcome.next - 1;
                }
                self.put_control(packet);
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
    if !out.is_empty() {
        out.put_u8(b'\n');
    }
    write(packet, out);
}

fn write(packet: &Packet, out: &mut BytesMut) {
    packet.write_line(out).expect("writing to memory cannot fail");
}

/// Splits off what was written into the buffer of this thread and leaves the buffer to whoever
/// writes next.
pub(super) fn give_back(mut buffer: BytesMut) -> Bytes {
    let written = buffer.split();
    if written.len() <= ROOM {
        BUFFER.set(buffer);
    }
    written.freeze()
}

thread_local! {
    /// What connections that are written frame by frame write into, one after the other: actix copies what it is given
    /// at once, so that one buffer, which stays in the processor's cache, is enough for all.
    static BUFFER: Cell<BytesMut> = Cell::default();
}

/// Bytes that the buffer has: those of a message and of its last packet, mostly.
const ROOM: usize = ENOUGH + 4 * 1024;

/// Bytes after which a message is large enough to be sent: more would delay what comes first.
pub(super) const ENOUGH: usize = 64 * 1024;

/// Bytes that most messages do not exceed.
const USUAL: usize = 1024;
