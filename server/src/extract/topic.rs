//! What the function of a topic can ask for.

use actix_web::web;
use serde::de::DeserializeOwned;

use super::FromSession;
use crate::complaints::limited;
use crate::failure::{Failure, NO_TOPIC};
use crate::node::TopicContext;

/// What the function of a topic can extract: all of [`FromSession`], and
/// [`web::Path`](actix_web::web::Path) with the parameters of the topic's name, typed as those of
/// an actix route.
#[diagnostic::on_unimplemented(
    message = "a topic's function cannot extract `{Self}`",
    label = "not to be had from a topic",
    note = "it can extract `web::Path<T>`, `Socket`, `Bowline`, `web::Data<T>` and `Ext<T>`"
)]
pub trait FromTopic: Sized {
    /// Extracts the value.
    ///
    /// # Errors
    /// The failure that the client receives.
    fn from_topic(context: &TopicContext<'_>) -> Result<Self, Failure>;
}

impl<T: FromSession> FromTopic for T {
    fn from_topic(context: &TopicContext<'_>) -> Result<Self, Failure> {
        Self::from_session(&context.session)
    }
}

impl<T: DeserializeOwned> FromTopic for web::Path<T> {
    fn from_topic(context: &TopicContext<'_>) -> Result<Self, Failure> {
        let value = context.path.load::<T>();
        value.map(Self::from).map_err(|error| {
            limited!("a topic {:?} is not open: {error}", context.path.as_str());
            Failure::new(NO_TOPIC)
        })
    }
}
