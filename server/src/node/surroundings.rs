//! What the sessions of a node call.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use actix_web::HttpRequest;
use bowline_protocol::{Close, Encoded, Message, SessionId};
use futures::future::{LocalBoxFuture, ready};

use super::outbound::filter;
use super::{MessageContext, Node, RefreshContext, SessionContext};
use crate::broker::Hold;
use crate::failure::{Failure, NO_HANDLER};
use crate::names::is_of_stream;
use crate::session::{Called, Decision, Handling, LiveSession, Surroundings};

impl Surroundings for Node {
    fn handle(
        &self,
        session: &Arc<LiveSession>,
        request: &HttpRequest,
        number: Option<u64>,
        message: Message,
    ) -> Called<'_> {
        let session = SessionContext { node: self, session, request, namespace: None };
        let context = MessageContext { session, request_number: number, message };
        if (self.hooks.around.is_empty() || is_of_stream(&context.message.name))
            && let Some((name, handler)) = self.handlers.get(&context.message.name)
        {
            let handling = catch_unwind(AssertUnwindSafe(|| handler(context)));
            return Called { name: name.into(), who: HANDLER, handling };
        }
        let name = context.message.name.to_string().into();
        let handling = catch_unwind(AssertUnwindSafe(|| self.call_next(context, 0)));
        let who = if self.hooks.around.is_empty() { HANDLER } else { HOOK_OR_HANDLER };
        Called { name, who, handling }
    }

    fn filter(&self, session: &LiveSession, packet: &Encoded) -> Option<Encoded> {
        match &self.hooks.outbound {
            Some(hook) => filter(&**hook, session, packet),
            None => Some(packet.clone()),
        }
    }

    fn call_away(
        &self,
        session: &Arc<LiveSession>,
        request: &HttpRequest,
        is_away: bool,
    ) -> Option<LocalBoxFuture<'static, ()>> {
        let hook = if is_away { &self.hooks.away } else { &self.hooks.back };
        Some(hook.as_ref()?(SessionContext { node: self, session, request, namespace: None }))
    }

    fn call_disconnect(
        &self,
        session: &Arc<LiveSession>,
        request: &HttpRequest,
        close: Close,
    ) -> Option<LocalBoxFuture<'static, ()>> {
        let context = SessionContext { node: self, session, request, namespace: None };
        let calls = self.call_namespace_disconnects(context, &close);
        let own = self.hooks.disconnect.as_ref().map(|hook| hook(context, close));
        if calls.is_empty() {
            return own;
        }
        Some(Box::pin(async move {
            for call in calls.into_iter().chain(own) {
                call.await;
            }
        }))
    }

    fn call_refresh(
        &self,
        session: &Arc<LiveSession>,
        request: &HttpRequest,
        auth: &str,
    ) -> Option<Decision> {
        let hook = self.hooks.refresh.as_ref()?;
        let session = SessionContext { node: self, session, request, namespace: None };
        Some(hook(RefreshContext { session, auth }))
    }

    fn refreshes(&self) -> bool {
        self.hooks.refresh.is_some()
    }

    fn set_away(&self, session: SessionId, is_away: bool) {
        self.presence.set_away(session, is_away);
    }

    fn grant_expired(&self, session: &Arc<LiveSession>, topic: &str) {
        self.expire(session, topic);
    }

    fn ended(&self, session: SessionId, rooms: &[Arc<str>], has_parted: bool) {
        // What is still emitted to a session that was stored has to be noticed.
        if !(has_parted && self.common.stores_sessions()) {
            self.rooms.remove(&session, rooms);
        }
        self.histories.remove(&session, rooms);
        if !has_parted {
            self.presence.remove(session);
        }
    }

    fn forward(&self, session: SessionId, packet: &Encoded) -> bool {
        self.cluster.as_ref().is_some_and(|cluster| cluster.forward(session, packet))
    }

    fn hold(&self) -> Option<Hold> {
        Self::hold(self)
    }
}

impl Node {
    /// Calls the hook at this place among those around messages, or the handler behind the last.
    pub(crate) fn call_next(&self, context: MessageContext<'_>, place: usize) -> Handling {
        if let Some(hook) = self.hooks.around.get(place) {
            return hook(context, place + 1);
        }
        match self.handlers.find(&context.message.name) {
            Some(handler) => handler(context),
            None => Box::pin(ready(Err(Failure::new(NO_HANDLER)))),
        }
    }
}

const HANDLER: &str = "the handler";
const HOOK_OR_HANDLER: &str = "a hook around messages, or the handler";
