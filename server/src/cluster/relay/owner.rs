//! The side that holds the session.

#![expect(clippy::disallowed_methods, reason = "a task of the cluster, for no session that idles")]

use std::collections::HashMap;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody as _};
use actix_web::error::PayloadError;
use actix_web::{HttpResponse, dev, rt};
use bowline_protocol::NodeId;
use bytes::Bytes;
use futures::Stream;
use futures::future::poll_fn;
use tokio::sync::mpsc;

use super::{Relay, Serve, Subject, TELL, WINDOW};
use crate::cluster::bus::wire::{Id, Message};
use crate::cluster::bus::{Asker, Bus};
use crate::local::Local;
use crate::locks::lock;

/// The carriers that other nodes have passed on, by that node and its number for them.
#[derive(Default)]
pub(super) struct Carried(Mutex<HashMap<Asker, mpsc::UnboundedSender<Up>>>);

/// A message of the edge.
enum Up {
    Piece { number: u64, bytes: Bytes },
    Taken(usize),
    Over,
}

impl Relay {
    /// A carrier of a session that this node is thought to hold.
    pub(crate) fn take_carry(
        self: &Arc<Self>,
        local: &Arc<Local>,
        key: Asker,
        endpoint: String,
        subject: Subject,
        body: Bytes,
    ) {
        if let Some(elsewhere) = self.elsewhere(local, subject, key.node) {
            return self.bus.reply(key, &Message::Moved { node: Id(elsewhere) });
        }
        let Some(server) = self.server.get().cloned() else { return };
        let (sender, ups) = mpsc::unbounded_channel();
        lock(&self.carried.0).insert(key, sender);
        self.bus.reply(key, &Message::Carried);
        let relay = Arc::clone(self);
        let serving = Serving { relay, key, next: 1, under_way: 0, over: false, ups };
        let run = move || drop(rt::spawn(serving.run(server, (endpoint, subject.address), body)));
        local.workers.run(run);
    }

    /// Where else the subject is, if it is not here.
    fn elsewhere(&self, local: &Arc<Local>, subject: Subject, asker: NodeId) -> Option<NodeId> {
        let Subject { session, key, .. } = subject;
        if let Some(session) = session {
            let is_here = local.registry.get(&session).is_some();
            return self.directory.handed(session).filter(|_| !is_here);
        }
        let key = key.filter(|key| local.registry.by_key(key).is_none())?;
        // The open that has claimed it is about to make the session, or has come to nothing.
        Some(if self.directory.is_claiming(&key) { self.bus.id } else { asker })
    }

    /// Something for a carrier that another node has passed on.
    pub(crate) fn take_up(&self, key: Asker, message: Message, bytes: Bytes) {
        let carried = lock(&self.carried.0);
        let Some(to) = carried.get(&key) else { return };
        let _ = to.send(match message {
            Message::Up { number } => Up::Piece { number, bytes },
            Message::UpTaken { bytes } => Up::Taken(usize::try_from(bytes).unwrap_or(usize::MAX)),
            _ => Up::Over,
        });
    }

    /// A node is gone: so are the carriers that came over it.
    pub(crate) fn drop_carriers_of(&self, gone: NodeId) {
        for (asker, to) in &*lock(&self.carried.0) {
            if asker.node == gone {
                let _ = to.send(Up::Over);
            }
        }
    }

    /// The connection to all nodes is lost: so are the carriers that came over them.
    pub(crate) fn drop_carriers(&self) {
        for to in lock(&self.carried.0).values() {
            let _ = to.send(Up::Over);
        }
    }
}

/// One carrier, as long as it is served.
struct Serving {
    relay: Arc<Relay>,
    key: Asker,
    /// The number of the next piece of the answer.
    next: u64,
    /// Bytes of it that were not used up yet.
    under_way: usize,
    /// The edge knows that nothing more comes.
    over: bool,
    ups: mpsc::UnboundedReceiver<Up>,
}

impl Serving {
    async fn run(
        mut self,
        server: Arc<dyn Serve>,
        (endpoint, address): (String, Option<IpAddr>),
        body: Bytes,
    ) {
        let (pieces, payload) = mpsc::unbounded_channel();
        let _ = pieces.send(body);
        let payload =
            Pieces { pieces: payload, bus: Arc::clone(&self.relay.bus), key: self.key, untold: 0 };
        let mut inbound = Some((pieces, 1));
        let answering = server.serve(endpoint, address, payload);
        tokio::pin!(answering);
        let response = loop {
            tokio::select! {
                response = &mut answering => break response,
                up = self.ups.recv() => if !self.take(up, &mut inbound) { return },
            }
        };
        let Some(mut body) = self.answer(response).await else { return };
        loop {
            let has_room = self.under_way < WINDOW;
            let next = poll_fn(|cx| Pin::new(&mut body).poll_next(cx));
            tokio::select! {
                piece = next, if has_room => match piece {
                    Some(Ok(piece)) => self.send(&piece),
                    Some(Err(_)) | None => return self.end(),
                },
                up = self.ups.recv() => if !self.take(up, &mut inbound) { return },
            }
        }
    }

    /// Sends the head of the answer, with its body if that is known. Returns a body that is not.
    async fn answer(&mut self, response: HttpResponse) -> Option<BoxBody> {
        let headers = response.headers().iter();
        let headers = headers
            .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())));
        let (headers, status) = (headers.collect(), response.status().as_u16());
        let body = response.into_body();
        let whole = matches!(body.size(), BodySize::None | BodySize::Sized(_));
        let answer = Message::Answer { status, headers, whole };
        if !whole {
            self.relay.bus.reply(self.key, &answer);
            return Some(body);
        }
        let body = actix_web::body::to_bytes(body).await.unwrap_or_default();
        self.relay.bus.reply_with(self.key, &answer, &body);
        self.over = true;
        None
    }

    /// False if the carrier is over.
    fn take(
        &mut self,
        up: Option<Up>,
        inbound: &mut Option<(mpsc::UnboundedSender<Bytes>, u64)>,
    ) -> bool {
        match up {
            Some(Up::Piece { number, bytes }) => {
                let Some((pieces, next)) = inbound else { return false };
                if number != *next {
                    return false;
                }
                *next += 1;
                let _ = pieces.send(bytes);
                true
            }
            Some(Up::Taken(bytes)) => {
                self.under_way = self.under_way.saturating_sub(bytes);
                true
            }
            Some(Up::Over) | None => {
                self.over = true;
                false
            }
        }
    }

    fn send(&mut self, piece: &Bytes) {
        self.relay.bus.reply_with(self.key, &Message::Piece { number: self.next }, piece);
        self.next += 1;
        self.under_way += piece.len();
    }

    fn end(&mut self) {
        self.over = true;
        self.relay.bus.reply(self.key, &Message::Over { number: self.next });
    }
}

impl Drop for Serving {
    /// Also when the worker stops.
    fn drop(&mut self) {
        lock(&self.relay.carried.0).remove(&self.key);
        if !self.over {
            self.relay.bus.reply(self.key, &Message::Broken);
        }
    }
}

/// What the client sends, as the payload of a request.
pub(crate) struct Pieces {
    pieces: mpsc::UnboundedReceiver<Bytes>,
    bus: Arc<Bus>,
    key: Asker,
    untold: usize,
}

impl Pieces {
    /// The first piece, which has come with the request.
    pub(crate) fn first(&mut self) -> Bytes {
        self.pieces.try_recv().unwrap_or_default()
    }

    /// For a transport that reads a stream.
    pub(crate) fn into_payload(self) -> dev::Payload {
        dev::Payload::Stream { payload: Box::pin(self) }
    }
}

impl Stream for Pieces {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Poll::Ready(piece) = self.pieces.poll_recv(cx) else { return Poll::Pending };
        self.untold += piece.as_ref().map_or(0, Bytes::len);
        if self.untold >= TELL {
            let taken = Message::Taken { bytes: self.untold as u64 };
            self.untold = 0;
            self.bus.reply(self.key, &taken);
        }
        Poll::Ready(piece.map(Ok))
    }
}
