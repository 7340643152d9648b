//! The application's hooks around each message of a client.

use std::fmt;
use std::sync::Arc;

use actix_web::HttpRequest;
use bowline_protocol::{Encoded, Message, Payload};

use crate::complaints::limited;
use crate::failure::{Failure, INTERNAL};
use crate::handles::Socket;
use crate::node::{Hooks, MessageContext, Node, SessionContext};
use crate::session::LiveSession;

/// An event or a request of a client, on its way to its handler: see
/// [`BowlineBuilder::around`](crate::BowlineBuilder::around).
#[derive(Debug)]
pub struct Inbound {
    socket: Socket,
    message: Message,
    is_request: bool,
}

/// The rest of the way of one message: the hooks stated later, and the handler.
#[must_use = "the message is handled when run is called and awaited"]
pub struct Next {
    node: Arc<Node>,
    session: Arc<LiveSession>,
    request: HttpRequest,
    number: Option<u64>,
    place: usize,
}

/// What the handler of a message has returned. A hook passes it on.
#[derive(Debug)]
#[must_use = "the client receives it when the hook returns it"]
pub struct Answer {
    number: Option<u64>,
    packet: Option<Encoded>,
}

impl Inbound {
    /// The session that sent it.
    #[must_use]
    pub const fn socket(&self) -> &Socket {
        &self.socket
    }

    /// The name of the message. The client chooses it: there may be no handler of this name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.message.name
    }

    /// The payload, as the client sent it or an earlier hook changed it. The server has not checked
    /// that it is JSON.
    #[must_use]
    pub const fn payload(&self) -> &Payload {
        &self.message.payload
    }

    /// True for a request, whose client receives an answer; false for an event.
    #[must_use]
    pub const fn is_request(&self) -> bool {
        self.is_request
    }

    /// The same message with another payload.
    #[must_use]
    pub fn with_payload(mut self, payload: Payload) -> Self {
        self.message.payload = payload;
        self
    }
}

impl Next {
    /// Calls the next hook, or the handler, with this message.
    ///
    /// # Errors
    /// With the failure that the client would receive: that of the handler or of a later hook, and
    /// `no-handler` if there is no handler of this name.
    pub async fn run(self, inbound: Inbound) -> Result<Answer, Failure> {
        let session = SessionContext {
            node: &self.node,
            session: &self.session,
            request: &self.request,
            namespace: None,
        };
        let (request_number, message) = (self.number, inbound.message);
        let context = MessageContext { session, request_number, message };
        let packet = self.node.call_next(context, self.place).await?;
        Ok(Answer { number: self.number, packet })
    }
}

impl Hooks {
    /// Adds a hook, inside those that are there.
    pub(crate) fn around(
        &mut self,
        hook: impl AsyncFn(Inbound, Next) -> Result<Answer, Failure> + Send + Sync + 'static,
    ) {
        let hook = Arc::new(hook);
        self.around.push(Box::new(move |context, place| {
            let hook = Arc::clone(&hook);
            let number = context.request_number;
            let (inbound, next) = parts(context, place);
            Box::pin(async move { hook(inbound, next).await?.answering(number) })
        }));
    }
}

impl Answer {
    /// The packet that answers this message. A hook may have kept the answer to another one.
    fn answering(self, number: Option<u64>) -> Result<Option<Encoded>, Failure> {
        if self.number == number {
            return Ok(self.packet);
        }
        limited!("a hook around messages returned the answer to another message");
        Err(Failure::new(INTERNAL))
    }
}

fn parts(context: MessageContext<'_>, place: usize) -> (Inbound, Next) {
    let MessageContext { session: SessionContext { node, session, request, .. }, .. } = context;
    let (node, session) = (node.share(), Arc::clone(session));
    let (number, request) = (context.request_number, request.clone());
    let socket = Socket::new(Arc::clone(&node), Arc::clone(&session));
    let inbound = Inbound { socket, message: context.message, is_request: number.is_some() };
    (inbound, Next { node, session, request, number, place })
}

impl fmt::Debug for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Next").field("place", &self.place).finish_non_exhaustive()
    }
}
