//! The open streams of a session: what each may send, and what has arrived and was not taken.
//!
//! Everything here is under the session's lock. The task of a stream polls it, and is woken once
//! the lock is released.
//!
//! Spec: 12-streams.

use std::collections::{BTreeMap, VecDeque};
use std::task::{Context, Poll, Waker};

use bowline_protocol::{
    Encoded, ItemTooLarge, Payload, ReceiveWindow, STREAM_CANCEL, STREAM_CREDIT, STREAM_END,
    STREAM_INTERRUPTED, STREAM_ITEM, SendWindow, StreamCancel, StreamCredit, Time, Window,
    item_size,
};
use bytes::Bytes;
use bytestring::ByteString;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::State;
use crate::failure::Failure;
use crate::message;

/// The streams of a session. Most sessions have none.
#[derive(Debug, Default)]
pub(super) struct Streams {
    open: BTreeMap<u64, Open>,
    /// The bytes of all items that wait for the application.
    waiting: usize,
    /// Streams that another node or process has left behind: the client is notified when it
    /// attaches.
    interrupted: Vec<u64>,
    /// The task of a stream waits until the client has confirmed enough.
    wants_room: bool,
    /// Tasks to be woken without the lock.
    woken: Vec<Waker>,
}

#[derive(Debug)]
struct Open {
    /// The name of the events that are its items.
    item: String,
    outgoing: SendWindow,
    /// The task that waits until it may send.
    sender: Option<Waker>,
    /// The client's items, if the application receives them.
    incoming: Option<Incoming>,
    /// Ends its task.
    stop: CancellationToken,
}

#[derive(Debug)]
struct Incoming {
    window: ReceiveWindow,
    waiting: VecDeque<Payload>,
    /// No item follows: why, if they are not complete.
    ended: Option<Option<Failure>>,
    reader: Option<Waker>,
}

/// Why a stream is not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotOpened {
    /// It is 0, or that of another stream.
    InvalidNumber,
    /// The session has as many as it may have.
    TooMany,
}

impl State {
    /// Opens a stream. Its task ends when the returned token is cancelled.
    pub(crate) fn open_stream(
        &mut self,
        number: u64,
        window: Window,
        max_streams: usize,
    ) -> Result<CancellationToken, NotOpened> {
        let streams = self.streams.get_or_insert_default();
        if number == 0 || streams.open.contains_key(&number) {
            return Err(NotOpened::InvalidNumber);
        }
        if streams.open.len() >= max_streams {
            return Err(NotOpened::TooMany);
        }
        let stop = CancellationToken::new();
        let open = Open {
            item: format!("{STREAM_ITEM}{number}"),
            outgoing: SendWindow::new(window),
            sender: None,
            incoming: None,
            stop: stop.clone(),
        };
        streams.open.insert(number, open);
        Ok(stop)
    }

    /// The application receives the client's items. False if it does already.
    pub(crate) fn receive_items(&mut self, number: u64, window: Window) -> bool {
        let open = self.streams.as_mut().and_then(|streams| streams.open.get_mut(&number));
        let Some(open) = open else { return false };
        let window = ReceiveWindow::new(window);
        let incoming = Incoming { window, waiting: VecDeque::new(), ended: None, reader: None };
        open.incoming.is_none() && open.incoming.replace(incoming).is_none()
    }

    /// True if the application receives the client's items.
    pub(crate) fn receives_items(&self, number: u64) -> bool {
        let open = self.streams.as_ref().and_then(|streams| streams.open.get(&number));
        open.is_some_and(|open| open.incoming.is_some())
    }

    /// An item of the client. False if the client has exceeded the window.
    pub(crate) fn receive_item(&mut self, number: u64, item: Payload) -> bool {
        let Some(streams) = &mut self.streams else { return true };
        let Some(incoming) = streams.open.get_mut(&number).and_then(|open| open.incoming.as_mut())
        else {
            return true;
        };
        if incoming.ended.is_some() {
            return true;
        }
        let size = item_size(&item);
        if incoming.window.received(size as u64).is_err() {
            return false;
        }
        streams.waiting += size;
        let is_next = incoming.reader.is_some() && incoming.waiting.is_empty();
        incoming.waiting.push_back(if is_next { item } else { apart(item) });
        streams.woken.extend(incoming.reader.take());
        true
    }

    /// The client sends no more items.
    pub(crate) fn end_items(&mut self, number: u64, failure: Option<Failure>) {
        let Some(streams) = &mut self.streams else { return };
        let open = streams.open.get_mut(&number);
        if let Some(incoming) = open.and_then(|open| open.incoming.as_mut()) {
            incoming.ended.get_or_insert(failure);
            streams.woken.extend(incoming.reader.take());
        }
    }

    /// The client has taken so many items.
    pub(crate) fn credit_stream(&mut self, number: u64, taken: u64) {
        let Some(streams) = &mut self.streams else { return };
        if let Some(open) = streams.open.get_mut(&number)
            && open.outgoing.taken(taken)
        {
            streams.woken.extend(open.sender.take());
        }
    }

    /// Ends a stream without notifying the client. False if it is not open.
    pub(crate) fn close_stream(&mut self, number: u64) -> bool {
        let Some(streams) = &mut self.streams else { return false };
        let Some(open) = streams.open.remove(&number) else { return false };
        streams.waiting -= open.waiting();
        open.stop.cancel();
        true
    }

    /// Waits until an item may be sent: a small one.
    pub(crate) fn poll_room(&mut self, number: u64, context: &Context<'_>) -> Poll<()> {
        let has_room = self.has_room_for_streams(0);
        let Some(streams) = &mut self.streams else { return Poll::Pending };
        let Some(open) = streams.open.get_mut(&number) else { return Poll::Pending };
        if has_room && open.outgoing.has_room() {
            return Poll::Ready(());
        }
        streams.wants_room |= !has_room;
        open.sender = Some(context.waker().clone());
        Poll::Pending
    }

    /// Sends an item as soon as the window and the outbox have room. Pending for ever if the stream
    /// is not open: its task is about to end.
    ///
    /// # Errors
    /// When the client receives no items of this size.
    pub(crate) fn poll_send_item(
        &mut self,
        number: u64,
        item: &Payload,
        now: Time,
        context: &Context<'_>,
    ) -> Poll<Result<(), ItemTooLarge>> {
        let size = item_size(item);
        let has_room = self.has_room_for_streams(size);
        let Some(streams) = &mut self.streams else { return Poll::Pending };
        let Some(open) = streams.open.get_mut(&number) else { return Poll::Pending };
        if !(open.outgoing.fits(size as u64)? && has_room) {
            streams.wants_room |= !has_room;
            open.sender = Some(context.waker().clone());
            return Poll::Pending;
        }
        open.outgoing.sent(size as u64);
        let packet = Encoded::event(&open.item, item);
        self.emit_for_stream(packet.ok(), now);
        Poll::Ready(Ok(()))
    }

    /// Ends a stream, and notifies the client as soon as the outbox has room.
    pub(crate) fn poll_end_stream(
        &mut self,
        number: u64,
        end: &Encoded,
        now: Time,
        context: &Context<'_>,
    ) -> Poll<()> {
        let has_room = self.has_room_for_streams(end.as_bytes().len());
        let Some(streams) = &mut self.streams else { return Poll::Pending };
        let Some(open) = streams.open.get_mut(&number) else { return Poll::Pending };
        if !has_room {
            streams.wants_room = true;
            open.sender = Some(context.waker().clone());
            return Poll::Pending;
        }
        self.end_stream(number, end.clone(), now);
        Poll::Ready(())
    }

    /// Ends a stream, and notifies the client.
    pub(crate) fn end_stream(&mut self, number: u64, end: Encoded, now: Time) {
        if self.close_stream(number) {
            self.emit_for_stream(Some(end), now);
        }
    }

    /// The next item of the client, for the application. `None` when no item follows.
    pub(crate) fn poll_item(
        &mut self,
        number: u64,
        now: Time,
        context: &Context<'_>,
    ) -> Poll<Option<Result<Payload, Failure>>> {
        let Some(streams) = &mut self.streams else { return Poll::Pending };
        let open = streams.open.get_mut(&number);
        let Some(incoming) = open.and_then(|open| open.incoming.as_mut()) else {
            return Poll::Pending;
        };
        let Some(item) = incoming.waiting.pop_front() else {
            if let Some(failure) = &mut incoming.ended {
                return Poll::Ready(failure.take().map(Err));
            }
            incoming.reader = Some(context.waker().clone());
            return Poll::Pending;
        };
        let size = item_size(&item);
        streams.waiting -= size;
        if let Some(taken) = incoming.window.take(size as u64) {
            let credit = StreamCredit { stream: number, taken };
            self.emit_for_stream(control(STREAM_CREDIT, &credit), now);
        }
        Poll::Ready(Some(Ok(item)))
    }

    /// The application takes no more items of the client.
    pub(crate) fn refuse_items(&mut self, number: u64, now: Time) {
        let Some(streams) = &mut self.streams else { return };
        let Some(open) = streams.open.get_mut(&number) else { return };
        streams.waiting -= open.waiting();
        let was_whole = open.incoming.take().is_none_or(|incoming| incoming.ended.is_some());
        if !was_whole {
            let cancel = StreamCancel { stream: number };
            self.emit_for_stream(control(STREAM_CANCEL, &cancel), now);
        }
    }

    /// The streams that do not move with the session: the client has not received their end.
    pub(super) fn interrupted_streams(&self) -> Vec<u64> {
        let Some(streams) = &self.streams else { return Vec::new() };
        streams.open.keys().chain(&streams.interrupted).copied().collect()
    }

    /// The session has come from another node or process, where these streams were open.
    pub(super) fn arrived_with_streams(&mut self, interrupted: Vec<u64>) {
        if !interrupted.is_empty() {
            self.streams.get_or_insert_default().interrupted = interrupted;
        }
    }

    /// Notifies the client, which has attached, of the streams that did not come with its session.
    pub(super) fn report_interrupted(&mut self, now: Time) {
        let Some(streams) = &mut self.streams else { return };
        for number in std::mem::take(&mut streams.interrupted) {
            self.emit_for_stream(Some(interruption(number)), now);
        }
    }

    /// The tasks that have to be woken. A session that is over has no streams.
    pub(super) fn settle_streams(&mut self) -> Vec<Waker> {
        let is_over = self.core.closed().is_some();
        let has_room = self.has_room_for_streams(0);
        let Some(streams) = &mut self.streams else { return Vec::new() };
        if is_over {
            streams.open.values().for_each(|open| open.stop.cancel());
            self.streams = None;
            return Vec::new();
        }
        if has_room && std::mem::take(&mut streams.wants_room) {
            let senders = streams.open.values_mut().filter_map(|open| open.sender.take());
            streams.woken.extend(senders);
        }
        std::mem::take(&mut streams.woken)
    }

    /// The bytes of items that wait for the application.
    pub(super) fn waiting_items(&self) -> usize {
        self.streams.as_ref().map_or(0, |streams| streams.waiting)
    }

    /// Streams fill the outbox up to its half: what else the application sends has room beside
    /// them. One item may always be sent.
    fn has_room_for_streams(&self, size: usize) -> bool {
        let kept = self.core.outbox_bytes();
        kept == 0 || kept.saturating_add(size) <= self.core.outbox_limit() / 2
    }

    /// A session that is full or over ends its streams by itself.
    fn emit_for_stream(&mut self, packet: Option<Encoded>, now: Time) {
        if let Some(packet) = packet {
            _ = self.core.emit(packet, now);
        }
    }
}

impl Open {
    /// The bytes of its items that wait for the application.
    fn waiting(&self) -> usize {
        let waiting = self.incoming.iter().flat_map(|incoming| &incoming.waiting);
        waiting.map(item_size).sum()
    }
}

/// The event that ends a stream whose session has moved.
fn interruption(number: u64) -> Encoded {
    let json = format!(r#"{{"stream":{number},"failure":{{"code":"{STREAM_INTERRUPTED}"}}}}"#);
    Encoded::event(STREAM_END, &Payload::json(json)).expect("a number and plain words")
}

fn control(name: &str, payload: &impl Serialize) -> Option<Encoded> {
    Encoded::event(name, &message::to_payload(payload).ok()?).ok()
}

/// Copies an item that has to wait into memory of its own: it would keep the whole body in which it
/// has arrived.
fn apart(item: Payload) -> Payload {
    if item.size() >= LARGE {
        return item;
    }
    Payload {
        json: ByteString::from(&*item.json),
        bytes: item.bytes.as_ref().map(|bytes| Bytes::copy_from_slice(bytes)),
    }
}

/// An item of this size is a large part of any body.
const LARGE: usize = 16 * 1024;
