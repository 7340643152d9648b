//! The way up of SSE and polling.
//!
//! Spec: 02-carriers, "POST".

use std::sync::Arc;

use actix_web::HttpResponse;
use bowline_protocol::{Attach, AttachError, Close, Packet, ProtocolError};
use bytes::BytesMut;

use super::body::Body;
use super::edge;
use super::lines::write_control;
use crate::node::Node;
use crate::session::{LiveSession, Sender};

/// Takes the packets of one body and answers with what was received so far, so that a client whose
/// answer was lost, or whose packets were not taken, knows what to send again.
pub(super) async fn post(node: &Arc<Node>, body: Body) -> Result<HttpResponse, Close> {
    let Body { first, mut rest, .. } = body;
    let Packet::Attach(attach) = first else {
        return Err(ProtocolError::Violation("the first line of a POST is an attach").close());
    };
    let session = node.find(&attach)?;
    if node.stores_sessions() && node.is_draining() && !session.awaits_answers() {
        // What a handler would do now might not end before the session is stored. The next process takes it.
        return Err(node.drain_close());
    }
    confirm(node, &session, &attach)?;
    if let Some(mut next) = in_sequence(&session, attach.next) {
        let sender = Sender::Instance(attach.instance);
        let taken = session.receive_body(sender, &mut next, &mut rest).await;
        taken.map_err(ProtocolError::close)?;
    }
    answer(&session, attach.instance)
}

/// The number to count from, `None` for a body that came before an earlier one: it is not an error,
/// and its client sends it again.
pub(super) fn in_sequence(session: &LiveSession, next: u64) -> Option<u64> {
    session.look(|state| (next <= state.core.received() + 1).then_some(next))
}

/// Takes the confirmation of the first line, even when the handlers are too far behind to take packets.
/// A wrong one is an error of this request and not of the session.
fn confirm(node: &Node, session: &Arc<LiveSession>, attach: &Attach) -> Result<(), Close> {
    let confirm = Packet::Confirm(attach.received);
    session.with(|state, now| {
        state.core.check_owner(attach.instance).map_err(|error| match error {
            // Only an attachment says whether the session goes on from its checkpoint.
            AttachError::Stale => node.come_back(),
            error => error.close(),
        })?;
        // A confirmation is not tracked, so it has no number.
        state.core.handle_packet(0, confirm, now).map_err(ProtocolError::close)
    })
}

/// Another instance may have taken the session over meanwhile: what was received by now may be its packets.
fn answer(session: &Arc<LiveSession>, instance: u64) -> Result<HttpResponse, Close> {
    let mut text = BytesMut::new();
    session.with(|state, _| {
        state.core.check_owner(instance).map_err(|error| error.close())?;
        write_control(&Packet::Confirm(state.core.state_received()), &mut text);
        if let Some(close) = state.core.closed() {
            write_control(&Packet::Close(close.clone()), &mut text);
        }
        Ok::<_, Close>(())
    })?;
    Ok(edge::plain(&mut HttpResponse::Ok()).body(text.freeze()))
}
