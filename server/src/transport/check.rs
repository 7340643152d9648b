//! Calls the application's check for attachments to existing sessions: on the node that received
//! the request, also for sessions that another node holds.
//!
//! Spec: 03-opening, "Attach"; 02-carriers, "Slow decisions".

#![expect(
    clippy::disallowed_methods,
    reason = "the deadline of a hook that decides, and the sign of life meanwhile"
)]

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use actix_web::rt::time::{Sleep, sleep, timeout};
use bowline_protocol::{Close, CloseCode, NodeId, Packet, Retry, SessionId};
use futures::FutureExt as _;

use super::handshake::{self, Check};
use crate::cluster::Place;
use crate::handles::Audience;
use crate::node::{AttachDecision, Attaching, Node, Prepared};
use crate::session::{LiveSession, OpenPhase};
use bowline_protocol::Transport;

/// Starts the check of the attachment in a first line. `None` if there is nothing to check: the
/// session is not known or still being opened, the secret is wrong, or a poll follows another one.
///
/// # Errors
/// The close that the client receives when the node that holds the session does not answer.
pub(super) async fn begin(
    node: &Arc<Node>,
    first: &Packet,
    place: &Place,
    transport: Transport,
    check: Check,
) -> Result<Option<(SessionId, AttachDecision)>, Close> {
    let Check { hook, address } = check;
    let (session, user, owner) = match place {
        Place::Here(_) => match here(node, first, transport) {
            Some(session) => (session.id, session.user(), None),
            None => return Ok(None),
        },
        // The owner checks a poll that follows another one, because only the owner knows whether it
        // does.
        Place::There(_) if goes_on(first, transport) => return Ok(None),
        Place::There(owner) => match node.whose(*owner, first).await? {
            Some((session, user)) => (session, user, Some(*owner)),
            None => return Ok(None),
        },
    };
    let attaching = Attaching { session, user, transport, address };
    let decision = decide(Arc::clone(node), owner, hook, attaching).boxed_local();
    Ok(Some((session, decision)))
}

/// True for a poll whose first line states that it follows another one.
fn goes_on(first: &Packet, transport: Transport) -> bool {
    transport == Transport::Polling && matches!(first, Packet::Attach(attach) if !attach.greet)
}

/// True if the owner may answer a poll that another node has relayed without a check.
pub(super) fn may_go_on(node: &Arc<Node>, first: &Packet, transport: Transport) -> bool {
    let Packet::Attach(attach) = first else { return true };
    let polls = || node.find(attach).is_ok_and(|session| session.look(|state| state.polls()));
    node.hooks.attach.is_none() || !goes_on(first, transport) || polls()
}

/// Returns the session of this node whose attachment the application has to check.
fn here(node: &Arc<Node>, first: &Packet, transport: Transport) -> Option<Arc<LiveSession>> {
    let session = match first {
        Packet::Attach(attach) => node.find(attach).ok(),
        Packet::Open(open) => node.registry.by_key(&open.key),
        _ => None,
    }?;
    let (is_open, polls) = session.look(|state| (state.phase() == OpenPhase::Open, state.polls()));
    (is_open && !(polls && goes_on(first, transport))).then_some(session)
}

/// Calls the check. A refusal ends the session.
async fn decide(
    node: Arc<Node>,
    owner: Option<NodeId>,
    hook: Prepared<Attaching>,
    attaching: Attaching,
) -> Result<(), Close> {
    let id = attaching.session;
    let _under_way = node.common.hook_begins();
    let decision = handshake::call(&node, hook, attaching).await;
    if let Err(close) = &decision
        && close.code.retry() == Retry::Stop
    {
        match node.registry.get(&id) {
            Some(session) => session.with(|state, now| state.core.abort(close.clone(), now)),
            None if owner.is_some() => Audience::session(node, id).disconnect(close),
            None => {}
        }
    }
    decision
}

/// The outcome, if the application has decided already.
pub(super) fn at_once(decision: &mut AttachDecision) -> Option<Result<(), Close>> {
    let mut context = Context::from_waker(Waker::noop());
    match decision.as_mut().poll(&mut context) {
        Poll::Ready(outcome) => Some(outcome),
        Poll::Pending => None,
    }
}

/// Waits for a decision for as long as a poll may stay open. `None` if the application needs
/// longer: the client polls again, and waits for the same decision.
pub(super) async fn in_turns(
    node: &Arc<Node>,
    session: SessionId,
    mut decision: AttachDecision,
) -> Option<Result<(), Close>> {
    let known = node.decisions.known(session);
    let mut verdict = match known {
        Some(verdict) => verdict,
        None => match at_once(&mut decision) {
            Some(outcome) => return Some(outcome),
            None => node.decisions.follow(node, session, decision),
        },
    };
    let outcome = timeout(THINKING, verdict.wait_for(Option::is_some)).await.ok()?;
    let outcome = outcome.ok().and_then(|outcome| outcome.clone());
    node.decisions.forget(session);
    Some(outcome.unwrap_or_else(|| Err(Close::new(CloseCode::INTERNAL))))
}

/// Notifies a client that the application is still deciding: immediately, and again with each
/// heartbeat.
#[derive(Debug, Default)]
pub(super) struct Thinking {
    began: Rc<Cell<bool>>,
    again: Option<Pin<Box<Sleep>>>,
}

impl Thinking {
    /// Returns the flag that starts the notifications.
    pub(super) fn trigger(&self) -> Rc<Cell<bool>> {
        Rc::clone(&self.began)
    }

    /// Ready when the client has to be notified.
    pub(super) fn poll_due(&mut self, node: &Node, cx: &mut Context<'_>) -> Poll<()> {
        if !self.began.get() {
            return Poll::Pending;
        }
        let is_due = match &mut self.again {
            None => true,
            Some(again) => again.as_mut().poll(cx).is_ready(),
        };
        if !is_due {
            return Poll::Pending;
        }
        let mut again = Box::pin(sleep(node.config.session.heartbeat));
        // The timer stores the waker of the task.
        let _ = again.as_mut().poll(cx);
        self.again = Some(again);
        Poll::Ready(())
    }
}

/// Waits for a decision. Sets `thinking` if the application has not decided immediately.
pub(super) async fn patiently(
    mut decision: AttachDecision,
    thinking: &Cell<bool>,
) -> Result<(), Close> {
    if let Some(outcome) = at_once(&mut decision) {
        return outcome;
    }
    thinking.set(true);
    decision.await
}

/// How long a poll waits for a decision of the application. A client that waits longer for an
/// answer treats the network as bad.
pub(super) const THINKING: Duration = Duration::from_millis(1500);
