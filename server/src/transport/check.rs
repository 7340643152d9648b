//! Asks the application about attachments to sessions that exist: where the request is, also for
//! sessions that another node holds.
//!
//! Spec: 03-opening, "Attach"; 02-carriers, "Slow decisions".

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

/// Begins to ask about the attachment of a first line. `None` if there is nothing to ask: the
/// session is not known or still being opened, the secret is wrong, or a poll follows another one.
///
/// # Errors
/// The close that is told when the node that holds the session cannot be asked.
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
        // A poll that follows another one is looked at by the owner, which knows whether it does.
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

/// True for a poll that says it follows another one.
fn goes_on(first: &Packet, transport: Transport) -> bool {
    transport == Transport::Polling && matches!(first, Packet::Attach(attach) if !attach.greet)
}

/// True if nothing speaks against a poll that another node has passed on without asking anybody.
pub(super) fn may_go_on(node: &Arc<Node>, first: &Packet, transport: Transport) -> bool {
    let Packet::Attach(attach) = first else { return true };
    let polls = || node.find(attach).is_ok_and(|session| session.look(|state| state.polls()));
    node.hooks.attach.is_none() || !goes_on(first, transport) || polls()
}

/// The session of this node that the application is to be asked about.
fn here(node: &Arc<Node>, first: &Packet, transport: Transport) -> Option<Arc<LiveSession>> {
    let session = match first {
        Packet::Attach(attach) => node.find(attach).ok(),
        Packet::Open(open) => node.registry.by_key(&open.key),
        _ => None,
    }?;
    let (is_open, polls) = session.look(|state| (state.phase() == OpenPhase::Open, state.polls()));
    (is_open && !(polls && goes_on(first, transport))).then_some(session)
}

/// Asks. A refusal ends the session.
async fn decide(
    node: Arc<Node>,
    owner: Option<NodeId>,
    hook: Prepared<Attaching>,
    attaching: Attaching,
) -> Result<(), Close> {
    let id = attaching.session;
    let _under_way = node.common.hook_begins();
    let decision = handshake::ask(&node, hook, attaching).await;
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

/// The outcome if there is one at once.
pub(super) fn at_once(decision: &mut AttachDecision) -> Option<Result<(), Close>> {
    let mut context = Context::from_waker(Waker::noop());
    match decision.as_mut().poll(&mut context) {
        Poll::Ready(outcome) => Some(outcome),
        Poll::Pending => None,
    }
}

/// Waits for a decision for as long as a poll can. `None` if the application needs longer: the
/// client asks again, and finds the same decision.
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

/// Tells a client that the application is thinking: at once, and again with each heartbeat.
#[derive(Debug, Default)]
pub(super) struct Thinking {
    began: Rc<Cell<bool>>,
    again: Option<Pin<Box<Sleep>>>,
}

impl Thinking {
    /// Sets it off.
    pub(super) fn trigger(&self) -> Rc<Cell<bool>> {
        Rc::clone(&self.began)
    }

    /// Ready when it is to be said.
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
        // It wakes the task later.
        let _ = again.as_mut().poll(cx);
        self.again = Some(again);
        Poll::Ready(())
    }
}

/// Waits for a decision. `thinking` is set if there is none at once.
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

/// How long a poll waits for a decision of the application. Clients that wait longer for an answer
/// take it for a bad network.
pub(super) const THINKING: Duration = Duration::from_millis(1500);
