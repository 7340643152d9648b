//! A session moves to another node or arrives from one; or the server sends its client away,
//! because the node ends.

use std::any::TypeId;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bowline_protocol::{AttachError, Encoded, OpenKey, Ownership, Secret, SessionId, Time};

use super::{Away, Common, Granted, LiveSession, OpenPhase, State, Surroundings, Validity};
use crate::complaints::limited;
use crate::config::{Config, Extension, SessionValue};
use crate::rates::RateLimits;
use bowline_protocol::Transport;

/// What moves with a session, beside its identity.
#[derive(Debug)]
pub(crate) struct Parted {
    pub(crate) counter: u64,
    pub(crate) ownership: Ownership,
    pub(crate) received: u64,
    pub(crate) confirmed: u64,
    pub(crate) kept: Vec<Encoded>,
    pub(crate) rooms: Vec<Arc<str>>,
    pub(crate) is_away: bool,
    /// It comes from a checkpoint: its client may know more.
    pub(crate) is_stale: bool,
    /// How long the server trusts its client.
    pub(crate) validity: Option<Validity>,
    /// The topics to which its client is subscribed.
    pub(crate) grants: Vec<Granted>,
    /// The streams that were open.
    pub(crate) streams: Vec<u64>,
    /// How fast its client may send, if that was set for this session.
    pub(crate) limits: Option<RateLimits>,
    /// The values that the application keeps with the session: names and JSON.
    pub(crate) values: Vec<(String, String)>,
}

/// The values that the application keeps with a session, serialized. They have to be the same when
/// the session leaves.
#[derive(Debug)]
pub(crate) struct Packed {
    values: Vec<(TypeId, Extension)>,
    written: Vec<(String, String)>,
}

/// The reason why a session cannot move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unpackable {
    /// A handler is running, or about to start.
    AtWork,
    /// The application keeps a value with it that cannot be serialized.
    NotSerializable,
    /// It has ended.
    Over,
}

impl LiveSession {
    /// Serializes the values that the application keeps with the session.
    ///
    /// The serializing code is the application's: call it without any lock.
    ///
    /// # Errors
    /// While a handler is running, for a value that cannot be serialized, and if the session has
    /// ended.
    pub(crate) fn pack(&self) -> Result<Packed, Unpackable> {
        let values = self.look(|state| match state.may_part() {
            true => Ok(state.values()),
            false if state.core.closed().is_some() => Err(Unpackable::Over),
            false => Err(Unpackable::AtWork),
        })?;
        let written = values.iter().map(|(kind, value)| {
            let known =
                self.common.config.session_values.iter().find(|known| known.kind == *kind)?;
            let json = guarded(&known.name, || (known.write)(value)).flatten()?;
            Some((known.name.clone(), json))
        });
        let written = written.collect::<Option<_>>().ok_or(Unpackable::NotSerializable)?;
        Ok(Packed { values, written })
    }

    /// Moves the session out of its core. What is left of it here sends its carrier away, and ends
    /// without calling the application. `None` if a handler has run since it was packed.
    pub(crate) fn part(self: &Arc<Self>, packed: &mut Packed) -> Option<Parted> {
        self.with(|state, now| {
            if !state.may_part() || !state.keeps(&packed.values) {
                return None;
            }
            // Whoever waits for their answers stays here, and receives the error that no client
            // will handle them.
            state.core.lose_unsent_requests();
            let parted = state.parted(std::mem::take(&mut packed.written), now);
            state.has_parted = true;
            state.set_phase(OpenPhase::Refused);
            state.core.abort(self.common.drain_close(), now);
            Some(parted)
        })
    }

    /// The session continues elsewhere and was never served here: it ends without calling the
    /// application. Returns its rooms.
    pub(crate) fn withdraw(self: &Arc<Self>) -> Vec<Arc<str>> {
        self.with(|state, now| {
            let rooms = state.rooms.iter().cloned().collect();
            state.has_parted = true;
            state.set_phase(OpenPhase::Refused);
            state.core.abort(self.common.drain_close(), now);
            rooms
        })
    }

    /// Returns a copy of the session, which stays. `None` if a handler has run since it was packed,
    /// or if requests that are not sent yet may still change its numbers.
    pub(crate) fn copy(&self, packed: Packed) -> Option<Parted> {
        self.look(|state| {
            let may = state.may_part() && state.keeps(&packed.values);
            if !may || state.core.has_unsent_requests() {
                return None;
            }
            let parted = state.parted(packed.written, self.common.now());
            Some(Parted { is_stale: true, ..parted })
        })
    }

    /// Adds a session of another node, not open yet, with these values. `None` if one with this id
    /// exists.
    pub(crate) fn arrive(
        common: &Arc<Common>,
        around: Arc<dyn Surroundings>,
        id: SessionId,
        secrets: (Secret, OpenKey),
        address: Option<IpAddr>,
        parted: &Parted,
        values: Vec<(TypeId, Extension)>,
    ) -> Option<Arc<Self>> {
        let asks = around.refreshes();
        let session = Self::new(common, around, id, secrets, address, 0);
        session.with(|state, now| {
            let Parted { counter, ownership, received, confirmed, kept, .. } = parted;
            let owner = (*counter, ownership.clone());
            state.has_begun = true;
            state.core.take_over(owner, *received, *confirmed, kept.clone());
            if parted.is_stale {
                state.core.mark_stale();
            }
            state.away = Away::arrived(parted.is_away);
            if let Some(validity) = parted.validity {
                state.expires_in(validity, asks, now);
            }
            for granted in &parted.grants {
                state.grant(granted.clone(), now);
            }
            state.arrived_with_streams(parted.streams.clone());
            for (kind, value) in values {
                // The session is new, so this drops no value of the application.
                state.set_extension(kind, value);
            }
        });
        if let Some(limits) = parted.limits {
            session.set_limits(limits);
        }
        common.registry.adopt(&session).then_some(session)
    }
}

/// Deserializes the values that the application kept with a session. The deserializing code is the
/// application's: call it without any lock.
pub(crate) fn unpack(
    config: &Config,
    id: SessionId,
    written: &[(String, String)],
) -> Vec<(TypeId, Extension)> {
    let values = written.iter().filter_map(|(name, json)| {
        let kind = config.session_values.iter().find(|known| known.name == *name);
        let read = |known: &SessionValue| guarded(name, || (known.read)(json)).flatten();
        let value = kind.and_then(|known| Some((known.kind, read(known)?)));
        if value.is_none() {
            limited!("session {id}: its value {name:?} is not known here");
        }
        value
    });
    values.collect()
}

/// Runs code of the application, and catches its panics, because the thread has to continue.
fn guarded<T>(name: &str, code: impl FnOnce() -> T) -> Option<T> {
    let outcome = catch_unwind(AssertUnwindSafe(code));
    outcome.inspect_err(|_| limited!("the value {name:?} panics when it is written or read")).ok()
}

impl LiveSession {
    /// True while a handler of this session is running, or has messages to handle.
    pub(crate) fn is_at_work(&self) -> bool {
        self.look(State::is_at_work)
    }

    /// True while a node that drains serves the client nevertheless, because answers to it are
    /// pending.
    pub(crate) fn awaits_answers(&self) -> bool {
        self.common.awaits_answers() && self.look(State::awaits_answers)
    }

    /// The node drains: the server asks the client to come back later. False if this has to be
    /// called again, because a handler is running, or because the client is between two polls and
    /// has to receive an answer.
    pub(crate) fn send_away(self: &Arc<Self>) -> bool {
        self.with(|state, now| state.send_away(&self.common, state.has_carrier(), now));
        !self.is_at_work() && !self.awaits_answers()
    }

    /// Counts something that the session did not accept: if the session is stored already, the
    /// server reports the gap to its client.
    #[cold]
    pub(super) fn misses(&self) {
        if self.common.stores_sessions() && self.look(|state| state.has_parted) {
            self.common.note_missed();
        }
    }

    /// True if the client has a carrier that has written something since.
    pub(crate) fn was_written_since(&self, since: Time) -> bool {
        self.look(|state| state.was_written_since(since))
    }
}

impl State {
    /// Refuses an attachment. If it shows that the checkpoint of the session is too old, the
    /// session ends: no other client can continue it.
    pub(crate) fn refuse(&mut self, error: AttachError, now: Time) -> AttachError {
        if error == AttachError::Stale {
            self.core.abort(error.close(), now);
        }
        error
    }

    /// The state of the session now, with these values.
    fn parted(&self, values: Vec<(String, String)>, now: Time) -> Parted {
        let core = &self.core;
        Parted {
            counter: core.counter(),
            ownership: core.ownership().clone(),
            received: core.received(),
            confirmed: core.confirmed(),
            kept: core.kept().cloned().collect(),
            rooms: self.rooms.iter().cloned().collect(),
            is_away: self.away.is_away(),
            is_stale: core.is_stale(),
            validity: self.validity(now),
            grants: self.granted(now),
            streams: self.interrupted_streams(),
            limits: self.own_limits(),
            values,
        }
    }

    fn is_at_work(&self) -> bool {
        self.phase() == OpenPhase::Open && !self.is_idle()
    }

    /// True if the client would receive what the server sends now. Between two polls a session is
    /// attached, but has no carrier.
    fn has_carrier(&self) -> bool {
        let polls = self.transport == Some(Transport::Polling);
        self.core.is_attached() && (!polls || self.is_parked())
    }

    fn awaits_answers(&self) -> bool {
        self.is_at_work() || (!self.was_sent_away && self.core.unconfirmed() > 0)
    }

    /// Sends the client when to come back, after everything that has to be sent and, for a while,
    /// after the answers that are pending. A session that is not let in yet does not begin here any
    /// more.
    pub(super) fn send_away(&mut self, common: &Common, is_there: bool, now: Time) {
        if common.stores_sessions() {
            self.away.stop();
        }
        if self.phase() == OpenPhase::Asking {
            self.set_phase(OpenPhase::Refused);
            self.core.abort(common.drain_close(), now);
        } else if !(self.is_at_work() && common.awaits_answers()) {
            self.was_sent_away |= is_there;
            self.core.dismiss(common.drain_close());
        }
    }

    /// True for a session that is open, and in which no handler is running.
    fn may_part(&self) -> bool {
        let is_open = self.phase() == OpenPhase::Open && self.core.closed().is_none();
        is_open && self.is_idle() && !self.is_renewing()
    }

    fn values(&self) -> Vec<(TypeId, Extension)> {
        self.extensions().map(|(kind, value)| (*kind, Arc::clone(value))).collect()
    }

    /// True if the application keeps these values with the session now.
    fn keeps(&self, values: &[(TypeId, Extension)]) -> bool {
        let same = |(kind, value): &(TypeId, Extension)| {
            self.extension(*kind).is_some_and(|kept| Arc::ptr_eq(&kept, value))
        };
        self.extensions().count() == values.len() && values.iter().all(same)
    }
}
