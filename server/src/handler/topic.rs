//! The application's function for requests to subscribe to a topic.

use std::future::Future;

use futures::future::{LocalBoxFuture, ready};

use crate::extract::FromTopic;
use crate::failure::{Failure, NOT_GRANTED};
use crate::node::{Grant, Granting, TopicContext, Topics};
use crate::refusal::Refusal;

/// An async function that decides whether a client is subscribed to a topic. See
/// [`BowlineBuilder::topic`](crate::BowlineBuilder::topic).
#[diagnostic::on_unimplemented(
    message = "this is no function of a topic",
    label = "not such a function",
    note = "it is an async function of extractors: `web::Path<T>`, `Socket`, `Bowline`, \
        `web::Data<T>`, `Ext<T>`",
    note = "it returns a `Grant` or a `Result<Grant, E>` whose error becomes a `Refusal`"
)]
pub trait TopicHandler<Args>: Send + Sync + 'static {
    /// Decides.
    fn call(&self, context: TopicContext<'_>) -> LocalBoxFuture<'static, Result<Grant, Failure>>;
}

/// What the function of a topic may return: a [`Grant`], or a `Result` whose error becomes a
/// [`Refusal`].
#[diagnostic::on_unimplemented(
    message = "a topic's function cannot return `{Self}`",
    label = "not a decision about a topic",
    note = "return a `Grant` or a `Result<Grant, E>` whose error becomes a `Refusal`"
)]
pub trait IntoGrant {
    /// Granted or refused.
    ///
    /// # Errors
    /// The refusal that the client receives.
    fn into_grant(self) -> Result<Grant, Refusal>;
}

impl IntoGrant for Grant {
    fn into_grant(self) -> Result<Grant, Refusal> {
        Ok(self)
    }
}

impl<E: Into<Refusal>> IntoGrant for Result<Grant, E> {
    fn into_grant(self) -> Result<Grant, Refusal> {
        self.map_err(Into::into)
    }
}

impl Topics {
    /// Opens topics. The first rule that matches a name decides.
    #[track_caller]
    pub(crate) fn on<Args>(&mut self, names: &str, handler: impl TopicHandler<Args>) {
        self.open(names, Box::new(move |context| handler.call(context)));
    }
}

/// Implements the trait for functions of some extractors.
macro_rules! topic_handlers {
    ($($extractor:ident)*) => {
        impl<F, Fut, $($extractor,)*> TopicHandler<($($extractor,)*)> for F
        where
            F: Fn($($extractor,)*) -> Fut + Send + Sync + 'static,
            Fut: Future + 'static,
            Fut::Output: IntoGrant,
            $($extractor: FromTopic + 'static,)*
        {
            #[allow(
                non_snake_case,
                unused_variables,
                reason = "a type parameter names its own value"
            )]
            fn call(&self, context: TopicContext<'_>) -> Granting {
                $(let $extractor = match $extractor::from_topic(&context) {
                    Ok(value) => value,
                    Err(refusal) => return Box::pin(ready(Err(refusal))),
                };)*
                let future = self($($extractor,)*);
                Box::pin(async move {
                    let decision = future.await.into_grant();
                    decision.map_err(|refusal| refusal.into_failure(NOT_GRANTED))
                 })
            }
        }
    };
}

topic_handlers!();
topic_handlers!(A);
topic_handlers!(A B);
topic_handlers!(A B C);
topic_handlers!(A B C D);
topic_handlers!(A B C D E);
