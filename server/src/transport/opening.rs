//! From the first line of an attachment to an attached session.
//!
//! Spec: 03-opening.

#![expect(clippy::disallowed_methods, reason = "a task for a hook that decides about an open")]

use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Waker};

use actix_web::rt;
use bowline_protocol::{
    Attach, AttachError, Attachment, Close, CloseCode, Open, Packet, ProtocolError, Retry,
};

use super::handshake::{self, Handshake};
use crate::node::{ConnectContext, Node, Prepared};
use crate::session::{Arrival, Downlink, Greeting, LiveSession, OpenPhase, Opened};
use bowline_protocol::Transport;

/// The session of a first line, and the position of its client.
#[derive(Debug)]
pub(super) struct Speaker {
    pub(super) session: Arc<LiveSession>,
    pub(super) attachment: Attachment,
    /// The number of the first tracked packet that follows.
    pub(super) next: u64,
    /// The client opened the session with this line, so it may not know the secret yet.
    pub(super) is_open: bool,
    /// The client expects a welcome immediately.
    pub(super) greet: bool,
    /// The address from which the request came.
    address: Option<IpAddr>,
}

impl Speaker {
    /// Attaches the carrier. The returned downlink begins with a welcome.
    ///
    /// # Errors
    /// The close for this carrier; the session continues, unless the client needs packets that are
    /// not kept any more.
    pub(super) fn attach(&self, transport: Transport) -> Result<Downlink, Close> {
        let greeting = if transport == Transport::Polling && !self.greet {
            Greeting::Position
        } else {
            Greeting::Welcome { with_secret: self.is_open }
        };
        self.session
            .attach(self.attachment, transport, greeting)
            .map(|downlink| downlink.report(self.address))
            .map_err(|error: AttachError| error.close())
    }
}

/// Finds or opens the session of a first line.
///
/// # Errors
/// The close that the carrier receives.
pub(super) fn speaker(
    node: &Arc<Node>,
    first: Packet,
    handshake: Option<Handshake>,
) -> Result<Speaker, Close> {
    if node.is_draining() && !may_still_attach(node, &first) {
        return Err(node.drain_close());
    }
    let address = handshake.as_ref().and_then(|handshake| handshake.address);
    match first {
        Packet::Open(open) => {
            let session = open_session(node, &open, handshake)?;
            let Open { counter, instance, take, .. } = open;
            let attachment = Attachment { counter, instance, take, ..Attachment::default() };
            Ok(Speaker { session, attachment, next: 1, is_open: true, greet: true, address })
        }
        Packet::Attach(attach) => {
            let session = node.find(&attach)?;
            let Attach { counter, received, last, instance, take, next, greet, .. } = attach;
            let attachment =
                Attachment { counter, peer_received: received, peer_sent: last, instance, take };
            Ok(Speaker { session, attachment, next, is_open: false, greet, address })
        }
        _ => Err(ProtocolError::Violation("the first line is an open or an attach").close()),
    }
}

/// True for the client of a session that has an answer pending.
fn may_still_attach(node: &Arc<Node>, first: &Packet) -> bool {
    let Packet::Attach(attach) = first else { return false };
    node.find(attach).is_ok_and(|session| session.awaits_answers())
}

fn open_session(
    node: &Arc<Node>,
    open: &Open,
    handshake: Option<Handshake>,
) -> Result<Arc<LiveSession>, Close> {
    let Some(Handshake { address, connect, is_relayed: false, .. }) = handshake else {
        // Another node has relayed it, for a session that was opened here.
        let known = node.registry.by_key(&open.key);
        return known.ok_or_else(|| Close::new(CloseCode::SESSION_EXPIRED));
    };
    match node.open(open, address)? {
        Opened::Known(session) => Ok(session),
        Opened::New(session) => {
            match connect {
                Some(hook) => begin_decision(node, &session, hook, open),
                None => session.drive(|state, _| state.set_phase(OpenPhase::Open)),
            }
            Ok(session)
        }
    }
}

/// Starts the decision of the application. The carriers await the answer, not this function: the
/// carrier that opened the session may have ended by then. A hook that awaits nothing has decided
/// when this returns.
fn begin_decision(
    node: &Arc<Node>,
    session: &Arc<LiveSession>,
    hook: Prepared<ConnectContext>,
    open: &Open,
) {
    let (node, session) = (Arc::clone(node), Arc::clone(session));
    let context = ConnectContext { node, session, auth: open.auth.clone() };
    let mut decision = Box::pin(decide(hook, context));
    let mut at_once = Context::from_waker(Waker::noop());
    if decision.as_mut().poll(&mut at_once).is_pending() {
        rt::spawn(decision);
    }
}

async fn decide(hook: Prepared<ConnectContext>, context: ConnectContext) {
    let (node, session) = (Arc::clone(&context.node), Arc::clone(&context.session));
    let _under_way = node.common.hook_begins();
    let outcome = handshake::call(&node, hook, context).await;
    if outcome.as_ref().is_err_and(|close| close.code.retry() != Retry::Stop) {
        // The hook has not decided. The client opens again with the same key, and the hook runs
        // again.
        node.registry.retract(&session);
    }
    if let (Err(_), Some(cluster)) = (&outcome, &node.cluster) {
        cluster.disown(session.key);
    }
    let begins = session.drive(|state, now| {
        match outcome {
            // The server has sent the client away meanwhile.
            _ if state.phase() != OpenPhase::Asking => {}
            Ok(()) => state.set_phase(OpenPhase::Open),
            Err(close) => {
                state.set_phase(OpenPhase::Refused);
                state.core.abort(close, now);
            }
        }
        state.begins()
    });
    if begins {
        session.report_arrival(Arrival::Opened, None);
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use bowline_protocol::{Open, Packet, Token};

    use super::{Handshake, OpenPhase, speaker};
    use crate::config::Config;
    use crate::node::{Handlers, Hooks, Node};
    use crate::random::random;

    #[actix_web::test]
    async fn a_connect_hook_that_panics_before_its_first_await_refuses() {
        let mut hooks = Hooks::default();
        hooks.connect(|| -> std::future::Ready<()> { panic!("on purpose") });
        let node = Node::new(Config::default(), Handlers::default(), hooks);
        let key = Token::from_bytes(random());
        let open = Open { key, counter: 1, instance: 0, take: None, auth: Default::default() };
        let request = TestRequest::default().to_http_request();
        let handshake = Handshake::take(&node, &request, None).await;
        let session = speaker(&node, Packet::Open(open), Some(handshake)).unwrap().session;
        assert_eq!(session.look(|state| state.phase()), OpenPhase::Refused);
    }
}
