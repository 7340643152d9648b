//! How fast the client of a session may send messages.

use std::sync::Arc;

use bowline_protocol::{Close, CloseCode, Message, Millis, Time};
use serde::Serialize;
use tokio::sync::oneshot;

use super::{LiveSession, State, dispatch};
use crate::address::AddressKey;
use crate::complaints::Foreign;
use crate::failure::{Failure, RATE_LIMITED};
use crate::rates::{Cell, Excess, RateLimit, RateLimits};

/// The limits of a session, and what its client has sent.
#[derive(Debug, Default)]
pub(super) struct Limits {
    /// The application has set them for this session.
    own: Option<RateLimits>,
    cell: Cell,
    /// The runners whose message waits, and until when.
    delayed: Vec<(Time, oneshot::Sender<()>)>,
}

/// A message is beyond a limit.
#[derive(Debug, Clone, Copy)]
struct Beyond {
    limit: Limit,
    closes: bool,
    /// Milliseconds after which one would be within it.
    retry: u64,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
enum Limit {
    Session,
    User,
    Address,
}

/// The details of the failure that the client of a request receives.
#[derive(Serialize)]
struct Detail {
    limit: Limit,
    retry: u64,
}

impl State {
    pub(super) fn set_limits(&mut self, limits: RateLimits) {
        self.limits.get_or_insert_default().own = Some(limits);
    }

    /// The limits that were set for this session.
    pub(crate) fn own_limits(&self) -> Option<RateLimits> {
        self.limits.as_ref()?.own
    }

    /// True while a message waits for its turn.
    #[cfg(feature = "test-util")]
    pub(crate) fn is_delayed(&self) -> bool {
        self.limits.as_ref().is_some_and(|limits| !limits.delayed.is_empty())
    }

    pub(super) fn limits_deadline(&self) -> Option<Time> {
        self.limits.as_ref()?.delayed.iter().map(|(at, _)| *at).min()
    }

    /// Continues the runners whose message has its turn.
    pub(super) fn handle_limits(&mut self, now: Time) {
        let Some(limits) = &mut self.limits else { return };
        for (_, runner) in limits.delayed.extract_if(.., |(at, _)| *at <= now) {
            // A handler whose deadline has passed is gone.
            let _ = runner.send(());
        }
    }
}

impl LiveSession {
    /// Replaces the limits that the application has set for all sessions.
    pub(crate) fn set_limits(self: &Arc<Self>, limits: RateLimits) {
        self.with(|state, _| state.set_limits(limits));
        self.common.limiter.begin();
    }

    /// Counts a message of the client against the limits. Waits, if they delay it.
    ///
    /// # Errors
    /// The failure that the client receives, if a limit drops the message or ends the session.
    pub(super) async fn admit(
        self: &Arc<Self>,
        message: &Message,
        is_request: bool,
    ) -> Result<(), Failure> {
        match self.count(self.common.now()) {
            Ok(None) => Ok(()),
            Ok(Some(turn)) => {
                let _ = self.wait_until(turn).await;
                Ok(())
            }
            Err(beyond) => {
                self.act_on(beyond, &message.name, is_request);
                Err(beyond.into())
            }
        }
    }

    /// Returns when the turn of the message is, if it has to wait.
    fn count(&self, now: Time) -> Result<Option<Time>, Beyond> {
        let (limits, user, mut turn) = self.count_own(now)?;
        let limiter = &self.common.limiter;
        if let Some((limit, user)) = limits.user.zip(user) {
            let count = |cell: &mut Cell| apply(cell, Limit::User, limit, now);
            turn = turn.max(limiter.user(user, now, count).unwrap_or(Ok(now))?);
        }
        if let Some((limit, address)) = limits.address.zip(self.address) {
            let count = |cell: &mut Cell| apply(cell, Limit::Address, limit, now);
            let address = AddressKey::of(address);
            turn = turn.max(limiter.address(address, now, count).unwrap_or(Ok(now))?);
        }
        Ok((turn > now).then_some(turn))
    }

    /// Counts the message for the session. Returns the limits, the user if one is limited, and when
    /// the turn of the message is.
    fn count_own(&self, now: Time) -> Result<(RateLimits, Option<String>, Time), Beyond> {
        let mut state = self.lock();
        let limits = state.own_limits().or(self.common.config.rate_limits).unwrap_or_default();
        let user = limits.user.and_then(|_| state.user().map(str::to_owned));
        let Some(limit) = limits.session else { return Ok((limits, user, now)) };
        let cell = &mut state.limits.get_or_insert_default().cell;
        Ok((limits, user, apply(cell, Limit::Session, limit, now)?))
    }

    fn wait_until(self: &Arc<Self>, turn: Time) -> oneshot::Receiver<()> {
        let (runner, receiver) = oneshot::channel();
        self.with(|state, _| {
            state.limits.get_or_insert_default().delayed.push((turn, runner));
        });
        receiver
    }

    /// Ends the session, where the limit does. The client of a dropped request receives the
    /// failure; for the rest there is the log.
    fn act_on(self: &Arc<Self>, beyond: Beyond, name: &str, is_request: bool) {
        let reason = format!("more messages than {} allows", beyond.limit.setting());
        if beyond.closes {
            dispatch::complain(self, name, format_args!("it is closed: {reason}"));
            self.with(|state, now| {
                state.drop_messages();
                state.core.close(Close::with_reason(CloseCode::RATE_LIMITED, &reason), now);
            });
        } else if !is_request {
            let event = Foreign(name);
            dispatch::complain(self, name, format_args!("{event} was dropped: {reason}"));
        }
    }
}

impl From<Beyond> for Failure {
    fn from(Beyond { limit, retry, .. }: Beyond) -> Self {
        Self::new(RATE_LIMITED).with(&Detail { limit, retry })
    }
}

impl Limit {
    /// The name of the setting.
    const fn setting(self) -> &'static str {
        match self {
            Self::Session => "RateLimits::per_session",
            Self::User => "RateLimits::per_user",
            Self::Address => "RateLimits::per_address",
        }
    }
}

/// Returns when the turn of a message is.
fn apply(cell: &mut Cell, limit: Limit, rate: RateLimit, now: Time) -> Result<Time, Beyond> {
    let closes = match rate.excess() {
        Excess::Delay => return Ok(cell.queue(rate, now)),
        Excess::Drop => false,
        Excess::Close => true,
    };
    let admitted = cell.admit(rate, now).map(|()| now);
    admitted.map_err(|after| Beyond { limit, closes, retry: Millis::of(after).get() })
}
