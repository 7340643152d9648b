//! The way up of SSE and polling.
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

/// Takes the packets of one body and answers with what was received so far, so that a client whose
/// answer was lost, or whose packets were not taken, knows what to send again.
pub(super) async fn post(node: &Arc<Node>, body: Body) -> Result<HttpResponse, Close> {
    let Body { first, mut rest, .. } = body;
    let Packet::Attach(attach) = first else {
        return Err(ProtocolError::Violation("the first line of a POST is an attach").close());
    };
    let session = node.find(&attach)?;
    if node.stores_sessions() && node.is_draining() && !session.awaits_answers() {
        // What a handler would do now might not end before the session is stored. The next process
        // takes it.
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
