//! The limits that an application sets.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How many messages may arrive in a time, and what the server does with those beyond it: it drops
/// them unless set.
///
/// ```
/// use std::time::Duration;
///
/// use bowline_server::RateLimit;
///
/// // 20 a second, and 20 at once.
/// let steady = RateLimit::per_second(20);
/// // 600 in a minute, of which 50 at once; the messages beyond it wait for their turn.
/// let patient = RateLimit::new(600, Duration::from_secs(60)).burst(50).or_delay();
/// # drop((steady, patient));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[must_use = "a limit has an effect in RateLimits"]
pub struct RateLimit {
    /// Microseconds from one message to the next.
    interval: u64,
    burst: u32,
    excess: Excess,
}

/// What the server does with a message beyond a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Excess {
    Drop,
    Delay,
    Close,
}

impl RateLimit {
    /// So many messages in this time, evenly. As many may arrive at once unless [`Self::burst`]
    /// sets another number. At least one message, and at most a million in a second.
    pub fn new(messages: u32, per: Duration) -> Self {
        let burst = messages.max(1);
        let micros = u64::try_from(per.as_micros()).unwrap_or(u64::MAX);
        Self { interval: (micros / u64::from(burst)).max(1), burst, excess: Excess::Drop }
    }

    /// So many messages in a second: see [`Self::new`].
    pub fn per_second(messages: u32) -> Self {
        Self::new(messages, Duration::from_secs(1))
    }

    /// How many messages may arrive at once, after a client has sent nothing for a while. At least
    /// one.
    pub const fn burst(self, messages: u32) -> Self {
        Self { burst: if messages == 0 { 1 } else { messages }, ..self }
    }

    /// A message beyond the limit waits until it is within it, and those behind it wait too. When
    /// they fill [`inbox_limit`](crate::BowlineBuilder::inbox_limit), the server reads nothing more
    /// from the client.
    pub const fn or_delay(self) -> Self {
        Self { excess: Excess::Delay, ..self }
    }

    /// A message beyond the limit ends the session, with the code 4311. Its client does not
    /// reconnect by itself. The server drops the messages that wait for a handler.
    pub const fn or_close(self) -> Self {
        Self { excess: Excess::Close, ..self }
    }

    pub(super) const fn interval(self) -> u64 {
        self.interval
    }

    /// By how many microseconds a message may come before its turn.
    pub(super) const fn tolerance(self) -> u64 {
        self.interval.saturating_mul(self.burst as u64 - 1)
    }

    pub(crate) const fn excess(self) -> Excess {
        self.excess
    }
}

/// The limits for one session: see
/// [`BowlineBuilder::rate_limits`](crate::BowlineBuilder::rate_limits) and
/// [`Socket::set_limits`](crate::Socket::set_limits). There is none unless set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[must_use = "limits have an effect in the builder or a socket"]
pub struct RateLimits {
    pub(crate) session: Option<RateLimit>,
    pub(crate) user: Option<RateLimit>,
    pub(crate) address: Option<RateLimit>,
}

impl RateLimits {
    /// No limits.
    pub const fn new() -> Self {
        Self { session: None, user: None, address: None }
    }

    /// For the messages of the session.
    pub const fn per_session(self, limit: RateLimit) -> Self {
        Self { session: Some(limit), ..self }
    }

    /// For the messages of all sessions of the same user on this node together: see
    /// [`Socket::set_user`](crate::Socket::set_user). A session without a user does not count.
    pub const fn per_user(self, limit: RateLimit) -> Self {
        Self { user: Some(limit), ..self }
    }

    /// For the messages of all sessions from the same address on this node together. An IPv6
    /// address counts as its network of 64 bits. Behind a proxy all clients have the address of the
    /// proxy, unless [`trusted_proxies`](crate::BowlineBuilder::trusted_proxies) names it.
    pub const fn per_address(self, limit: RateLimit) -> Self {
        Self { address: Some(limit), ..self }
    }
}
