//! The endpoints: WebSocket, SSE, polling and POST. They move bytes between requests and sessions,
//! and know nothing of handlers, of rooms, or of what the bytes mean to the application.
//!
//! Spec: 02-carriers.

mod body;
mod check;
mod edge;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod handshake;
mod host;
mod lines;
mod opening;
mod polling;
mod post;
mod relayed;
mod sse;
mod ticket;
mod trial;
mod websocket;

use std::sync::Arc;

use actix_web::http::{ConnectionType, Method};
use actix_web::{HttpRequest, HttpResponse, dev};
use bowline_protocol::{Close, CloseCode, Packet, Transport};

use crate::cluster::{POST, Place, Subject};
use crate::node::Node;
use crate::turn;
use body::Body;
pub(crate) use body::end_with_unread;
use handshake::Handshake;
pub(crate) use relayed::serve_relayed;

/// Serves one request below the mount point.
pub(crate) async fn serve(
    node: &Arc<Node>,
    endpoint: &str,
    request: &HttpRequest,
    payload: &mut dev::Payload,
) -> HttpResponse {
    node.meet_worker(request);
    turn::begin_request().await;
    node.meet(request.version());
    node.guards.judge(request);
    let cors = match edge::check_origin(node, endpoint, request) {
        Ok(cors) => cors,
        Err(close) => return edge::refuse(&close, request),
    };
    let outcome = match (request.method(), endpoint) {
        (&Method::GET, "ws") => websocket::upgrade(node, request, payload.take()).await,
        (&Method::GET, "sse") => ticket::redeem(node, request).await,
        (&Method::POST, "sse") => receive(node, Endpoint::Sse, request, payload).await,
        (&Method::POST, "poll") => receive(node, Endpoint::Poll, request, payload).await,
        (&Method::POST, "post") => receive(node, Endpoint::Post, request, payload).await,
        (&Method::POST, "ticket") => receive(node, Endpoint::Ticket, request, payload).await,
        (&Method::GET | &Method::HEAD, "health") => Ok(edge::health(node)),
        (method, endpoint) => Ok(match (allowed(endpoint), method) {
            (Some(allowed), &Method::OPTIONS) => edge::preflight(allowed),
            (Some(allowed), _) => edge::not_allowed(allowed),
            (None, _) => edge::not_found(),
        }),
    };
    let mut response = outcome.unwrap_or_else(|close| edge::refuse(&close, request));
    cors.apply(&mut response);
    if node.is_draining() {
        // Otherwise the client would send its next request to this process, on the connection that
        // it has.
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
    response
}

/// The bytes of a body that this node relays to the presumed owner of its session before the owner
/// has checked the secret. Checking first costs a round trip, which smaller bodies are not worth.
const UNPROVEN: usize = 64 * 1024;

/// The endpoints below the mount point.
pub(crate) const ENDPOINTS: [&str; 6] = ["ws", "sse", "poll", "post", "ticket", "health"];

/// The endpoint of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Endpoint {
    Sse,
    Poll,
    Post,
    Ticket,
}

/// Reads a body and answers it, or relays it to the node that holds its session.
async fn receive(
    node: &Arc<Node>,
    endpoint: Endpoint,
    request: &HttpRequest,
    payload: &mut dev::Payload,
) -> Result<HttpResponse, Close> {
    if endpoint == Endpoint::Sse {
        sse::check_version(request)?;
    }
    let body = body::read(node, payload).await?;
    let place = match relayed::search(node, &body.first, endpoint.name()) {
        None => Place::Here(None),
        Some(search) => search.await?,
    };
    let Some(transport) = endpoint.attaches() else {
        return serve_at(node, endpoint, body, place, None).await;
    };
    let mut handshake = Handshake::take(node, request, Some(&body.first)).await;
    let begun = match handshake.attach.take() {
        Some(hook) => check::begin(node, &body.first, &place, transport, hook).await?,
        None => None,
    };
    match (begun, endpoint) {
        (None, _) => {}
        (Some((_, mut decision)), Endpoint::Sse) => match check::at_once(&mut decision) {
            Some(outcome) => outcome?,
            None => {
                let answer = {
                    let node = Arc::clone(node);
                    async move {
                        decision.await?;
                        serve_at(&node, endpoint, body, place, Some(handshake)).await
                    }
                };
                return Ok(sse::late(node, answer));
            }
        },
        (Some((session, decision)), _) => match check::in_turns(node, session, decision).await {
            Some(outcome) => outcome?,
            None => return Ok(polling::thinking()),
        },
    }
    serve_at(node, endpoint, body, place, Some(handshake)).await
}

/// Answers a body, or relays it to the node that holds its session.
async fn serve_at(
    node: &Arc<Node>,
    endpoint: Endpoint,
    body: Body,
    place: Place,
    handshake: Option<Handshake>,
) -> Result<HttpResponse, Close> {
    let claim = match place {
        Place::Here(claim) => claim,
        Place::There(owner) => {
            let address = handshake.as_ref().and_then(|handshake| handshake.address);
            let subject = Subject::of(&body.first, address);
            if body.whole.len() > UNPROVEN
                && matches!(body.first, Packet::Attach(_))
                && !node.proves(owner, &body.first).await?
            {
                return Err(Close::new(CloseCode::SESSION_EXPIRED));
            }
            match relayed::forward(node, owner, subject, endpoint.name(), &body.whole).await? {
                Some(response) => return Ok(response),
                None => None,
            }
        }
    };
    let response = answer(node, endpoint, body, handshake).await;
    drop(claim);
    response
}

/// Answers a body.
async fn answer(
    node: &Arc<Node>,
    endpoint: Endpoint,
    body: Body,
    handshake: Option<Handshake>,
) -> Result<HttpResponse, Close> {
    match endpoint {
        Endpoint::Sse => sse::open(node, handshake, body).await,
        Endpoint::Poll => polling::poll(node, handshake, body).await,
        Endpoint::Post => post::post(node, body).await,
        Endpoint::Ticket => ticket::issue(node, handshake, body.first),
    }
}

impl Endpoint {
    const ALL: [Self; 4] = [Self::Sse, Self::Poll, Self::Post, Self::Ticket];

    /// The transport of the attachment that it makes, if it makes one.
    const fn attaches(self) -> Option<Transport> {
        match self {
            Self::Sse | Self::Ticket => Some(Transport::Sse),
            Self::Poll => Some(Transport::Polling),
            Self::Post => None,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Sse => "sse",
            Self::Poll => "poll",
            Self::Post => POST,
            Self::Ticket => "ticket",
        }
    }
}

/// The methods of an endpoint, `None` when there is no such endpoint.
fn allowed(endpoint: &str) -> Option<&'static str> {
    Some(match endpoint {
        "ws" => "GET, OPTIONS",
        "sse" => "GET, POST, OPTIONS",
        "poll" | "post" | "ticket" => "POST, OPTIONS",
        "health" => "GET, HEAD, OPTIONS",
        _ => return None,
    })
}
