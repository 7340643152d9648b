//! Subscriptions to topics, rooms of the server that let clients in, and publishing to them.
//!
//! Spec: 11-topics.

mod error;
mod handle;
mod keeper;
mod publish;

use bowline_protocol::{Carries, Payload, ToClient};
use serde::Serialize;

pub use error::SubscribeError;
pub use handle::{Subscribe, Subscription};
pub use publish::Publish;

use crate::client::Client;
use crate::error::{EmitError, RequestError};
use crate::platform::{BoxFuture, MaybeSend, MaybeSync};

impl Client {
    /// Subscribes to a topic, or to a pattern such as `ticket/*`, when the returned value is
    /// awaited. The server's application grants or refuses.
    ///
    /// ```no_run
    /// # async fn read(client: bowline_client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use bowline_client::{Since, TopicItem};
    /// use futures::StreamExt;
    ///
    /// let mut ticket = client.subscribe("ticket/7").since(Since::Last(20)).await?;
    /// while let Some(item) = ticket.next().await {
    ///     match item {
    ///         TopicItem::Message(message) => {
    ///             println!("{}: {}", message.name, message.decode::<String>()?);
    ///         }
    ///         TopicItem::Missed(missing) => println!("some messages are lost: {missing:?}"),
    ///         TopicItem::Ended { code, .. } => println!("no longer subscribed: {code}"),
    ///         _ => {}
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// The client keeps the subscription: it renews a grant before it expires, and subscribes again
    /// in a new session, from the last position that it has received. Dropping the
    /// [`Subscription`] unsubscribes.
    pub fn subscribe(&self, topic: impl Into<String>) -> Subscribe {
        Subscribe::new(self.shared(), topic.into())
    }

    /// Publishes an event to a topic when the returned value is awaited, if the client's grant
    /// allows it. Resolves with the position of the event if the topic has a history. An event with
    /// an [`id`](Publish::id) can be published again, and is still one event.
    ///
    /// # Errors
    /// See [`RequestError`]: with the code `not-granted` without a grant to publish, and with
    /// `no-history` if the event has an id and the topic no history.
    pub fn publish<N, P>(&self, topic: impl Into<String>, name: N, payload: &P) -> Publish
    where
        N: Carries<P> + ToClient,
        P: Serialize + ?Sized,
    {
        Publish::new(self.shared(), topic.into(), name.name(), payload)
    }
}

/// Yields a grant for the next request.
type GrantSource = Box<dyn GrantFn>;

/// A function that yields a grant.
trait GrantFn: Fn() -> BoxFuture<Result<String, String>> + MaybeSend + MaybeSync {}

impl<F: Fn() -> BoxFuture<Result<String, String>> + MaybeSend + MaybeSync> GrantFn for F {}

fn encode(value: &impl Serialize) -> Result<Payload, EmitError> {
    let json = serde_json::to_string(value);
    json.map(Payload::json).map_err(|error| EmitError::Encode(error.to_string()))
}

fn decode<T: serde::de::DeserializeOwned>(payload: &Payload) -> Result<T, RequestError> {
    serde_json::from_str(payload.json_or_null())
        .map_err(|error| RequestError::Decode(crate::DecodeError(error.to_string())))
}
