//! The server's process is killed, and the next one continues from a state that was stored earlier.

use bowline_protocol::{
    Attachment, Close, CloseCode, Encoded, NodeId, OpenKey, Ownership, Secret, Session, SessionId,
};

use crate::endpoint::Endpoint;
use crate::network::{Network, What};
use crate::server::Live;

/// A session as it was stored while the server served.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    pub(crate) identity: (SessionId, Secret, OpenKey),
    pub(crate) state: Stored,
    /// The log of the server, and of the instance that had the session.
    pub(crate) logs: (usize, usize),
    pub(crate) limit: usize,
}

/// The state of the session.
#[derive(Debug)]
pub(crate) struct Stored {
    counter: u64,
    ownership: Ownership,
    received: u64,
    confirmed: u64,
    kept: Vec<Encoded>,
}

impl Stored {
    pub(crate) fn of(session: &Session) -> Self {
        Self {
            counter: session.counter(),
            ownership: session.ownership().clone(),
            received: session.received(),
            confirmed: session.confirmed(),
            kept: session.kept().cloned().collect(),
        }
    }

    /// The number of the last packet that the server had emitted.
    pub(crate) fn last(&self) -> u64 {
        self.confirmed + self.kept.len() as u64
    }

    pub(crate) fn restore(self, session: &mut Session) {
        let owner = (self.counter, self.ownership);
        session.take_over(owner, self.received, self.confirmed, self.kept);
        session.mark_stale();
    }
}

impl Live {
    /// A session that continues from a checkpoint has accepted an attachment: the client knows
    /// nothing that the checkpoint lacks.
    pub(crate) fn revive(&mut self, attachment: Attachment, io: &mut Network) {
        io.stats.count(What::Revivals);
        let (sent, received) = (self.end.log, self.end.session.received());
        let before = self.end.follows.take().expect("it goes on from a checkpoint");
        let peer_log = self.end.peer_log.expect("a checkpoint has a client");
        let (handled, seen) = (io.truth.logs[peer_log].handled, io.truth.logs[before].handled);
        let most = io.truth.logs[sent].transmitted;
        // An instance that continues from a copy does not know what the previous one has sent and
        // received since.
        if attachment.take.is_none() {
            assert_eq!(handled, received, "the process before has handled what is sent again");
            assert!(seen <= most, "{attachment:?} has received {seen}");
        }
        // From here on the client follows the log of this process.
        io.truth.logs[sent].handled = seen.min(most);
        io.truth.logs.swap(before, sent);
        self.end.log = before;
    }
}

/// The process after one that was killed has another name.
pub(crate) fn revived(checkpoint: Checkpoint, io: &mut Network) -> Option<Live> {
    let Checkpoint { identity, state, logs: (log, peer_log), limit } = checkpoint;
    let end = Endpoint::revived(state, limit, (log, peer_log), io);
    Some(Live::new(end, identity))
}

/// The response to a POST before the session was attached.
pub(crate) fn come_back() -> Close {
    Close::new(CloseCode::DRAINING)
}

/// True for the session of an earlier process that was revived.
pub(crate) fn is_revived(live: Option<&Live>, session: SessionId, node: NodeId) -> bool {
    session.node() == node || live.is_some_and(|live| live.id == session)
}
