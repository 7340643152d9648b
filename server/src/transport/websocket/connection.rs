//! One WebSocket connection, as the body of the response that opened it.
//!
//! actix polls the body whenever the socket has something to read or room to write, so reading and
//! writing both happen here, and an idle connection is nothing but the state below.

#![expect(clippy::disallowed_methods, reason = "the deadline of a first message")]

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use actix_web::body::{BodySize, MessageBody};
use actix_web::dev;
use actix_web::rt::time::sleep;
use bowline_protocol::{Batch, Close, CloseCode, Packet, ProtocolError};
use bytes::Bytes;
use bytestring::ByteString;
use futures::future::{BoxFuture, LocalBoxFuture};
use futures::{FutureExt as _, Stream as _};

use super::attached::{Attached, Last, Taken};
use super::frames::{self, FrameError, FrameReader, Inbound};
use super::outgoing::Outgoing;
use crate::cluster::{Carrier, Claim, Incoming, Place, Subject};
use crate::node::Node;
use crate::session::FromAddress;
use crate::transport::check::{self, Thinking};
use crate::transport::handshake::{Check, Handshake};
use crate::transport::{body, opening, relayed};
use crate::turn::{Pause, Turn};
use bowline_protocol::Transport;

pub(in super::super) struct Connection {
    node: Arc<Node>,
    payload: dev::Payload,
    reader: FrameReader,
    stage: Stage,
    /// Other nodes may serve it. A connection that another node has relayed is not relayed again.
    may_go_on: bool,
    /// The pause after a turn in which the connection read as much as it may.
    pause: Pause,
}

enum Stage {
    /// The first line has not arrived yet.
    Opening(Box<Opening>),
    /// The first line has arrived, and the node is searching for its session.
    Searching(Box<Searching>),
    Open(Box<Attached>),
    /// Another node serves it.
    Relayed(Box<Carrier>),
    Ended,
}

struct Opening {
    handshake: Option<Handshake>,
    /// The close that the client receives if the line does not arrive.
    end: BoxFuture<'static, Close>,
}

struct Searching {
    handshake: Option<Handshake>,
    first: Packet,
    rest: Batch,
    search: LocalBoxFuture<'static, Result<Found, Close>>,
    thinking: Thinking,
}

enum Found {
    Here(Option<Claim>),
    There(Carrier),
}

/// The outcome of reading.
enum Read {
    /// Nothing more to read now.
    Idle,
    /// The turn is over, and there may be more.
    Rest,
    /// The connection has to end; `Outgoing` has its last frames.
    End,
}

impl Connection {
    pub(in super::super) fn new(
        node: Arc<Node>,
        handshake: Option<Handshake>,
        payload: dev::Payload,
    ) -> Self {
        let is_relayed = handshake.as_ref().is_none_or(|handshake| handshake.is_relayed);
        let may_go_on = !is_relayed && node.cluster.is_some();
        let (late, leaving) = (sleep(node.config.handshake_timeout), Arc::clone(&node));
        let end = async move {
            tokio::select! {
                () = late => Close::new(CloseCode::HANDSHAKE_TIMEOUT),
                close = leaving.drained() => close,
            }
        };
        Self {
            reader: FrameReader::new(node.config.limits.batch),
            stage: Stage::Opening(Box::new(Opening { handshake, end: end.boxed() })),
            may_go_on,
            pause: Pause::default(),
            payload,
            node,
        }
    }

    /// Reads what has arrived, as much as one turn allows, and passes it to the session. Events
    /// that handlers publish meanwhile are sent together.
    fn read(&mut self, cx: &mut Context<'_>, out: &mut Outgoing) -> Read {
        let turn = Turn::new();
        let mut held = None;
        loop {
            if matches!(self.stage, Stage::Opening(_))
                && let Some(read) = self.receive_first(&turn, out)
            {
                return read;
            }
            // The connection reads nothing during the search: the bytes may be for another node.
            match self.poll_search(cx, out) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(())) => return Read::End,
                Poll::Pending => return Read::Idle,
            }
            match &self.stage {
                Stage::Relayed(_) => return self.pass_on(cx),
                Stage::Open(_) => {
                    if let Some(read) = self.receive_arrived(&turn, out) {
                        return read;
                    }
                }
                Stage::Opening(_) | Stage::Searching(_) | Stage::Ended => {}
            }
            match Pin::new(&mut self.payload).poll_next(cx) {
                Poll::Ready(Some(Ok(chunk))) => {
                    held = held.or_else(|| self.node.hold());
                    self.reader.push(chunk);
                }
                // The peer has disconnected; the session waits for it.
                Poll::Ready(_) => return Read::End,
                Poll::Pending => return Read::Idle,
            }
        }
    }

    /// Receives messages before a session is attached. `None` when all that have arrived are
    /// received, or with the first line.
    fn receive_first(&mut self, turn: &Turn, out: &mut Outgoing) -> Option<Read> {
        while matches!(self.stage, Stage::Opening(_)) {
            if turn.is_over() {
                return Some(Read::Rest);
            }
            turn.spend();
            match self.reader.next_message() {
                Ok(Some(message)) => {
                    if self.receive_message(message, out).is_err() {
                        return Some(Read::End);
                    }
                }
                Ok(None) => return None,
                Err(error) => return Some(self.break_off(error, out)),
            }
        }
        None
    }

    /// Receives what an attached client has sent. `None` when everything that has arrived is
    /// received.
    fn receive_arrived(&mut self, turn: &Turn, out: &mut Outgoing) -> Option<Read> {
        let Stage::Open(attached) = &mut self.stage else { return None };
        if attached.has_received_all(&self.reader) {
            return None;
        }
        match attached.take(&mut self.reader, &self.node.config.limits, turn, out) {
            Taken::All => None,
            Taken::Rest => Some(Read::Rest),
            Taken::Full => Some(Read::Idle),
            // A client may close its connection after its own close packet: it still receives the
            // answer.
            Taken::Last(_) if self.is_closing() => Some(Read::Idle),
            Taken::Last(Last::Close(code)) => {
                out.write_close_frame(code.unwrap_or(CloseCode::NORMAL.get()), "");
                Some(Read::End)
            }
            Taken::Last(Last::Broken(error)) => Some(self.break_off(error, out)),
        }
    }

    fn poll_search(&mut self, cx: &mut Context<'_>, out: &mut Outgoing) -> Poll<Result<(), ()>> {
        let Stage::Searching(searching) = &mut self.stage else { return Poll::Ready(Ok(())) };
        let found = ready!(searching.search.poll_unpin(cx));
        let Stage::Searching(searching) = std::mem::replace(&mut self.stage, Stage::Ended) else {
            return Poll::Ready(Err(()));
        };
        let Searching { handshake, first, rest, .. } = *searching;
        let attached = found.and_then(|found| match found {
            Found::There(carrier) => {
                self.stage = Stage::Relayed(Box::new(carrier));
                Ok(())
            }
            Found::Here(claim) => {
                self.attach(first, handshake, rest)?;
                drop(claim);
                Ok(())
            }
        });
        Poll::Ready(attached.map_err(|close| {
            log::debug!("a websocket was closed: {close}; {}", self.peer());
            out.send_close(close);
        }))
    }

    /// Relays what the client sends, as it arrives.
    fn pass_on(&mut self, cx: &mut Context<'_>) -> Read {
        let Stage::Relayed(carrier) = &mut self.stage else { return Read::Idle };
        while carrier.has_room() {
            match Pin::new(&mut self.payload).poll_next(cx) {
                Poll::Ready(Some(Ok(chunk))) => carrier.send(&chunk),
                Poll::Ready(_) => return Read::End,
                Poll::Pending => return Read::Idle,
            }
        }
        Read::Idle
    }

    /// The session has ended: `write` sends its close, which ends the connection.
    fn is_closing(&self) -> bool {
        matches!(&self.stage, Stage::Open(attached)
            if attached.downlink.session().look(|state| state.core.closed().is_some()))
    }

    /// The session and the address of the connection, for the log.
    fn peer(&self) -> String {
        let address = match &self.stage {
            Stage::Open(attached) => {
                let session = attached.downlink.session();
                return format!("session {}{}", session.id, FromAddress(session.address));
            }
            Stage::Opening(opening) => opening.handshake.as_ref().and_then(|known| known.address),
            Stage::Searching(searching) => {
                searching.handshake.as_ref().and_then(|known| known.address)
            }
            Stage::Relayed(_) | Stage::Ended => None,
        };
        format!("no session{}", FromAddress(address))
    }

    /// A fault against WebSocket alone ends the carrier with a close frame. A fault against our
    /// protocol as well ends it with a close packet, or the client would come back and repeat it.
    fn break_off(&mut self, error: FrameError, out: &mut Outgoing) -> Read {
        let Some(fault) = error.as_protocol_error() else {
            let what = format_args!("a websocket was closed: {error}; {}", self.peer());
            self.node.complain("websocket", what);
            out.write_close_frame(error.close_code(), &error.to_string());
            return Read::End;
        };
        match &self.stage {
            Stage::Open(attached) => {
                attached.downlink.abort(fault);
                Read::Idle
            }
            _ => {
                log::debug!("a websocket was closed: {fault}; {}", self.peer());
                out.send_close(fault.close());
                Read::End
            }
        }
    }

    /// Receives a message before a session is attached. An error means that the connection ends,
    /// and that `out` has the reason.
    fn receive_message(&mut self, message: Inbound, out: &mut Outgoing) -> Result<(), ()> {
        let outcome = match message {
            Inbound::Text(text) => self.open(text, out),
            Inbound::Binary(_) => {
                Err(ProtocolError::Violation("the first message is text").close())
            }
            Inbound::Ping(payload) => {
                out.pong(&payload);
                Ok(())
            }
            Inbound::Pong => Ok(()),
            Inbound::Close(code) => {
                out.write_close_frame(code.unwrap_or(CloseCode::NORMAL.get()), "");
                return Err(());
            }
        };
        outcome.map_err(|close| {
            log::debug!("a websocket was closed: {close}; {}", self.peer());
            out.send_close(close);
        })
    }

    fn open(&mut self, text: ByteString, out: &mut Outgoing) -> Result<(), Close> {
        let Stage::Opening(opening) = &mut self.stage else { return Ok(()) };
        let batch = Batch::of_text(text.clone(), &self.node.config.limits);
        let mut batch = batch.map_err(ProtocolError::close)?;
        let first = body::first_line(&mut batch).map_err(ProtocolError::close)?;
        if let Packet::Heartbeat(token) = first {
            out.send(Packet::Alive(token));
            return Ok(());
        }
        let mut handshake = opening.handshake.take();
        let check = handshake.as_mut().and_then(|handshake| handshake.attach.take());
        let address = handshake.as_ref().and_then(|handshake| handshake.address);
        let subject = Subject::of(&first, address);
        let thinking = Thinking::default();
        let asked = (subject, check);
        if let Some(search) = self.search(&first, text.as_bytes(), asked, &thinking) {
            let searching = Searching { handshake, first, rest: batch, search, thinking };
            self.stage = Stage::Searching(Box::new(searching));
            return Ok(());
        }
        self.attach(first, handshake, batch)
    }

    fn attach(
        &mut self,
        first: Packet,
        handshake: Option<Handshake>,
        rest: Batch,
    ) -> Result<(), Close> {
        let speaker = opening::speaker(&self.node, first, handshake)?;
        let downlink = speaker.attach(Transport::WebSocket)?;
        self.stage = Stage::Open(Box::new(Attached::new(downlink, speaker.next, rest)));
        Ok(())
    }

    /// Searches for the session of a first line, calls the application's check for attachments if
    /// it has one, and relays the connection to the node that holds the session, beginning with the
    /// message of that line: messages before it were answered here.
    fn search(
        &self,
        first: &Packet,
        text: &[u8],
        (subject, check): (Subject, Option<Check>),
        thinking: &Thinking,
    ) -> Option<LocalBoxFuture<'static, Result<Found, Close>>> {
        let search = self.may_go_on.then(|| relayed::search(&self.node, first, relayed::SOCKET));
        let search = search.flatten();
        if search.is_none() && check.is_none() {
            return None;
        }
        let (node, thinks) = (Arc::clone(&self.node), thinking.trigger());
        let mut early = frames::client_text(text);
        early.extend_from_slice(self.reader.unread());
        let (first, early) = (first.clone(), early.freeze());
        let found = async move {
            let place = match search {
                Some(search) => search.await?,
                None => Place::Here(None),
            };
            if let Some(check) = check {
                let begun =
                    check::begin(&node, &first, &place, Transport::WebSocket, check).await?;
                if let Some((_, decision)) = begun {
                    check::patiently(decision, &thinks).await?;
                }
            }
            match (place, &node.cluster) {
                (Place::There(owner), Some(cluster)) => {
                    let carrier = cluster.carry(owner, subject, relayed::SOCKET, &early).await?;
                    Ok(carrier.map_or(Found::Here(None), Found::There))
                }
                (Place::Here(claim), _) => Ok(Found::Here(claim)),
                (Place::There(_), None) => Ok(Found::Here(None)),
            }
        };
        Some(found.boxed_local())
    }

    /// Writes everything that the session has to send. Ready when the connection has to end.
    fn write(&mut self, cx: &mut Context<'_>, out: &mut Outgoing) -> Poll<()> {
        match &mut self.stage {
            Stage::Opening(opening) => {
                let close = ready!(opening.end.as_mut().poll(cx));
                log::debug!("a websocket was closed: {close}; {}", self.peer());
                out.send_close(close);
                Poll::Ready(())
            }
            Stage::Open(attached) => match ready!(attached.downlink.poll_drain(cx, out)) {
                Ok(()) if !out.is_closed() => Poll::Pending,
                Ok(()) => Poll::Ready(()),
                Err(gone) => {
                    out.send_gone(gone);
                    Poll::Ready(())
                }
            },
            Stage::Searching(searching) => {
                if searching.thinking.poll_due(&self.node, cx).is_ready() {
                    out.send(Packet::Alive("".into()));
                }
                Poll::Pending
            }
            Stage::Relayed(carrier) => loop {
                match ready!(carrier.poll_next(cx)) {
                    Incoming::Piece(frames) => {
                        out.pass_on(frames);
                        return Poll::Pending;
                    }
                    // Polled again immediately: there may be something to read, and room for it.
                    Incoming::Room => cx.waker().wake_by_ref(),
                    Incoming::Answer { body: None, .. } => {}
                    Incoming::Answer { .. } | Incoming::End | Incoming::Cut => {
                        return Poll::Ready(());
                    }
                }
            },
            Stage::Ended => Poll::Ready(()),
        }
    }
}

impl MessageBody for Connection {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        if matches!(self.stage, Stage::Ended) {
            return Poll::Ready(None);
        }
        ready!(self.pause.poll(cx));
        let mut out = Outgoing::new();
        let read = self.read(cx, &mut out);
        if matches!(read, Read::Rest) {
            self.pause.set();
        }
        if matches!(read, Read::End) || self.write(cx, &mut out).is_ready() {
            self.stage = Stage::Ended;
        }
        match out.take() {
            Some(bytes) => Poll::Ready(Some(Ok(bytes))),
            None if matches!(self.stage, Stage::Ended) => Poll::Ready(None),
            None => {
                // If its turn is over, this wakes the task after others had their turn.
                let _ = self.pause.poll(cx);
                Poll::Pending
            }
        }
    }
}
