//! The application's hook for a new authentication of a client.

use futures::future::{LocalBoxFuture, ready};

use super::IntoAdmission;
use crate::extract::FromRefresh;
use crate::node::RefreshContext;
use crate::refusal::Refusal;

/// An async function that accepts or refuses a new authentication before the old one expires. See
/// [`BowlineBuilder::on_refresh`](crate::BowlineBuilder::on_refresh).
pub trait RefreshHandler<Args>: Send + Sync + 'static {
    /// Decides whether the session continues.
    fn call(&self, context: RefreshContext<'_>) -> LocalBoxFuture<'static, Result<(), Refusal>>;
}

/// Implements the trait for functions of some extractors.
macro_rules! refresh_handlers {
    ($($extractor:ident)*) => {
        impl<F, Fut, $($extractor,)*> RefreshHandler<($($extractor,)*)> for F
        where
            F: Fn($($extractor,)*) -> Fut + Send + Sync + 'static,
            Fut: Future + 'static,
            Fut::Output: IntoAdmission,
            $($extractor: FromRefresh + 'static,)*
        {
            #[allow(
                non_snake_case,
                unused_variables,
                reason = "a type parameter names its own value"
            )]
            fn call(
                &self,
                context: RefreshContext<'_>,
            ) -> LocalBoxFuture<'static, Result<(), Refusal>> {
                $(let $extractor = match $extractor::from_refresh(&context) {
                    Ok(value) => value,
                    Err(refusal) => return Box::pin(ready(Err(refusal))),
                };)*
                let future = self($($extractor,)*);
                Box::pin(async move { future.await.into_admission() })
            }
        }
    };
}

refresh_handlers!();
refresh_handlers!(A);
refresh_handlers!(A B);
refresh_handlers!(A B C);
refresh_handlers!(A B C D);
