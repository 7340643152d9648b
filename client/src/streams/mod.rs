//! The open streams of a client, under its lock: what each may send, and what has arrived and was
//! not read.
//!
//! Spec: 12-streams.

mod error;

use std::collections::{HashMap, VecDeque};
use std::task::{Context, Poll};

use bowline_protocol::{
    Encoded, Message, Payload, ReceiveWindow, STREAM_CANCEL, STREAM_CREDIT, STREAM_END,
    STREAM_ITEM, SendWindow, StreamCancel, StreamCredit, StreamEnd, StreamFailure, StreamOpened,
    Window, item_size,
};
use bytestring::ByteString;
use futures::task::AtomicWaker;
use serde::Serialize;
use serde_json::value::RawValue;

pub use error::StreamError;

use crate::inlet::Backlog;

/// The streams of a client.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    open: HashMap<u64, Open>,
    /// The number of the last stream.
    last: u64,
    /// A sender waits for room in the outbox.
    wants_room: bool,
    /// Events about streams that found no room: a few for each stream, as its window allows.
    owed: Vec<Encoded>,
}

/// One stream, until the application has dropped it.
#[derive(Debug)]
struct Open {
    /// The name of the events that are its items.
    item: String,
    /// The session in which the server has accepted it.
    epoch: Option<u64>,
    /// How much the server receives ahead; `None` if it receives nothing, or nothing more.
    outgoing: Option<SendWindow>,
    /// The application has sent its last item.
    has_ended: bool,
    sender: AtomicWaker,
    incoming: ReceiveWindow,
    waiting: VecDeque<Payload>,
    reader: AtomicWaker,
    /// How it has ended: the value that the server's application has returned.
    end: Option<Result<Payload, StreamError>>,
}

/// Whether an item may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    Free,
    /// The server takes no more items. The stream goes on until the server ends it.
    Refused,
}

impl Streams {
    /// Begins a stream. Returns its number.
    pub(crate) fn begin(&mut self, window: Window) -> u64 {
        self.last += 1;
        let open = Open {
            item: format!("{STREAM_ITEM}{}", self.last),
            epoch: None,
            outgoing: None,
            has_ended: false,
            sender: AtomicWaker::new(),
            incoming: ReceiveWindow::new(window),
            waiting: VecDeque::new(),
            reader: AtomicWaker::new(),
            end: None,
        };
        self.open.insert(self.last, open);
        self.last
    }

    /// The server has accepted a stream, in this session.
    pub(crate) fn opened(&mut self, number: u64, epoch: u64, answer: &Payload) {
        let Some(open) = self.open.get_mut(&number) else { return };
        open.epoch = Some(epoch);
        let opened: Option<StreamOpened> = serde_json::from_str(&answer.json).ok();
        open.outgoing = opened.and_then(|opened| opened.window).map(SendWindow::new);
        open.sender.wake();
    }

    /// Handles an event of a stream. Returns the event that cancels a stream whose server has sent
    /// more than the window allows.
    pub(crate) fn deliver(&mut self, message: &Message, backlog: &Backlog) -> Option<Encoded> {
        let name = message.name.strip_prefix(PREFIX)?;
        let payload = &message.payload;
        if let Some(number) = name.strip_prefix(ITEM) {
            return self.receive(number.parse().ok()?, payload, backlog);
        }
        match &*message.name {
            STREAM_CREDIT => {
                let StreamCredit { stream, taken } = read(payload)?;
                let open = self.open.get_mut(&stream)?;
                if open.outgoing.as_mut()?.taken(taken) {
                    open.sender.wake();
                }
            }
            STREAM_CANCEL => {
                let StreamCancel { stream } = read(payload)?;
                let open = self.open.get_mut(&stream)?;
                open.outgoing = None;
                open.sender.wake();
            }
            STREAM_END => {
                let end: StreamEnd<Box<RawValue>> = read(payload)?;
                self.open.get_mut(&end.stream)?.end(ended(end, payload));
            }
            _ => {}
        }
        None
    }

    fn receive(&mut self, number: u64, item: &Payload, backlog: &Backlog) -> Option<Encoded> {
        let open = self.open.get_mut(&number).filter(|open| open.end.is_none())?;
        if open.incoming.received(item_size(item) as u64).is_err() {
            open.end(Err(StreamError::WindowExceeded));
            return cancellation(number);
        }
        backlog.grow(cost(item));
        open.waiting.push_back(item.clone());
        open.reader.wake();
        None
    }

    /// The client has another session, or is about to: the streams of earlier ones are over.
    pub(crate) fn lose(&mut self, epoch: u64) {
        for open in self.open.values_mut() {
            if open.epoch.is_some_and(|opened| opened != epoch) {
                open.end(Err(StreamError::SessionLost));
            }
        }
    }

    /// The client is closed.
    pub(crate) fn close(&mut self) {
        self.open.values_mut().for_each(|open| open.end(Err(StreamError::Closed)));
    }

    /// The outbox has room again: whoever waits for it tries once more. Returns the events that are
    /// to be sent now.
    pub(crate) fn has_room(&mut self) -> Vec<Encoded> {
        if std::mem::take(&mut self.wants_room) {
            self.open.values().for_each(|open| open.sender.wake());
        }
        std::mem::take(&mut self.owed)
    }

    pub(crate) const fn wants_room(&self) -> bool {
        self.wants_room || !self.owed.is_empty()
    }

    /// An event about a stream found no room in the outbox.
    pub(crate) fn owe(&mut self, event: Encoded) {
        self.owed.push(event);
    }

    /// Waits until an item of this size may be sent. `has_room` tells whether the outbox has room.
    ///
    /// # Errors
    /// When the stream has ended, or no item of this size may ever be sent.
    pub(crate) fn poll_room(
        &mut self,
        number: u64,
        size: u64,
        has_room: bool,
        context: &Context<'_>,
    ) -> Poll<Result<Room, StreamError>> {
        let Some(open) = self.open.get_mut(&number) else {
            return Poll::Ready(Err(StreamError::Cancelled));
        };
        open.sender.register(context.waker());
        match &open.end {
            Some(Err(error)) => return Poll::Ready(Err(error.clone())),
            Some(Ok(_)) => return Poll::Ready(Ok(Room::Refused)),
            None if open.epoch.is_none() => return Poll::Pending,
            None => {}
        }
        let Some(window) = &open.outgoing else { return Poll::Ready(Ok(Room::Refused)) };
        let fits = window.fits(size).map_err(|error| StreamError::ItemTooLarge {
            limit: usize::try_from(error.limit).unwrap_or(usize::MAX),
        })?;
        if fits && has_room {
            return Poll::Ready(Ok(Room::Free));
        }
        self.wants_room |= !has_room;
        Poll::Pending
    }

    /// Counts an item for which there was room. Returns the name of its event.
    pub(crate) fn sent(&mut self, number: u64, size: u64) -> Option<&str> {
        let open = self.open.get_mut(&number)?;
        open.outgoing.as_mut()?.sent(size);
        Some(&open.item)
    }

    /// The application sends no more items. Returns the event for that, if the server waits for it.
    pub(crate) fn finish(&mut self, number: u64, code: Option<&str>) -> Option<Encoded> {
        let open = self.open.get_mut(&number)?;
        let was_expected = open.outgoing.is_some() && open.end.is_none();
        if std::mem::replace(&mut open.has_ended, true) || !was_expected {
            return None;
        }
        let failure = code.map(|code| StreamFailure { code: code.to_owned(), payload: None::<()> });
        event(STREAM_END, &StreamEnd { stream: number, payload: None, failure })
    }

    /// The next item, and the credit that is due with it. `None` after the last item.
    pub(crate) fn poll_item(&mut self, number: u64, context: &Context<'_>) -> Poll<Option<Taken>> {
        let Some(open) = self.open.get_mut(&number) else { return Poll::Ready(None) };
        open.reader.register(context.waker());
        match open.take(number) {
            Some(taken) => Poll::Ready(Some(taken)),
            None if open.end.is_some() => Poll::Ready(None),
            None => Poll::Pending,
        }
    }

    /// The next item, if one has arrived.
    pub(crate) fn try_item(&mut self, number: u64) -> Option<Taken> {
        self.open.get_mut(&number)?.take(number)
    }

    /// How the stream has ended, if it has.
    pub(crate) fn outcome(&self, number: u64) -> Option<Result<Payload, StreamError>> {
        self.open.get(&number)?.end.clone()
    }

    /// The server has refused the stream, or has not answered.
    pub(crate) fn refuse(&mut self, number: u64, error: StreamError) {
        if let Some(open) = self.open.get_mut(&number) {
            open.end(Err(error));
        }
    }

    /// The application has dropped the stream. Returns the bytes of the backlog that are free, and
    /// the event that cancels it, unless it has ended.
    pub(crate) fn drop_stream(&mut self, number: u64) -> (usize, Option<Encoded>) {
        let Some(open) = self.open.remove(&number) else { return (0, None) };
        open.sender.wake();
        let waiting = open.waiting.iter().map(cost).sum();
        (waiting, open.end.is_none().then(|| cancellation(number)).flatten())
    }
}

/// An item that the application has taken, and the event that the server has to receive then.
pub(crate) struct Taken {
    pub(crate) item: Payload,
    pub(crate) credit: Option<Encoded>,
}

impl Open {
    fn take(&mut self, stream: u64) -> Option<Taken> {
        let item = self.waiting.pop_front()?;
        let taken = self.incoming.take(item_size(&item) as u64);
        let taken = taken.filter(|_| self.end.is_none());
        let credit = taken.and_then(|taken| event(STREAM_CREDIT, &StreamCredit { stream, taken }));
        Some(Taken { item, credit })
    }

    fn end(&mut self, outcome: Result<Payload, StreamError>) {
        self.end.get_or_insert(outcome);
        self.reader.wake();
        self.sender.wake();
    }
}

/// What an item counts for the backlog.
pub(crate) fn cost(item: &Payload) -> usize {
    item.size() + size_of::<Payload>()
}

fn cancellation(stream: u64) -> Option<Encoded> {
    event(STREAM_CANCEL, &StreamCancel { stream })
}

fn event(name: &str, payload: &impl Serialize) -> Option<Encoded> {
    let json = serde_json::to_string(payload).ok()?;
    Encoded::event(name, &Payload::json(json)).ok()
}

fn read<T: serde::de::DeserializeOwned>(payload: &Payload) -> Option<T> {
    serde_json::from_str(&payload.json).ok()
}

/// How the server has ended a stream.
fn ended(end: StreamEnd<Box<RawValue>>, payload: &Payload) -> Result<Payload, StreamError> {
    let json = |value: Option<Box<RawValue>>| {
        value.map(|json| ByteString::from(json.get())).unwrap_or_default()
    };
    let bytes = payload.bytes.clone();
    match end.failure {
        Some(StreamFailure { code, payload }) => {
            let payload = Payload { json: json(payload), bytes };
            Err(StreamError::of_failure(code.into(), payload))
        }
        None => Ok(Payload { json: json(end.payload), bytes }),
    }
}

/// How the names of the protocol's own events begin, and those of items behind that.
const PREFIX: &str = "bowline.";
const ITEM: &str = "item.";
