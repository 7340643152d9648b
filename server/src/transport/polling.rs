//! Long polling.
//!
//! Spec: 02-carriers, "Polling".

#![expect(clippy::disallowed_methods, reason = "the deadline of a body")]

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, ready};

use actix_web::HttpResponse;
use actix_web::rt::time::timeout;
use bowline_protocol::{CarrierGone, Close, CloseCode, Packet, ProtocolError, Transport};

use super::body::Body;
use super::handshake::Handshake;
use super::lines::Lines;
use super::{check, edge, opening};
use crate::node::Node;
use crate::session::{Downlink, OpenPhase};

/// Answers when the session has something to send. The heartbeat of the session ends the wait at
/// the latest, so a poll needs no timer.
pub(super) async fn poll(
    node: &Arc<Node>,
    handshake: Option<Handshake>,
    body: Body,
) -> Result<HttpResponse, Close> {
    let Body { first, mut rest, whole } = body;
    let speaker = opening::speaker(node, first, handshake)?;
    let mut downlink = match speaker.attach(Transport::Polling) {
        Ok(downlink) => downlink,
        // The network has repeated or delayed this poll: the newer poll receives the answer.
        Err(close) if close.code == CloseCode::REPLACED => return Ok(empty()),
        Err(close) => return Err(close),
    };
    let mut next = speaker.next;
    downlink.receive_body(&mut next, &mut rest).await.map_err(ProtocolError::close)?;
    // The client sends again what was not accepted, so the body need not be kept while the poll
    // waits.
    drop((rest, whole));
    let lines = wait_or_think(&mut downlink).await?;
    if !lines.is_closed() {
        downlink.keep_attached();
    }
    Ok(edge::plain(&mut HttpResponse::Ok()).body(lines.into_text().freeze()))
}

/// Like [`wait`], but for no longer than a client may remain without an answer while the
/// application decides.
async fn wait_or_think(downlink: &mut Downlink) -> Result<Lines, Close> {
    if downlink.session().look(|state| state.phase()) != OpenPhase::Asking {
        return wait(downlink).await;
    }
    match timeout(check::THINKING, wait(downlink)).await {
        Ok(lines) => lines,
        Err(_) => {
            downlink.session().with(|state, now| state.core.told_to_wait(now));
            Ok(still_thinking())
        }
    }
}

/// The lines of the answer: none if another carrier of the same client replaced this one.
async fn wait(downlink: &mut Downlink) -> Result<Lines, Close> {
    poll_fn(|cx| {
        let mut lines = Lines::default();
        match ready!(downlink.poll_drain(cx, &mut lines)) {
            Err(CarrierGone::Taken { last }) => Poll::Ready(Err(Close::taken(last))),
            _ => Poll::Ready(Ok(lines)),
        }
    })
    .await
}

/// The answer to a poll whose client has to wait for a decision of the application.
pub(super) fn thinking() -> HttpResponse {
    edge::plain(&mut HttpResponse::Ok()).body(still_thinking().into_text().freeze())
}

fn still_thinking() -> Lines {
    Lines::of(&Packet::Alive("".into()))
}

fn empty() -> HttpResponse {
    edge::plain(&mut HttpResponse::Ok()).finish()
}
