//! Writes the sessions of a node to the store: all of them when it ends, and copies while it
//! serves.

use std::fmt;
use std::io::{self, BufWriter};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::BytesMut;

use super::Keeper;
use crate::locks::lock;
use crate::node::Node;
use crate::presence::Moving;
use crate::session::{LiveSession, Parted, Unpackable};
use crate::snapshot::{Follows, Snapshot, millis};
use crate::store::format::{Header, VERSION, Writer, unix_millis};
use crate::store::place::Claimed;

/// A session that was removed from the node, or a copy of one that stays.
struct Taken {
    session: Arc<LiveSession>,
    parted: Parted,
    follows: Follows,
    moving: Moving,
    window: Option<Duration>,
}

/// The number of sessions that are not stored, by reason.
#[derive(Default)]
struct Lost {
    at_work: usize,
    not_serializable: usize,
    too_large: usize,
    no_room: usize,
}

/// Removes all sessions from the node and writes them.
pub(super) fn all(keeper: &Keeper, node: &Arc<Node>) {
    let begun = Instant::now();
    let mut lost = Lost::default();
    let sessions = node.registry.all();
    let mut taken = Vec::with_capacity(sessions.len());
    for session in sessions {
        match take(node, &session) {
            Ok(session) => taken.push(session),
            Err(Unpackable::AtWork) => lost.at_work += 1,
            Err(Unpackable::NotSerializable) => lost.not_serializable += 1,
            Err(Unpackable::Over) => {}
        }
    }
    let (all, place) = (taken.len(), keeper.store.place.shown());
    // The checkpoint has no use any more, unless the value that replaces it cannot be written.
    let checkpoint = lock(&keeper.checkpoint).take();
    if all > 0 {
        match write(keeper, node, all, taken.into_iter().map(Ok), &mut lost, checkpoint.as_deref())
        {
            Ok(Written { sessions, bytes, .. }) => log::info!(
                "{sessions} sessions are stored in {place}: {bytes} bytes in {:?}",
                begun.elapsed()
            ),
            Err(error) => {
                log::error!("{all} sessions are lost, because {place} cannot be written: {error}")
            }
        }
    } else if let Some(Err(error)) = checkpoint.map(|checkpoint| checkpoint.remove()) {
        log::error!("a checkpoint cannot be removed from {place}, and would be read: {error}");
    }
    lost.warn(keeper);
}

/// Writes copies of all sessions, which replace those that were written before. Leaves out a
/// session that cannot be copied now, because one of its handlers is running.
pub(super) fn copies(keeper: &Keeper, node: &Arc<Node>) {
    let begun = Instant::now();
    let mut lost = Lost::default();
    let sessions = node.registry.all();
    let mut checkpoint = lock(&keeper.checkpoint);
    let copies = sessions.iter().filter_map(|session| match node.is_draining() {
        // What the process stores when it ends is more complete than this checkpoint would be.
        true => Some(Err(io::ErrorKind::Interrupted.into())),
        false => copy(node, session).ok().map(Ok),
    });
    let written = write(keeper, node, sessions.len(), copies, &mut lost, checkpoint.as_deref());
    let place = keeper.store.place.shown();
    match written {
        Ok(Written { sessions: count, bytes, claimed }) => {
            let (all, took) = (sessions.len(), begun.elapsed());
            log::debug!("{count} of {all} sessions are copied to {place}: {bytes} bytes, {took:?}");
            *checkpoint = Some(claimed);
        }
        Err(_) if node.is_draining() => {}
        Err(error) => log::warn!("there is no new checkpoint, because {place}: {error}"),
    }
}

/// Copies a session that stays in the node.
fn copy(node: &Arc<Node>, session: &Arc<LiveSession>) -> Result<Taken, Unpackable> {
    let packed = session.pack()?;
    let parted = session.copy(packed).ok_or(Unpackable::AtWork)?;
    let window = session.look(|state| state.core.waits_for(node.now()));
    // After the session, so that no event is sent twice; every session that is restored receives a
    // gap.
    let follows = node.histories.followed_by(session);
    let moving = node.presence.copy(session.id);
    Ok(Taken { session: Arc::clone(session), parted, follows, moving, window })
}

/// Removes a session from the node.
fn take(node: &Arc<Node>, session: &Arc<LiveSession>) -> Result<Taken, Unpackable> {
    let mut packed = session.pack()?;
    let window = session.look(|state| state.core.waits_for(node.now()));
    let follows = node.histories.depart(session);
    // Its handlers have completed, and none starts: the server has sent the clients away.
    let parted = session.part(&mut packed).ok_or(Unpackable::AtWork)?;
    let moving = node.presence.depart(session.id, &parted.rooms);
    node.registry.remove(session, node.now());
    Ok(Taken { session: Arc::clone(session), parted, follows, moving, window })
}

/// The outcome of a write.
struct Written {
    sessions: u32,
    bytes: u64,
    claimed: Box<dyn Claimed>,
}

/// Writes at most `count` sessions, which replace the value that was written before.
fn write(
    keeper: &Keeper,
    node: &Node,
    count: usize,
    taken: impl Iterator<Item = io::Result<Taken>>,
    lost: &mut Lost,
    before: Option<&dyn Claimed>,
) -> io::Result<Written> {
    let sessions = u32::try_from(count).unwrap_or(u32::MAX);
    let (written, application) = (unix_millis(SystemTime::now()), keeper.application.clone());
    let header = Header { version: VERSION, written, sessions, application };
    let unfinished = keeper.store.place.create(node.id)?;
    let mut writer = Writer::begin(BufWriter::with_capacity(BUFFER, unfinished), &header)?;
    let mut content = BytesMut::new();
    for each in taken {
        let Taken { session, parted, follows, moving, window } = each?;
        if !moving.untold.is_empty() {
            node.note_missed();
        }
        let is_stale = parted.is_stale;
        let (mut snapshot, packets) = Snapshot::new(&session, parted, follows, moving);
        snapshot.window = window.map(millis);
        content.clear();
        snapshot.write(&packets, &mut content);
        let size = content.len() as u64;
        if size > keeper.store.settings.session_limit {
            lost.too_large += 1;
        } else if writer.bytes().saturating_add(size) > keeper.store.settings.limit {
            lost.no_room += 1;
        } else {
            writer.session(&content, is_stale)?;
            if !is_stale && writer.sessions().is_multiple_of(PROGRESS) {
                log::info!("{} of {sessions} sessions are written", writer.sessions());
            }
        }
    }
    let (sessions, bytes) = (writer.sessions(), writer.bytes());
    let has_missed = node.has_missed() || lost.any();
    let unfinished = writer.end(has_missed)?.into_inner().map_err(|error| error.into_error())?;
    Ok(Written { sessions, bytes, claimed: unfinished.finish(before)? })
}

impl Lost {
    const fn any(&self) -> bool {
        self.at_work + self.not_serializable + self.too_large + self.no_room > 0
    }

    fn warn(&self, keeper: &Keeper) {
        let (session, all) = (keeper.store.settings.session_limit, keeper.store.settings.limit);
        warn_of(self.at_work, format_args!("their handlers did not end before the deadline"));
        warn_of(
            self.not_serializable,
            format_args!("they keep values of a type that is not named with BowlineBuilder::carry"),
        );
        warn_of(
            self.too_large,
            format_args!("each takes more than the {session} bytes of the store's session_limit"),
        );
        warn_of(
            self.no_room,
            format_args!("there is no room in the {all} bytes of the store's limit"),
        );
    }
}

fn warn_of(lost: usize, why: fmt::Arguments<'_>) {
    if lost > 0 {
        log::warn!("{lost} sessions are not stored, and their clients will be notified: {why}");
    }
}

/// The size of one write.
const BUFFER: usize = 256 * 1024;
/// The number of sessions after which a line is logged.
const PROGRESS: u32 = 20_000;
