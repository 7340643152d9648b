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
use crate::session::LiveSession;

/// Takes the packets of one body and answers with what was received so far, so that a client whose
/// answer was lost, or whose packets were not taken, knows what to send again.
pub(super) fn post(node: &Arc<Node>, body: Body) -> Result<HttpResponse, Close> {
    let Body { first, mut rest, .. } = body;
    let Packet::Attach(attach) = first else {
        return Err(ProtocolError::Violation("the first line of a POST is an attach").close());
    };
    let session = node.find(&attach)?;
    confirm(&session, attach.received)?;
    if let Some(mut next) = in_sequence(&session, attach.next) {
        session.receive(&mut next, || rest.next_packet()).map_err(ProtocolError::close)?;
    }
    Ok(answer(&session))
}

/// The number to count from, `None` for a body that came before an earlier one: it is not an error,
/// and its client sends it again.
pub(super) fn in_sequence(session: &LiveSession, next: u64) -> Option<u64> {
    session.look(|state| (next <= state.core.received() + 1).then_some(next))
}

/// Takes the confirmation of the first line, even when the handlers are too far behind to take packets.
/// A wrong one is an error of this request and not of the session.
fn confirm(session: &Arc<LiveSession>, received: u64) -> Result<(), Close> {
    let confirm = Packet::Confirm(received);
    // A confirmation is not tracked, so it has no number.
    let taken = session.with(|state, now| state.core.handle_packet(0, confirm, now));
    taken.map_err(ProtocolError::close)
}

fn answer(session: &Arc<LiveSession>) -> HttpResponse {
    let mut text = BytesMut::new();
    session.with(|state, _| {
        write_control(&Packet::Confirm(state.core.state_received()), &mut text);
        if let Some(close) = state.core.closed() {
            write_control(&Packet::Close(close.clone()), &mut text);
        }
    });
    edge::plain(&mut HttpResponse::Ok()).body(text.freeze())
}
