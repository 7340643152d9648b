//! Carriers that land on another node than the one that holds their session.
//!
//! The node where the client lands (the edge) passes on what the carrier brings, and the owner
//! serves it as if it had come over a connection of its own: what crosses between them is the bytes
//! of a request and of its answer, in numbered pieces. A piece that is lost ends the carrier, no
//! more: the client attaches again, and the session goes on where it was. Neither side sends more
//! than a window ahead of what the other has used up, so a slow client is slow for its session's
//! outbox.
//!
//! Spec: 03-opening, "Several nodes".

mod edge;
mod owner;

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use actix_web::HttpResponse;
use bowline_protocol::{OpenKey, Packet, SessionId};

use futures::future::LocalBoxFuture;

use super::bus::Bus;
use super::directory::Directory;
use super::figures::Counter;
use super::host::Host;
use edge::Edges;
pub(crate) use edge::{Carrier, Incoming, POST};
use owner::Carried;
pub(crate) use owner::Pieces;

/// The way of carriers to the nodes that hold their sessions, and from those where they land.
pub(super) struct Relay {
    bus: Arc<Bus>,
    directory: Arc<Directory>,
    host: Host,
    carried: Carried,
    edges: Edges,
    /// Set once, before the node serves.
    server: OnceLock<Arc<dyn Serve>>,
    pub(super) relayed: Counter,
}

/// Whoever answers the requests that other nodes relay to this one.
pub(crate) trait Serve: Send + Sync {
    /// Answers a request that another node has received, from a client at this address.
    fn serve(
        &self,
        endpoint: String,
        address: Option<IpAddr>,
        payload: Pieces,
    ) -> LocalBoxFuture<'static, HttpResponse>;
}

impl Relay {
    pub(super) fn new(bus: &Arc<Bus>, directory: &Arc<Directory>, host: Host) -> Arc<Self> {
        Arc::new(Self {
            bus: Arc::clone(bus),
            directory: Arc::clone(directory),
            host,
            carried: Carried::default(),
            edges: Edges::default(),
            server: OnceLock::new(),
            relayed: Counter::default(),
        })
    }

    pub(super) fn serve_with(&self, server: Arc<dyn Serve>) {
        // There is none before.
        let _ = self.server.set(server);
    }
}

/// Whose carrier it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject {
    pub(super) session: Option<SessionId>,
    /// The key of an open.
    pub(super) key: Option<OpenKey>,
    /// Where the client is.
    pub(super) address: Option<IpAddr>,
}

impl Subject {
    pub(crate) const fn session(session: SessionId, address: Option<IpAddr>) -> Self {
        Self { session: Some(session), key: None, address }
    }

    /// What a first line speaks for, of a client at this address.
    pub(crate) const fn of(first: &Packet, address: Option<IpAddr>) -> Self {
        match first {
            Packet::Attach(attach) => Self::session(attach.session, address),
            Packet::Open(open) => Self { session: None, key: Some(open.key), address },
            _ => Self { session: None, key: None, address },
        }
    }
}

/// Bytes that may be under way in one direction of one carrier.
const WINDOW: usize = 256 * 1024;
/// Bytes after which the receiver reports that they were used up.
const TELL: usize = WINDOW / 4;
