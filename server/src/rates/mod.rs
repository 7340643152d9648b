//! How fast clients may send messages: the limits that an application sets, and what counts.

mod cell;
mod limit;
mod limiter;

pub(crate) use cell::Cell;
pub(crate) use limit::Excess;
pub use limit::{RateLimit, RateLimits};
pub(crate) use limiter::Limiter;
