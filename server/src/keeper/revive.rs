//! A node continues the sessions of the previous process.

use std::io::BufReader;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use bowline_protocol::{SessionId, Since};
use bytes::Bytes;
use futures::FutureExt as _;

use super::{Keeper, Read};
use crate::gap::{Gap, GapScope};
use crate::locks::lock;
use crate::node::Node;
use crate::session::{self, LiveSession, OpenPhase};
use crate::snapshot::{Follows, Snapshot, Unpacked};
use crate::store::MAX_AGE;
use crate::store::format::{End, Header, Item, Reader, Unreadable, VERSION, unix_millis};
use crate::store::place::Removed;

/// The outcome of reading a value.
#[derive(Default)]
struct Outcome {
    revived: Vec<Arc<LiveSession>>,
    damaged: usize,
    /// The number of sessions that come from a checkpoint.
    stale: usize,
    /// The number of sessions that exist here already.
    doubled: usize,
    end: Option<End>,
}

/// When the sessions are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// Before the node serves.
    Start,
    /// While the node serves: events of the meantime did not reach the sessions.
    Late,
}

/// Reads everything that earlier processes have stored.
pub(super) fn at_start(keeper: &Keeper, node: &Arc<Node>) {
    let place = keeper.store.place.shown();
    match keeper.store.place.prepare() {
        Ok(0) => {}
        Ok(left) => log::warn!(
            "{left} processes have ended while they wrote their sessions to {place}: these are lost"
        ),
        Err(error) => return log::warn!("sessions cannot be stored in {place}: {error}"),
    }
    all(keeper, node, Moment::Start);
}

/// Reads what another process has stored while this one serves.
pub(super) fn late(keeper: &Keeper, node: &Arc<Node>) {
    all(keeper, node, Moment::Late);
}

fn all(keeper: &Keeper, node: &Arc<Node>, moment: Moment) {
    // Without an answer of the store there is nothing to read.
    let names = keeper.store.place.names().unwrap_or_default();
    for name in keeper.readable(names) {
        if let Err(why) = one(keeper, node, &name, moment) {
            log::warn!("{name} in {} is not read: {why}", keeper.store.place.shown());
            lock(&keeper.unread).insert(name);
        }
    }
}

/// Reads one value.
fn one(keeper: &Keeper, node: &Arc<Node>, name: &str, moment: Moment) -> Result<(), String> {
    let begun = Instant::now();
    let claimed = keeper.store.place.claim(name).map_err(|error| error.to_string())?;
    let Some(claimed) = claimed else { return Ok(()) };
    let from = BufReader::with_capacity(BUFFER, claimed.reader());
    let (header, mut reader) = match Reader::open(from) {
        Ok(opened) => opened,
        Err(Unreadable::Io(error)) => return Err(format!("its sessions are lost: {error}")),
        Err(Unreadable::Foreign) => {
            return Err("it does not begin as a file of sessions".to_owned());
        }
        Err(Unreadable::Damaged) => {
            let _ = claimed.remove();
            return Err("its sessions are lost, because its header is damaged".to_owned());
        }
    };
    if header.application != keeper.application {
        let (theirs, ours) = (&header.application, &keeper.application);
        return Err(format!("it is of {theirs:?} and is left alone, because this is {ours:?}"));
    }
    let age = age(&header);
    if let Some(why) = refusal(&header, age) {
        if age > MAX_AGE {
            let _ = claimed.remove();
        }
        return Err(format!("{} sessions at most are lost, because {why}", header.sessions));
    }
    if moment == Moment::Late {
        // A client may attach to the first of them while the others are read.
        match claimed.remove() {
            Ok(Removed::Ours) => {}
            Ok(Removed::Theirs) => return Ok(()),
            Err(error) => return Err(format!("it cannot be removed: {error}")),
        }
    }
    let outcome = read(node, &mut reader, age, moment);
    outcome.report(&header, name, begun.elapsed(), moment);
    if moment == Moment::Start {
        drop(reader);
        let sessions = outcome.revived.iter().map(|session| session.id).collect();
        keeper.claim(Read { claimed, name: name.to_owned(), sessions });
    }
    Ok(())
}

/// Why a file of this application is not read.
fn refusal(header: &Header, age: Duration) -> Option<String> {
    if header.version != VERSION {
        let version = header.version;
        return Some(format!("this build does not know version {version} of the format"));
    }
    (age > MAX_AGE).then(|| format!("they were stored {} minutes ago", age.as_secs() / 60))
}

fn age(header: &Header) -> Duration {
    let now = unix_millis(SystemTime::now());
    Duration::from_millis(now.saturating_sub(header.written))
}

fn read(
    node: &Arc<Node>,
    reader: &mut Reader<impl std::io::Read>,
    age: Duration,
    moment: Moment,
) -> Outcome {
    let mut outcome = Outcome::default();
    loop {
        match reader.next() {
            Item::Session(content) => outcome.take(node, &content, false, age, moment),
            Item::Stale(content) => outcome.take(node, &content, true, age, moment),
            Item::Damaged => outcome.damaged += 1,
            Item::End(end) => {
                outcome.end = end;
                return outcome;
            }
        }
    }
}

/// Returns a session, and for how many milliseconds it waits for its client.
fn unpack((snapshot, packets): (Snapshot, Bytes)) -> Option<(Unpacked, Option<u64>)> {
    let window = snapshot.window;
    Some((snapshot.unpack(packets)?, window))
}

/// Continues a session that was stored this long ago. `None` if one with this id exists.
fn revive(
    node: &Arc<Node>,
    (unpacked, window): (Unpacked, Option<u64>),
    age: Duration,
    moment: Moment,
) -> Option<Arc<LiveSession>> {
    let Unpacked { id, secrets, address, mut parted, follows, moving } = unpacked;
    if let Some(validity) = &mut parted.validity {
        validity.left = validity.left.saturating_sub(age);
    }
    for left in parted.grants.iter_mut().filter_map(|granted| granted.left.as_mut()) {
        *left = left.saturating_sub(age);
    }
    let values = session::unpack(&node.config, id, &parted.values);
    let session = LiveSession::arrive(
        &node.common,
        node.surroundings(),
        id,
        secrets,
        address,
        &parted,
        values,
    )?;
    for room in &parted.rooms {
        // The limits were checked by the previous process.
        let _ = node.rooms.join(room, &session);
    }
    node.expire_arrived(&session, &parted.grants);
    match moment {
        Moment::Start => node.presence.revive(&session, moving),
        Moment::Late => node.presence.arrive(&session, moving),
    }
    session.drive(|state, now| {
        if let Some(left) = window {
            let whole = node.config.session.window;
            state.core.wait_for(Duration::from_millis(left).max(MIN_WINDOW.min(whole)), now);
        }
        state.set_phase(OpenPhase::Open);
    });
    if let Some(cluster) = &node.cluster {
        cluster.take_stored(&session);
    }
    follow(node, &session, follows);
    Some(session)
}

/// Withdraws sessions that are not served here after all. No client has seen them: they end without
/// calling the application.
pub(super) fn withdraw(node: &Arc<Node>, sessions: &[SessionId]) {
    for session in sessions.iter().filter_map(|id| node.registry.get(id)) {
        let rooms = session.withdraw();
        node.rooms.remove(&session.id, &rooms);
        node.histories.remove(&session.id, &rooms);
        node.presence.depart(session.id, &rooms);
        node.registry.remove(&session, node.now());
    }
}

/// Resumes the session's histories. A history in the memory of a process has ended with it, which
/// the server reports as a gap.
fn follow(node: &Arc<Node>, session: &Arc<LiveSession>, follows: Follows) {
    if let Some(cluster) = &node.cluster {
        return cluster.follow_on(&node.local, session, follows);
    }
    for (room, at) in follows {
        let since = Since::After(at);
        let followed = node.histories.follow(&room, session, &since).now_or_never();
        let has_all =
            followed.and_then(Result::ok).is_some_and(|recovered| recovered.missing.is_none());
        if !has_all {
            report(session, GapScope::Room(room));
        }
    }
}

/// Reports to a session that it may have missed events.
fn report(session: &Arc<LiveSession>, scope: GapScope) {
    let _ = session.emit(&Gap::new(scope, None).packet());
}

impl Keeper {
    /// Keeps the claim until [`Self::commit`].
    fn claim(&self, read: Read) {
        lock(&self.claimed).push(read);
        self.has_claimed.store(true, Ordering::Release);
    }
}

impl Outcome {
    /// Continues the session of a record.
    fn take(
        &mut self,
        node: &Arc<Node>,
        content: &Bytes,
        is_stale: bool,
        age: Duration,
        moment: Moment,
    ) {
        let Some((mut unpacked, window)) = Snapshot::read(content).and_then(unpack) else {
            self.damaged += 1;
            return;
        };
        unpacked.parted.is_stale = is_stale;
        let Some(session) = revive(node, (unpacked, window), age, moment) else {
            self.doubled += 1;
            return;
        };
        self.stale += usize::from(is_stale);
        self.revived.push(session);
        if self.revived.len().is_multiple_of(PROGRESS) {
            log::info!("{} sessions are read", self.revived.len());
        }
    }

    fn report(&self, header: &Header, name: &str, took: Duration, moment: Moment) {
        let revived = self.revived.len();
        let is_whole = self.end.is_some_and(|end| end.sessions as usize == revived);
        let has_missed = self.stale > 0 || self.end.is_some_and(|end| end.has_missed);
        if !is_whole || moment == Moment::Late || has_missed {
            // They may know sessions that are lost, and did not receive the last events.
            for session in &self.revived {
                report(session, GapScope::Session(session.id));
            }
        }
        log::info!("{revived} sessions that were stored in {name} continue: {took:?}");
        if self.stale > 0 {
            log::warn!(
                "{} of them are as they were when {name} was stored, because their process was \
                    killed: they go on with those \
                 clients that have sent and received nothing since",
                self.stale
            );
        }
        if self.damaged > 0 || self.end.is_none() {
            let at_most = (header.sessions as usize).saturating_sub(revived);
            let what = if self.end.is_none() { "it ends too early" } else { "parts are damaged" };
            log::warn!("{at_most} sessions at most in {name} are lost: {what}");
        }
        if self.doubled > 0 {
            log::warn!("{} sessions in {name} are here already", self.doubled);
        }
    }
}

/// The least time that a session without a carrier waits for its client after the start: while no
/// process ran, the client could not attach.
const MIN_WINDOW: Duration = Duration::from_secs(30);
/// The size of one read.
const BUFFER: usize = 256 * 1024;
/// The number of sessions after which a line is logged.
const PROGRESS: usize = 20_000;
