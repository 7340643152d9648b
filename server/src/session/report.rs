//! The log lines about a session: that it opened, was resumed, moved to another transport, and
//! ended.
//!
//! They contain ids, users, addresses and codes only. They do not contain reasons: a reason may
//! quote what a client authenticated with, or be text of a stranger.

use std::fmt;
use std::net::IpAddr;

use super::{Ended, LiveSession, OpenPhase, State};
use crate::complaints::{Foreign, NOTES, Suppressed};
use crate::names::user_of;
use bowline_protocol::Transport;

/// What an attachment changes for the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// It is the next of several polls, or the hook has not decided.
    Unchanged,
    Opened,
    Resumed,
    MovedFrom(Transport),
}

impl State {
    /// True once: when the session is open and has a carrier for the first time.
    pub(crate) fn begins(&mut self) -> bool {
        let is_there = self.phase() == OpenPhase::Open && self.transport.is_some();
        is_there && !std::mem::replace(&mut self.has_begun, true)
    }

    /// Returns what the latest attachment changed; `before` is the transport that was attached
    /// until then.
    pub(super) fn arrival(&mut self, before: Option<Transport>) -> Arrival {
        if self.begins() {
            return Arrival::Opened;
        }
        if !self.has_begun || self.core.closed().is_some() {
            return Arrival::Unchanged;
        }
        match before {
            Some(Transport::Polling) if self.transport == before => Arrival::Unchanged,
            Some(before) if self.transport != Some(before) => Arrival::MovedFrom(before),
            _ => Arrival::Resumed,
        }
    }
}

impl LiveSession {
    /// Writes to the log that its client has attached, from this address if it is known.
    pub(crate) fn report_arrival(&self, arrival: Arrival, address: Option<IpAddr>) {
        if arrival == Arrival::Unchanged || !log::log_enabled!(log::Level::Info) {
            return;
        }
        let (user, transport) = self.look(|state| {
            let user = state.rooms.iter().find_map(|room| user_of(room)).map(str::to_owned);
            (user, state.transport)
        });
        let address = address.or(self.address);
        let (id, of) = (self.id, Of { user: user.as_deref(), address, transport });
        let Some(left_out) = self.may_note("arrivals") else { return };
        match arrival {
            Arrival::Unchanged => {}
            Arrival::Opened => log::info!("session {id} opened{of}{left_out}"),
            Arrival::Resumed => log::info!("session {id} was resumed{of}{left_out}"),
            Arrival::MovedFrom(before) => {
                log::info!("session {id} moved from {before}{of}{left_out}")
            }
        }
    }

    /// `None` if the log has had enough sessions for now.
    fn may_note(&self, kind: &'static str) -> Option<Suppressed> {
        self.common.complaints.admit_kind(kind, NOTES, self.common.now())
    }

    /// Writes to the log why the session ended.
    pub(super) fn report_end(&self, ended: &Ended) {
        if !log::log_enabled!(log::Level::Info) {
            return;
        }
        let user = ended.rooms.iter().find_map(|room| user_of(room));
        let of = Of { user, address: self.address, transport: ended.transport };
        let (id, code) = (self.id, ended.code);
        let Some(left_out) = self.may_note("ends") else { return };
        if ended.has_parted {
            log::info!("session {id} continues in another process{of}{left_out}");
        } else if ended.has_begun {
            log::info!("session {id} ended: {code}{of}{left_out}");
        } else {
            log::info!("session {id} was refused: {code}{of}{left_out}");
        }
    }
}

/// The address of a client, where it is known.
pub(crate) struct FromAddress(pub(crate) Option<IpAddr>);

impl fmt::Display for FromAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |address| write!(f, ", from {address}"))
    }
}

/// The user, the address and the transport of a session, where they are known.
struct Of<'a> {
    user: Option<&'a str>,
    address: Option<IpAddr>,
    transport: Option<Transport>,
}

impl fmt::Display for Of<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(user) = self.user {
            write!(f, ", user {}", Foreign(user))?;
        }
        FromAddress(self.address).fmt(f)?;
        self.transport.map_or(Ok(()), |transport| write!(f, ", over {transport}"))
    }
}
