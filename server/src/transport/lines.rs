//! Gathers packets into the lines of one message or body.

use std::cell::Cell;
use std::ops::ControlFlow;

use bowline_protocol::{CarrierGone, Encoded, Packet, Transmit};
use bytes::{BufMut as _, Bytes, BytesMut};

use crate::session::{Lent, Sink};

/// A batch that is being written, for a carrier of text only.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// The bytes that the carrier writes before the batch, then the batch.
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

    /// Lines with room for `head` bytes before them, in the buffer of this thread: see
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

    /// Writes why the carrier ends, for a client that still reads.
    pub(super) fn write_gone(&mut self, gone: CarrierGone) {
        if let Some(close) = gone.close() {
            self.put_control(&Packet::Close(close));
        }
    }

    /// The batch.
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.text.get(self.head..).unwrap_or_default()
    }

    /// The bytes before the batch, and the batch.
    pub(super) fn into_text(self) -> BytesMut {
        self.text
    }

    /// Makes room for a line of `length` bytes, after the lines so far.
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
            // The bytes written before have usually been dropped, and their memory is used again.
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

/// Splits off the bytes written into the buffer of this thread, and leaves the buffer to the next
/// writer.
pub(super) fn give_back(mut buffer: BytesMut) -> Bytes {
    let written = buffer.split();
    if written.len() <= ROOM {
        BUFFER.set(buffer);
    }
    written.freeze()
}

thread_local! {
    /// The buffer of all connections that write frame by frame, one after the other: actix copies
    /// what it receives immediately, so one buffer, which stays in the processor's cache, is
    /// enough.
    static BUFFER: Cell<BytesMut> = Cell::default();
}

/// The size of the buffer: usually enough for a message and its last packet.
const ROOM: usize = ENOUGH + 4 * 1024;

/// The size at which a message is sent: a larger one would delay its first packets.
pub(super) const ENOUGH: usize = 64 * 1024;

/// A size that most messages do not exceed.
const USUAL: usize = 1024;
