//! The side where the client has landed.

#![expect(clippy::disallowed_methods, reason = "a task of the cluster, for no session that idles")]

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bowline_protocol::{Close, CloseCode, NodeId};
use bytes::Bytes;
use tokio::sync::oneshot;

use super::{Relay, Subject, TELL, WINDOW};
use crate::cluster::PATIENCE;
use crate::cluster::bus::wire::{Hidden, Id, Message};
use crate::cluster::bus::{Call, Reply, node_channel};
use crate::locks::lock;

/// A carrier that is served by another node, for as long as this lives.
pub(crate) struct Carrier {
    relay: Arc<Relay>,
    owner: NodeId,
    call: Call,
    /// The number of the next piece in either direction.
    next_in: u64,
    next_out: u64,
    /// Bytes that were sent and not used up yet.
    under_way: usize,
    /// Bytes that were used up, and not reported yet.
    untold: usize,
    over: bool,
}

/// The calls of carriers that have landed here and that a drain ends.
#[derive(Default)]
pub(super) struct Edges(Mutex<HashSet<u64>>);

/// What comes from the owner.
pub(crate) enum Incoming {
    /// The beginning of the answer; with all of its body if that is known.
    Answer {
        status: u16,
        headers: Vec<(String, String)>,
        body: Option<Bytes>,
    },
    Piece(Bytes),
    /// There is room for more to be sent.
    Room,
    /// Nothing more comes: the answer is complete.
    End,
    /// Something is lost, and with it the carrier.
    Cut,
}

impl Relay {
    /// Passes a request on to the node that holds its session. `None` when that is this one after
    /// all.
    ///
    /// # Errors
    /// The close that answers the request when that node cannot be asked.
    pub(crate) async fn carry(
        self: &Arc<Self>,
        mut owner: NodeId,
        subject: Subject,
        endpoint: &'static str,
        body: &Bytes,
    ) -> Result<Option<Carrier>, Close> {
        self.relayed.count();
        let Subject { session, key, address } = subject;
        for _ in 0..HOPS {
            let mut call = self.bus.call();
            let carry = Message::Carry {
                endpoint: endpoint.to_owned(),
                session: session.map(Id),
                key: key.map(|key| Hidden(key.reveal())),
                address,
            };
            let heard = call.publish_with(&node_channel(owner), &carry, body);
            match self.accepted(&mut call, heard).await {
                Accepted::Yes => {
                    let carrier = Carrier::new(Arc::clone(self), owner, call);
                    if endpoint != POST {
                        self.add_edge(carrier.call.number());
                    }
                    return Ok(Some(carrier));
                }
                Accepted::Elsewhere(node) if node == self.bus.id => {
                    if let Some(key) = &key {
                        self.directory.reclaim(key).await;
                    }
                    return Ok(None);
                }
                Accepted::Elsewhere(node) => {
                    session.inspect(|session| self.directory.seen_at(*session, node));
                    owner = node;
                }
                Accepted::No => break,
                Accepted::Gone => {
                    session.inspect(|session| self.directory.misplaced(*session));
                    break;
                }
            }
        }
        let reason = "the node that holds the session does not answer";
        Err(Close::with_reason(CloseCode::INTERNAL, reason))
    }

    fn add_edge(&self, call: u64) {
        lock(&self.edges.0).insert(call);
        if self.host.is_draining() {
            self.bus.resolve(call, Reply::Down);
        }
    }

    /// This node is about to stop: what has landed here and is served elsewhere has to land
    /// elsewhere. A POST is answered in a moment.
    pub(crate) fn cut_edges(&self) {
        for call in &*lock(&self.edges.0) {
            self.bus.resolve(*call, Reply::Down);
        }
    }

    /// Waits on the runtime of the cluster, which has timers wherever this is called.
    async fn accepted(&self, call: &mut Call, heard: oneshot::Receiver<usize>) -> Accepted {
        if matches!(heard.await, Ok(0) | Err(_)) {
            return Accepted::Gone;
        }
        let late = self.bus.handle.spawn(async { tokio::time::sleep(PATIENCE).await });
        tokio::select! {
            reply = call.replies.recv() => match reply {
                Some(Reply::Heard(_, Message::Carried, _)) => Accepted::Yes,
                Some(Reply::Heard(_, Message::Moved { node: Id(node) }, _)) => {
                    Accepted::Elsewhere(node)
                }
                _ => Accepted::No,
            },
            _ = late => Accepted::No,
        }
    }
}

enum Accepted {
    Yes,
    No,
    Gone,
    Elsewhere(NodeId),
}

impl Carrier {
    fn new(relay: Arc<Relay>, owner: NodeId, call: Call) -> Self {
        let (next_in, next_out, under_way, untold) = (1, 1, 0, 0);
        Self { relay, owner, call, next_in, next_out, under_way, untold, over: false }
    }

    /// The next message of the owner.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Incoming> {
        loop {
            let Poll::Ready(reply) = self.call.replies.poll_recv(cx) else { return Poll::Pending };
            let incoming = match reply {
                Some(Reply::Gone(node)) if node != self.owner => continue,
                Some(Reply::Heard(_, message, bytes)) => self.take(message, bytes),
                Some(Reply::Echo) => continue,
                Some(Reply::Gone(_) | Reply::Down) | None => Incoming::Cut,
            };
            self.over |= matches!(incoming, Incoming::End);
            return Poll::Ready(incoming);
        }
    }

    /// True if the owner has room for more.
    pub(crate) const fn has_room(&self) -> bool {
        self.under_way < WINDOW
    }

    /// Sends the next piece of the request.
    pub(crate) fn send(&mut self, piece: &Bytes) {
        let message = Message::Up { number: self.next_out };
        self.next_out += 1;
        self.under_way += piece.len();
        self.call.send_with(self.owner, &message, piece);
    }

    fn take(&mut self, message: Message, bytes: Bytes) -> Incoming {
        match message {
            Message::Answer { status, headers, whole } => {
                self.over = whole;
                Incoming::Answer { status, headers, body: whole.then_some(bytes) }
            }
            Message::Piece { number } if number == self.next_in => {
                self.next_in += 1;
                self.used_up(bytes.len());
                Incoming::Piece(bytes)
            }
            Message::Over { number } if number == self.next_in => Incoming::End,
            Message::Taken { bytes } => {
                let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
                self.under_way = self.under_way.saturating_sub(bytes);
                Incoming::Room
            }
            _ => Incoming::Cut,
        }
    }

    /// A piece is taken only when there is room for it to be written.
    fn used_up(&mut self, bytes: usize) {
        self.untold += bytes;
        if self.untold >= TELL {
            let taken = Message::UpTaken { bytes: self.untold as u64 };
            self.untold = 0;
            self.call.send(self.owner, &taken);
        }
    }
}

impl Drop for Carrier {
    fn drop(&mut self) {
        lock(&self.relay.edges.0).remove(&self.call.number());
        if !self.over {
            self.call.send(self.owner, &Message::UpOver);
        }
    }
}

/// What a POST is called between nodes.
pub(crate) const POST: &str = "post";
/// How often a session may have moved before this node has learnt of it.
const HOPS: usize = 3;
