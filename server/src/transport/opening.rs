//! From the first line of an attachment to an attached session.
//!
//! Spec: 03-opening.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use actix_web::{HttpRequest, rt};
use bowline_protocol::{
    Attach, AttachError, Attachment, Close, CloseCode, Open, Packet, ProtocolError,
};
use futures::FutureExt as _;

use super::Transport;
use crate::node::Node;
use crate::session::{Downlink, Greeting, LiveSession, OpenPhase, Opened};

/// A session, and where its client stands.
#[derive(Debug)]
pub(super) struct Speaker {
    pub(super) session: Arc<LiveSession>,
    pub(super) attachment: Attachment,
    /// The number of the first tracked packet that follows.
    pub(super) next: u64,
    /// The client opened the session with this line, so it may not know the secret yet.
    pub(super) is_open: bool,
    /// The client wants a welcome at once.
    pub(super) greet: bool,
}

impl Speaker {
    /// Attaches the carrier. The returned downlink begins with a welcome.
    ///
    /// # Errors
    /// The close for this carrier; the session goes on, unless the client needs what is gone.
    pub(super) fn attach(&self, transport: Transport) -> Result<Downlink, Close> {
        let greeting = if transport == Transport::Polling && !self.greet {
            Greeting::Position
        } else {
            Greeting::Welcome { with_secret: self.is_open }
        };
        self.session
            .attach(self.attachment, transport, greeting)
            .map_err(|error: AttachError| Close::new(error.close_code()))
    }
}

/// Finds or makes the session that a first line speaks for.
///
/// # Errors
/// The close that the carrier is told.
pub(super) fn speaker(
    node: &Arc<Node>,
    first: Packet,
    request: Option<&HttpRequest>,
) -> Result<Speaker, Close> {
    if node.is_draining() && !may_still_attach(node, &first) {
        return Err(node.drain_close());
    }
    match first {
        Packet::Open(open) => {
            let session = open_session(node, &open, request)?;
            let attachment = Attachment { counter: open.counter, peer_received: 0 };
            Ok(Speaker { session, attachment, next: 1, is_open: true, greet: true })
        }
        Packet::Attach(attach) => {
            let session = node.find(&attach)?;
            let attachment = Attachment { counter: attach.counter, peer_received: attach.received };
            let Attach { next, greet, .. } = attach;
            Ok(Speaker { session, attachment, next, is_open: false, greet })
        }
        _ => Err(ProtocolError::Violation("the first line is an open or an attach").close()),
    }
}

/// True for the client of a session to which an answer is under way.
fn may_still_attach(node: &Node, first: &Packet) -> bool {
    let Packet::Attach(attach) = first else { return false };
    node.find(attach).is_ok_and(|session| session.awaits_answers())
}

fn open_session(
    node: &Arc<Node>,
    open: &Open,
    request: Option<&HttpRequest>,
) -> Result<Arc<LiveSession>, Close> {
    let Some(request) = request else {
        // Another node has received it for a session that was opened here.
        let known = node.registry.by_key(&open.key);
        return known.ok_or_else(|| Close::new(CloseCode::SESSION_EXPIRED));
    };
    let address = request.peer_addr().map(|address| address.ip());
    match node.open(open, address)? {
        Opened::Known(session) => Ok(session),
        Opened::New(session) => {
            ask(&session, open, request);
            Ok(session)
        }
    }
}

/// Lets the application decide. The answer is awaited by the carriers, not here: the one that asked
/// may be gone before it comes.
fn ask(session: &Arc<LiveSession>, open: &Open, request: &HttpRequest) {
    let Some(hook) = &session.node.hooks.connect else {
        session.drive(|state, _| state.set_phase(OpenPhase::Open));
        return;
    };
    let begin = AssertUnwindSafe(|| hook.call(session, request, &open.auth));
    let begun = std::panic::catch_unwind(begin);
    let session = Arc::clone(session);
    rt::spawn(async move {
        let _under_way = session.node.hook_begins();
        let decision = match begun {
            Ok(decision) => AssertUnwindSafe(decision).catch_unwind().await,
            Err(panic) => Err(panic),
        };
        let outcome = decision.unwrap_or_else(|_| {
            log::error!("session {}: the connect hook panicked", session.id);
            Err("the connect hook failed".into())
        });
        session.drive(|state, now| match outcome {
            // The client was sent away meanwhile.
            _ if state.phase() != OpenPhase::Asking => {}
            Ok(()) => state.set_phase(OpenPhase::Open),
            Err(refusal) => {
                state.set_phase(OpenPhase::Refused);
                state.core.abort(refusal.into_close(), now);
            }
        });
    });
}

#[cfg(test)]
mod tests {
    use actix_web::{rt, test::TestRequest};
    use bowline_protocol::{Open, Packet, Token};

    use super::{OpenPhase, speaker};
    use crate::config::Config;
    use crate::handler::{Handlers, Hooks};
    use crate::node::{Node, random};

    #[actix_web::test]
    async fn a_connect_hook_that_panics_before_its_first_await_refuses() {
        let mut hooks = Hooks::default();
        hooks.connect(|| -> std::future::Ready<()> { panic!("on purpose") });
        let node = Node::new(Config::default(), Handlers::default(), hooks);
        let open = Open { key: Token::from_bytes(random()), counter: 1, auth: Default::default() };
        let request = TestRequest::default().to_http_request();
        let session = speaker(&node, Packet::Open(open), Some(&request)).unwrap().session;
        for _ in 0..10 {
            rt::task::yield_now().await;
        }
        assert_eq!(session.look(|state| state.phase()), OpenPhase::Refused);
    }
}
