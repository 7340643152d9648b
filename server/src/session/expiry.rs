//! How long a session trusts what its client presented, and when the server requests it again.
//!
//! Spec: 03-opening, "Authentication that expires".

#![expect(
    clippy::disallowed_methods,
    reason = "a task for a hook that decides about a new authentication, with a deadline"
)]

use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::rt;
use bowline_protocol::{AUTH, AnswerError, Close, CloseCode, Encoded, Payload, Time};
use futures::FutureExt as _;

use super::{LiveSession, State, Waiting, Worker};
use crate::complaints::limited;

/// When an authentication expires. Most sessions have none.
#[derive(Debug)]
pub(super) struct Expiry {
    length: Duration,
    ends: Time,
    /// When the server requests it next; `None` while a request is pending, and if no hook would
    /// use the answer.
    ask: Option<Time>,
    /// What the client has answered, until the application decides about it: JSON, or an answer
    /// that the server cannot use.
    answer: Option<Result<Box<str>, Unanswered>>,
    /// The application is deciding about what the client has presented.
    deciding: bool,
}

/// The client has no authentication at the moment.
#[derive(Debug)]
struct Unanswered;

/// The expiry of a session that moves to another node.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Validity {
    pub(crate) length: Duration,
    pub(crate) left: Duration,
}

impl Expiry {
    fn new(validity: Validity, asks: bool, now: Time) -> Self {
        let Validity { length, left } = validity;
        let ends = now + left;
        let ask = now + left.saturating_sub(MOST_NOTICE.min(length / 4));
        Self { length, ends, ask: asks.then_some(ask), answer: None, deciding: false }
    }

    const fn deadline(&self) -> Time {
        match self.ask {
            Some(ask) => ask,
            None => self.ends,
        }
    }

    /// The client has not answered. The server repeats the request while there is time.
    fn ask_again(&mut self, now: Time) {
        let left = self.ends - now;
        self.ask = (left > LEAST_NOTICE && !self.deciding).then(|| now + left / 2);
    }
}

impl State {
    /// Trusts the client for this long from now on. If a hook `asks` for it, the server requests a
    /// new authentication before the end.
    pub(crate) fn expires_in(&mut self, validity: Validity, asks: bool, now: Time) {
        if self.core.closed().is_none() {
            self.expiry = Some(Box::new(Expiry::new(validity, asks, now)));
        }
    }

    /// When the session next has to act on its expiry.
    pub(super) fn expiry_deadline(&self) -> Option<Time> {
        let expiry = self.expiry.as_ref().filter(|_| self.core.closed().is_none())?;
        Some(expiry.deadline())
    }

    /// The time that remains.
    pub(crate) fn validity(&self, now: Time) -> Option<Validity> {
        let expiry = self.expiry.as_ref()?;
        Some(Validity { length: expiry.length, left: expiry.ends - now })
    }

    /// True while the application decides whether the session continues.
    pub(super) fn is_renewing(&self) -> bool {
        self.expiry.as_ref().is_some_and(|expiry| expiry.deciding)
    }

    /// Sends the request to the client, or ends the session.
    pub(super) fn handle_expiry(&mut self, now: Time) {
        let Some(expiry) = &mut self.expiry else { return };
        if expiry.ends <= now {
            self.core.abort(Close::new(CloseCode::AUTH_EXPIRED), now);
        } else if expiry.ask.take_if(|at| *at <= now).is_some() {
            let ends = expiry.ends;
            let packet = Encoded::request(AUTH, &Payload::default()).expect("the name is one");
            if let Ok(request) = self.core.request(packet, ends, now) {
                self.waiting.insert(request, (Waiting::Refresh, None));
            }
        }
    }

    /// Stores the outcome of the request to the client.
    pub(super) fn refreshed(&mut self, outcome: Result<Payload, AnswerError>) {
        if let Some(expiry) = &mut self.expiry {
            let answer = outcome.map(|payload| (*payload.json).into()).map_err(|_| Unanswered);
            expiry.answer = Some(answer);
        }
    }

    /// Returns the new authentication about which the application has to decide, once a change is
    /// complete.
    pub(super) fn settle_expiry(&mut self, now: Time) -> Option<Box<str>> {
        let expiry = self.expiry.as_mut()?;
        match expiry.answer.take()? {
            Ok(auth) => Some(auth),
            Err(Unanswered) => {
                expiry.ask_again(now);
                None
            }
        }
    }

    /// The client has answered in time, so its session does not end before the application has
    /// decided.
    fn begin_renewal(&mut self, patience: Duration, now: Time) {
        if let Some(expiry) = &mut self.expiry {
            expiry.deciding = true;
            expiry.ends = expiry.ends.max(now + patience);
        }
    }

    /// The application lets the session continue: for the time that it has set meanwhile, or as
    /// long as before.
    fn end_renewal(&mut self, now: Time) {
        if let Some(expiry) = self.expiry.take_if(|expiry| expiry.deciding) {
            let length = expiry.length;
            self.expires_in(Validity { length, left: length }, true, now);
        }
    }
}

/// Calls the application's hook with a new authentication, on a worker.
pub(super) fn refresh(session: &Arc<LiveSession>, auth: Box<str>) {
    match Worker::here(&session.common) {
        Some(worker) => drop(rt::spawn(decide(Arc::clone(session), worker, auth))),
        None => {
            let moved = Arc::clone(session);
            session.common.workers.run(move || refresh(&moved, auth));
        }
    }
}

async fn decide(session: Arc<LiveSession>, worker: Rc<Worker>, auth: Box<str>) {
    if !session.around.refreshes() {
        return;
    }
    let _under_way = session.common.hook_begins();
    let patience = session.common.config.connect_timeout;
    session.with(|state, now| state.begin_renewal(patience, now));
    let hook = async {
        match session.around.call_refresh(&session, &worker.request, &auth) {
            Some(decision) => decision.await,
            None => Ok(()),
        }
    };
    let decision = AssertUnwindSafe(hook).catch_unwind();
    let close = match rt::time::timeout(patience, decision).await {
        Ok(Ok(Ok(()))) => return session.with(|state, now| state.end_renewal(now)),
        Ok(Ok(Err(refusal))) => refusal.into_auth_close(),
        Ok(Err(_)) => {
            limited!("session {}: the refresh hook panicked", session.id);
            Close::new(CloseCode::AUTH_EXPIRED)
        }
        Err(_) => {
            limited!("session {}: the refresh hook took too long", session.id);
            Close::new(CloseCode::AUTH_EXPIRED)
        }
    };
    session.with(|state, now| state.core.abort(close, now));
}

/// The server sends the request at most this long before the end, or a quarter of the time if that
/// is less.
const MOST_NOTICE: Duration = Duration::from_secs(60);
/// With less time left the server does not repeat the request.
const LEAST_NOTICE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::{Duration, Expiry, Time, Validity};

    fn expiry(seconds: u64, asks: bool) -> Expiry {
        let length = Duration::from_secs(seconds);
        Expiry::new(Validity { length, left: length }, asks, Time::from_millis(1000))
    }

    #[test]
    fn the_server_requests_authentication_a_minute_or_a_quarter_of_the_time_before_the_end() {
        assert_eq!(expiry(3600, true).deadline(), Time::from_millis(1000 + 3_540_000));
        assert_eq!(expiry(8, true).deadline(), Time::from_millis(1000 + 6000));
        assert_eq!(expiry(8, false).deadline(), Time::from_millis(1000 + 8000), "nobody asks");
    }

    #[test]
    fn the_server_repeats_the_request_while_there_is_time() {
        let mut expiry = expiry(8, true);
        expiry.ask_again(Time::from_millis(8000));
        assert_eq!(expiry.deadline(), Time::from_millis(8500));
        expiry.ask_again(Time::from_millis(8950));
        assert_eq!(expiry.deadline(), expiry.ends);
    }

    #[test]
    fn after_a_move_the_remaining_time_counts() {
        let (length, left) = (Duration::from_secs(3600), Duration::from_secs(10));
        let moved = Expiry::new(Validity { length, left }, true, Time::from_millis(0));
        assert_eq!(moved.deadline(), Time::from_millis(0), "it is asked at once");
        assert_eq!(moved.ends, Time::from_millis(10_000));
    }
}
