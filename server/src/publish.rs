//! Publishing from outside: an endpoint for programs that are no clients and not written in Rust.
//!
//! A POST with a token and a JSON object, which names an event, its payload, and who gets it.

#![expect(
    clippy::disallowed_methods,
    reason = "a request handler waits for what others have published"
)]

use std::sync::Arc;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, dev, rt};
use bowline_protocol::Encoded;
use bytes::BytesMut;
use futures::StreamExt as _;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::address::AddressKey;
use crate::config::BearerToken;
use crate::guesses;
use crate::handles::Audience;
use crate::message;
use crate::names::room_of;
use crate::node::Node;
use crate::session::FromAddress;

/// The event to publish, and its audience: exactly one of the four.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Publication {
    event: String,
    #[serde(default)]
    payload: Value,
    room: Option<String>,
    user: Option<String>,
    session: Option<String>,
    #[serde(default)]
    everyone: bool,
    /// A repetition with the same id is the same message.
    id: Option<String>,
}

/// Answers a request to publish; `None` where that was not configured.
pub(crate) async fn publish(
    node: &Arc<Node>,
    request: &HttpRequest,
    payload: &mut dev::Payload,
) -> Option<HttpResponse> {
    let token = node.config.publish_token.as_ref()?;
    if let Some(refused) = refuse(node, token, request) {
        return Some(refused);
    }
    let read = rt::time::timeout(node.config.handshake_timeout, body(node, payload)).await;
    let Ok(body) = read.unwrap_or(Err(())) else {
        return Some(HttpResponse::PayloadTooLarge().body("the body is too large or too slow\n"));
    };
    Some(match send(node, &body).await {
        Ok(outcome) => HttpResponse::Ok().body(format!("{outcome}\n")),
        Err(error) => HttpResponse::BadRequest().body(format!("{error}\n")),
    })
}

/// Whoever shows wrong tokens is not listened to for a while, so that none is found by trying.
fn refuse(node: &Node, token: &BearerToken, request: &HttpRequest) -> Option<HttpResponse> {
    let address = node.config.proxies.client(request.head()).address;
    let key = address.map(AddressKey::of);
    if !node.guesses.may_try(key, node.now()) {
        let mut response = HttpResponse::TooManyRequests();
        response.insert_header((header::RETRY_AFTER, guesses::PERIOD.as_secs().to_string()));
        return Some(response.body("too many wrong bearer tokens came from this address\n"));
    }
    let given = request.headers().get(header::AUTHORIZATION);
    let given = given.and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    if given.is_some_and(|given| token.is(given)) {
        node.guesses.was_right(key);
        return None;
    }
    let from = FromAddress(address);
    node.complain("token", format_args!("a program without the token wanted to publish{from}"));
    Some(HttpResponse::Unauthorized().body("the bearer token is missing or wrong\n"))
}

/// Returns how many sessions of this node get it, or where a room's history keeps it.
async fn send(node: &Arc<Node>, body: &[u8]) -> Result<Value, String> {
    let publication: Publication =
        serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let Publication { event, payload, room, user, session, everyone, id } = publication;
    let to = |room: &str| Audience::room(Arc::clone(node), room);
    if let (Some(room), None, None, false) = (&room, &user, &session, everyone)
        && node.histories.has(room)
    {
        return append(node, room, &event, &payload, id).await;
    }
    if id.is_some() {
        return Err("only a room with a history recognizes an id".into());
    }
    let audience = match (room, user, session, everyone) {
        (Some(room), None, None, false) => to(&room),
        (None, Some(user), None, false) => to(&room_of(&user)),
        (None, None, Some(session), false) => {
            let session = session.parse().map_err(|_| "this is no session".to_owned())?;
            Audience::session(Arc::clone(node), session)
        }
        (None, None, None, true) => Audience::all(Arc::clone(node)),
        _ => return Err("exactly one of room, user, session and everyone says who gets it".into()),
    };
    let here = audience.emit(&*event, &payload).map_err(|error| error.to_string())?;
    Ok(json!({ "here": here }))
}

/// An event for a room with a history is stored there.
async fn append(
    node: &Arc<Node>,
    room: &str,
    event: &str,
    payload: &Value,
    id: Option<String>,
) -> Result<Value, String> {
    let id = id.map(|id| id.parse()).transpose().map_err(|_| "the id is no UUID")?;
    let payload = message::to_payload(payload).map_err(|error| error.to_string())?;
    let packet = Encoded::event(event, &payload).map_err(|error| error.to_string())?;
    let appended = node.histories.append(room, packet.as_bytes().clone(), id).await;
    Ok(json!({ "kept": appended.map_err(|error| error.to_string())?.at }))
}

async fn body(node: &Node, payload: &mut dev::Payload) -> Result<BytesMut, ()> {
    let mut body = BytesMut::new();
    while let Some(chunk) = payload.next().await {
        let chunk = chunk.map_err(drop)?;
        if body.len() + chunk.len() > node.config.limits.packet {
            return Err(());
        }
        body.extend_from_slice(&chunk);
    }
    *payload = dev::Payload::None;
    Ok(body)
}
