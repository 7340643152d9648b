//! The way from the client to the server for SSE and polling.
//!
//! Spec: 02-carriers, "POST".

use std::sync::Arc;

use actix_web::HttpResponse;
use bowline_protocol::{Close, Packet, ProtocolError};
use bytes::BytesMut;

use super::body::Body;
use super::edge;
use super::lines::write_control;
use crate::node::Node;
use crate::session::Posted;

/// Receives the packets of one body and answers with the number of the last one received, so that a
/// client whose answer was lost, or whose packets were not accepted, knows what to send again.
pub(super) async fn post(node: &Arc<Node>, body: Body) -> Result<HttpResponse, Close> {
    let Body { first, mut rest, .. } = body;
    let Packet::Attach(attach) = first else {
        return Err(ProtocolError::Violation("the first line of a POST is an attach").close());
    };
    let session = node.find(&attach)?;
    if node.stores_sessions() && node.is_draining() && !session.awaits_answers() {
        // A handler that starts now might not complete before the session is stored. The next
        // process receives the packets.
        return Err(node.drain_close());
    }
    let Posted { received, closed } = session.post(&attach, &mut rest).await?;
    let mut text = BytesMut::new();
    write_control(&Packet::Confirm(received), &mut text);
    if let Some(close) = closed {
        write_control(&Packet::Close(close), &mut text);
    }
    Ok(edge::plain(&mut HttpResponse::Ok()).body(text.freeze()))
}
