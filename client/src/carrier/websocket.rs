//! A session on a WebSocket. Spec: 02-carriers, "WebSocket".

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use bowline_protocol::{Close, CloseCode, Limits, Packet, Transmit};
use bytes::BytesMut;
use bytestring::ByteString;
use futures::{FutureExt, SinkExt, StreamExt};

use super::{Incoming, first_line, write_line};
use crate::engine::{End, Outgoing};
use crate::options::Options;
use crate::platform::{BoxFuture, HostError, Platform, Socket, SocketMessage};

pub(crate) struct WebSocket {
    state: State,
    queue: VecDeque<SocketMessage>,
    /// The network has not accepted everything yet.
    flushing: bool,
}

enum State {
    Opening(BoxFuture<Result<Socket, HostError>>),
    Open(Socket),
}

impl WebSocket {
    pub(crate) fn open(platform: &Arc<dyn Platform>, options: &Options, limits: Limits) -> Self {
        let platform = Arc::clone(platform);
        let open = move |target| platform.open_socket(target, limits.batch);
        Self {
            state: State::Opening(options.headers.send(options.endpoint.socket(), open)),
            queue: VecDeque::new(),
            flushing: false,
        }
    }

    pub(crate) fn send(&mut self, outgoing: &Outgoing) {
        let mut text = BytesMut::from(first_line(outgoing).as_str());
        for packet in &outgoing.packets {
            if let Some(message) = binary_message(packet) {
                self.push_text(&mut text);
                self.queue.push_back(SocketMessage::Binary(message));
                continue;
            }
            if !text.is_empty() {
                text.extend_from_slice(b"\n");
            }
            write_line(packet, &mut text);
            if let Transmit::Control(Packet::Close(close)) = packet {
                self.push_text(&mut text);
                self.queue.push_back(SocketMessage::Close(close.code.get()));
            }
        }
        self.push_text(&mut text);
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, read: bool) -> Poll<Incoming> {
        let socket = match &mut self.state {
            State::Opening(opening) => match opening.poll_unpin(cx) {
                Poll::Ready(Ok(socket)) => {
                    self.state = State::Open(socket);
                    return Poll::Ready(Incoming::Ready);
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Incoming::Ended(error.into())),
                Poll::Pending => return Poll::Pending,
            },
            State::Open(socket) => socket,
        };
        // Reading comes first: a server that has closed may have sent its reason.
        if read && let Poll::Ready(message) = socket.stream.poll_next_unpin(cx) {
            return Poll::Ready(incoming(message));
        }
        let idle = self.queue.is_empty() && !self.flushing;
        match self.poll_send(cx) {
            Poll::Ready(Ok(())) if idle => Poll::Pending,
            Poll::Ready(Ok(())) => Poll::Ready(Incoming::Ready),
            Poll::Ready(Err(error)) => Poll::Ready(Incoming::Ended(error.into())),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Ready when the network has accepted everything.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), HostError>> {
        let State::Open(socket) = &mut self.state else { return Poll::Pending };
        while !self.queue.is_empty() {
            std::task::ready!(socket.sink.poll_ready_unpin(cx))?;
            if let Some(message) = self.queue.pop_front() {
                socket.sink.start_send_unpin(message)?;
                self.flushing = true;
            }
        }
        if self.flushing {
            std::task::ready!(socket.sink.poll_flush_unpin(cx))?;
            self.flushing = false;
        }
        Poll::Ready(Ok(()))
    }

    fn push_text(&mut self, text: &mut BytesMut) {
        if !text.is_empty() {
            let text = ByteString::try_from(text.split().freeze());
            self.queue.push_back(SocketMessage::Text(text.expect("lines are UTF-8")));
        }
    }
}

impl fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket").field("flushing", &self.flushing).finish_non_exhaustive()
    }
}

fn binary_message(packet: &Transmit) -> Option<bytes::Bytes> {
    match packet {
        Transmit::Tracked { packet, .. } | Transmit::Volatile(packet) => {
            packet.binary_message().cloned()
        }
        Transmit::Control(_) => None,
    }
}

fn incoming(message: Option<Result<SocketMessage, HostError>>) -> Incoming {
    match message {
        Some(Ok(SocketMessage::Text(text))) => Incoming::Batch(text.into_bytes()),
        Some(Ok(SocketMessage::Binary(message))) => Incoming::Binary(message),
        Some(Ok(SocketMessage::Close(code))) => Incoming::Ended(close_frame(code)),
        Some(Err(error)) => Incoming::Ended(error.into()),
        None => Incoming::Ended(End::Lost("the WebSocket was closed".to_owned())),
    }
}

/// A close packet ends a session. A close frame alone counts if its code is one of Bowline's; any
/// intermediary may send the codes of RFC 6455.
fn close_frame(code: u16) -> End {
    match CloseCode::from_wire(code) {
        Some(known) if code >= 4000 => End::Close(Close::new(known)),
        _ => End::Lost(format!("the WebSocket was closed with the code {code}")),
    }
}
