//! Carriers that this node relays to another node, and those that another node relays to this one.
//!
//! The transports serve a relayed request like any other, except that it has no HTTP head.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};

use actix_web::HttpResponse;
use actix_web::body::{BodySize, MessageBody};
use actix_web::http::StatusCode;
use bowline_protocol::{Close, CloseCode, NodeId, Packet};
use bytes::Bytes;
use futures::future::{BoxFuture, LocalBoxFuture, poll_fn};

use super::handshake::Handshake;
use super::websocket::Connection;
use super::{Endpoint, answer, body, check, edge, ticket};
use crate::cluster::{Carrier, Incoming, POST, Pieces, Place, Serve, Subject};
use crate::node::Node;

/// Searches for the session of a first line, if it is not known to be here. A node that is about to
/// stop sends clients away unless they POST; the node that would serve the session does that.
pub(super) fn search(
    node: &Arc<Node>,
    first: &Packet,
    endpoint: &str,
) -> Option<BoxFuture<'static, Result<Place, Close>>> {
    let leaves = node.is_draining() && endpoint != POST;
    if leaves { None } else { node.search(first) }
}

/// Relays a request to another node. `None` when its session is here after all.
pub(super) async fn forward(
    node: &Arc<Node>,
    owner: NodeId,
    subject: Subject,
    endpoint: &'static str,
    body: &Bytes,
) -> Result<Option<HttpResponse>, Close> {
    let Some(cluster) = &node.cluster else { return Ok(None) };
    let Some(mut carrier) = cluster.carry(owner, subject, endpoint, body).await? else {
        return Ok(None);
    };
    let Incoming::Answer { status, headers, body } = poll_fn(|cx| carrier.poll_next(cx)).await
    else {
        if node.is_draining() {
            return Err(node.drain_close());
        }
        let reason = "the node that holds the session has stopped";
        return Err(Close::with_reason(CloseCode::INTERNAL, reason));
    };
    let mut response = HttpResponse::build(StatusCode::from_u16(status).unwrap_or_default());
    for header in headers {
        response.append_header(header);
    }
    Ok(Some(match body {
        Some(body) => response.body(body),
        None => response.body(Answer { carrier }),
    }))
}

/// Accepts the requests that other nodes relay to this one, if there are others. Called once,
/// before the node serves.
pub(crate) fn serve_relayed(node: &Arc<Node>) {
    if let Some(cluster) = &node.cluster {
        cluster.serve_with(Arc::new(Server(Arc::downgrade(node))));
    }
}

struct Server(Weak<Node>);

impl Serve for Server {
    fn serve(
        &self,
        endpoint: String,
        address: Option<IpAddr>,
        payload: Pieces,
    ) -> LocalBoxFuture<'static, HttpResponse> {
        let node = self.0.upgrade();
        Box::pin(async move {
            match node {
                Some(node) => serve(&node, &endpoint, address, payload).await,
                None => edge::refusal(&Close::new(CloseCode::INTERNAL)),
            }
        })
    }
}

/// Answers a request that another node has received.
async fn serve(
    node: &Arc<Node>,
    endpoint: &str,
    address: Option<IpAddr>,
    mut payload: Pieces,
) -> HttpResponse {
    let handshake = Some(Handshake::relayed(address));
    if endpoint == SOCKET {
        let connection = Connection::new(Arc::clone(node), handshake, payload.into_payload());
        return HttpResponse::Ok().body(connection);
    }
    let whole = payload.first();
    let outcome = async {
        if endpoint == REDEEM {
            return ticket::redeem_here(node, &String::from_utf8_lossy(&whole), address);
        }
        let known = Endpoint::ALL.into_iter().find(|known| known.name() == endpoint);
        let known = known.ok_or_else(|| Close::new(CloseCode::INTERNAL))?;
        let body = body::parse(node, whole.clone())?;
        if let Some(transport) = known.attaches()
            && !check::may_go_on(node, &body.first, transport)
        {
            // The other node treated this poll as one that follows another: the client has to
            // attach again.
            return Err(Close::new(CloseCode::INTERNAL));
        }
        answer(node, known, body, handshake).await
    };
    outcome.await.unwrap_or_else(|close| edge::refusal(&close))
}

/// The names of a WebSocket and of a ticket between nodes.
pub(super) const SOCKET: &str = "ws";
pub(super) const REDEEM: &str = "redeem";

/// The body of an answer that another node writes.
struct Answer {
    carrier: Carrier,
}

impl MessageBody for Answer {
    type Error = io::Error;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        loop {
            return Poll::Ready(match ready!(self.carrier.poll_next(cx)) {
                Incoming::Piece(piece) => Some(Ok(piece)),
                Incoming::End => None,
                Incoming::Room => continue,
                // The client must not mistake it for the end of the answer.
                Incoming::Cut | Incoming::Answer { .. } => {
                    Some(Err(io::ErrorKind::ConnectionReset.into()))
                }
            });
        }
    }
}
