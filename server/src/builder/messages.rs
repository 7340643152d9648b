//! What surrounds the handlers: hooks around each message, and the catch-all.

use super::BowlineBuilder;
use crate::failure::Failure;
use crate::handler::{Answer, Handler, Inbound, Next};
use crate::node::{Outbound, Verdict};

impl BowlineBuilder {
    /// Handles the messages whose name has no handler: the catch-all. The handler may extract the
    /// name with [`MessageName`](crate::MessageName), and decodes the payload as a handler of
    /// [`on`](Self::on) with a string does; `serde_json::Value` accepts any. What it returns
    /// answers a request. A later catch-all replaces the earlier one.
    ///
    /// It handles no names that begin with `bowline.`, which are the protocol's. Without a
    /// catch-all such a request fails with `no-handler`, and the server drops such an event with a
    /// warning.
    ///
    /// ```
    /// use bowline_server::{Bowline, Failure, Json, MessageName};
    /// use serde_json::Value;
    ///
    /// async fn forward(name: MessageName, payload: Value) -> Result<Json<Value>, Failure> {
    ///     match name.0.strip_prefix("billing.") {
    ///         Some(_) => Ok(Json(payload)),
    ///         None => Err("unknown".into()),
    ///     }
    /// }
    ///
    /// Bowline::builder().on_any(forward);
    /// ```
    pub fn on_any<Args: 'static>(mut self, handler: impl Handler<&'static str, Args>) -> Self {
        self.handlers.on_any(handler);
        self
    }

    /// Calls this async function for each message of a client, events and requests, instead of its
    /// handler: [`Next::run`] calls the handler. The hook may do something before and after that,
    /// pass on another payload, or refuse the message with a [`Failure`]: then the client of a
    /// request receives the failure, and the server drops an event with a warning, limited in rate.
    ///
    /// Several hooks nest in the order in which they are stated, the first is the outermost. The
    /// messages of a session stay in order: the hook is part of handling a message
    /// ([`concurrency`](Self::concurrency)). It is also called for the protocol's own requests,
    /// such as `bowline.subscribe` of a client that subscribes to a topic, and for names without a
    /// handler; not for confirmations, heartbeats and replies, and not for the items of a stream
    /// and the events that allow more of them or end it.
    ///
    /// ```
    /// use bowline_server::Bowline;
    /// use std::time::Instant;
    ///
    /// let builder = Bowline::builder()
    ///     .around(async |inbound, next| {
    ///         let (begun, name) = (Instant::now(), inbound.name().to_owned());
    ///         let answer = next.run(inbound).await;
    ///         log::debug!("{name}: {:?}, succeeded: {}", begun.elapsed(), answer.is_ok());
    ///         answer
    ///     })
    ///     .around(async |inbound, next| {
    ///         if inbound.name().starts_with("admin.") && inbound.socket().user().is_none() {
    ///             return Err("not-allowed".into());
    ///         }
    ///         next.run(inbound).await
    ///     });
    /// # drop(builder);
    /// ```
    pub fn around(
        mut self,
        hook: impl AsyncFn(Inbound, Next) -> Result<Answer, Failure> + Send + Sync + 'static,
    ) -> Self {
        self.hooks.around(hook);
        self
    }

    /// Calls this function for each event that is about to be queued for one client: it may replace
    /// the payload for this client, drop the event, or count it. A later hook replaces the earlier
    /// one.
    ///
    /// It decides about all events of the application: to a session, a room, a user, everyone, with
    /// bytes, volatile ones, those of histories, also when a client follows one, and messages of
    /// topics. The node that has the session calls it. It does not decide about the protocol's own
    /// events, such as presence and gaps, about requests and replies, and about the items of
    /// streams. An event that it drops counts among those that [`Audience::emit`] returns.
    ///
    /// The server calls it on the thread that emits, once for each member of a room, perhaps with a
    /// lock of a history held: it must be quick, and call nothing of Bowline but the methods of
    /// [`Outbound`]. When it panics, or emits an event itself, that event is dropped. Members for
    /// which it returns [`Verdict::Send`] share one encoded event, as without a hook.
    ///
    /// ```
    /// use bowline_server::{Bowline, Outbound, Payload, Verdict};
    /// use serde_json::Value;
    ///
    /// /// Only the support team receives the address of a customer.
    /// fn redact(outbound: &Outbound<'_>) -> Verdict {
    ///     if outbound.name() != "customer" || outbound.user().as_deref() == Some("support") {
    ///         return Verdict::Send;
    ///     }
    ///     let payload = outbound.payload();
    ///     let Ok(mut customer) = serde_json::from_str::<Value>(payload.json_or_null()) else {
    ///         return Verdict::Drop;
    ///     };
    ///     customer["address"] = Value::Null;
    ///     Verdict::Replace(Payload::json(customer.to_string()))
    /// }
    ///
    /// Bowline::builder().outbound(redact);
    /// ```
    ///
    /// [`Audience::emit`]: crate::Audience::emit
    pub fn outbound(
        mut self,
        hook: impl Fn(&Outbound<'_>) -> Verdict + Send + Sync + 'static,
    ) -> Self {
        self.hooks.outbound = Some(Box::new(hook));
        self.config.filters_outbound = true;
        self
    }
}
