//! The application's hooks for clients that go away and come back.

use futures::future::LocalBoxFuture;

use crate::complaints::{Quoted, limited};
use crate::extract::FromSession;
use crate::node::SessionContext;

/// An async function that the server calls when a client is away, or has reconnected. See
/// [`BowlineBuilder::on_away`](crate::BowlineBuilder::on_away).
pub trait AwayHandler<Args>: Send + Sync + 'static {
    /// Calls it.
    fn call(&self, context: SessionContext<'_>) -> LocalBoxFuture<'static, ()>;
}

/// Implements the trait for functions of some extractors.
macro_rules! away_handlers {
    ($($extractor:ident)*) => {
        impl<F, Fut, $($extractor,)*> AwayHandler<($($extractor,)*)> for F
        where
            F: Fn($($extractor,)*) -> Fut + Send + Sync + 'static,
            Fut: Future<Output = ()> + 'static,
            $($extractor: FromSession + 'static,)*
        {
            #[allow(
                non_snake_case,
                unused_variables,
                reason = "a type parameter names its own value"
            )]
            fn call(&self, context: SessionContext<'_>) -> LocalBoxFuture<'static, ()> {
                $(let $extractor = match $extractor::from_session(&context) {
                    Ok(value) => value,
                    Err(failure) => {
                        limited!("a hook for clients that are away did not run: \
                            {}", Quoted(failure));
                        return Box::pin(std::future::ready(()));
                    }
                };)*
                Box::pin(self($($extractor,)*))
            }
        }
    };
}

away_handlers!();
away_handlers!(A);
away_handlers!(A B);
away_handlers!(A B C);
away_handlers!(A B C D);
