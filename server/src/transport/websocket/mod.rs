//! WebSockets: the upgrade, and the response body that is the connection.
//!
//! Spec: 02-carriers, "WebSocket"; RFC 6455.

mod attached;
mod connection;
mod frames;
mod outgoing;

use std::sync::Arc;

use actix_web::body::MessageBody as _;
use actix_web::{HttpRequest, HttpResponse, dev};
use bowline_protocol::Close;

use super::edge;
use super::handshake::Handshake;
use crate::node::Node;
pub(super) use connection::Connection;

/// Answers the upgrade. Everything else happens in the body of the response, which actix polls
/// together with the socket: there is no task for a connection.
pub(super) async fn upgrade(
    node: &Arc<Node>,
    request: &HttpRequest,
    payload: dev::Payload,
) -> Result<HttpResponse, Close> {
    let mut response = match actix_http::ws::handshake(request.head()) {
        Ok(response) => response,
        Err(error) => return Ok(edge::no_websocket(&error.to_string(), request)),
    };
    let handshake = Handshake::take(node, request, None).await;
    let connection = Connection::new(Arc::clone(node), Some(handshake), payload);
    Ok(response.message_body(connection.boxed()).expect("the handshake built a valid head").into())
}
