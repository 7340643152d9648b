//! Publishing to a topic.

use std::fmt;
use std::future::IntoFuture;
use std::sync::Arc;
use std::time::Duration;

use bowline_protocol::{PUBLISH, Position, PublishTo, Published};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use uuid::Uuid;

use super::{decode, encode};
use crate::error::{EmitError, RequestError};
use crate::platform::BoxFuture;
use crate::request::RawRequest;
use crate::shared::Shared;

/// An event for a topic, published when it is awaited: see
/// [`Client::publish`](crate::Client::publish).
#[must_use = "an event is published when this is awaited"]
pub struct Publish {
    shared: Arc<Shared>,
    message: Result<PublishTo<Box<RawValue>>, EmitError>,
    timeout: Duration,
}

impl Publish {
    pub(crate) fn new<P: Serialize + ?Sized>(
        shared: &Arc<Shared>,
        topic: String,
        name: &str,
        payload: &P,
    ) -> Self {
        let payload = to_raw_value(payload).map_err(|error| EmitError::Encode(error.to_string()));
        let name = name.to_owned();
        let message =
            payload.map(|payload| PublishTo { topic, name, payload: Some(payload), id: None });
        let timeout = shared.options.request_timeout;
        Self { shared: Arc::clone(shared), message, timeout }
    }

    /// Gives the event an id, so that the application can publish it again when it does not know
    /// what became of it: after [`RequestError::SessionLost`] or a timeout. However often it is
    /// published with the id, subscribers receive one event, and the answer has the position of the
    /// first. The server knows an id for 10 minutes unless set; only a topic with a history
    /// recognizes ids. The id should be random, as those of the versions 4 and 7 are.
    pub fn id(mut self, id: Uuid) -> Self {
        if let Ok(message) = &mut self.message {
            message.id = Some(id.to_string());
        }
        self
    }

    /// Waits this long for the server's answer. Defaults to the client's
    /// [`request_timeout`](crate::ClientBuilder::request_timeout).
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

impl IntoFuture for Publish {
    type Output = Result<Option<Position>, RequestError>;
    type IntoFuture = BoxFuture<Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let payload = self.message.and_then(|message| encode(&message));
        let request = RawRequest::new(&self.shared, PUBLISH, payload).timeout(self.timeout);
        Box::pin(async move {
            let published: Option<Published> = decode(&request.await?)?;
            Ok(published.map(|published| published.at))
        })
    }
}

impl fmt::Debug for Publish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publish").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}
