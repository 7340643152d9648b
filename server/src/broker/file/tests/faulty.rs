//! A disk that loses its power, or refuses.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use redb::StorageBackend;

/// A storage that, after a power cut, contains what was synced and a part of what was written
/// since.
#[derive(Debug, Clone, Default)]
pub(super) struct Faulty(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    synced: Vec<u8>,
    seen: Vec<u8>,
    since: Vec<Change>,
    /// The bytes that can be written before the power fails.
    power: Option<usize>,
    refuses: bool,
}

#[derive(Debug, Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Length(usize),
}

impl Faulty {
    pub(super) fn holding(bytes: Vec<u8>) -> Self {
        let this = Self::default();
        this.state().synced = bytes.clone();
        this.state().seen = bytes;
        this
    }

    /// The power fails in the middle of the write of this byte.
    pub(super) fn fail_after(&self, bytes: usize) {
        self.state().power = Some(bytes);
    }

    /// Refuses writes, like a full disk, or accepts them again.
    pub(super) fn refuse(&self, refuses: bool) {
        self.state().refuses = refuses;
    }

    pub(super) fn is_without_power(&self) -> bool {
        self.state().power == Some(0)
    }

    /// The content when the power is back: of what was written since the last sync, `survives`
    /// decides.
    pub(super) fn after_the_cut(&self, mut survives: impl FnMut() -> bool) -> Vec<u8> {
        let state = self.state();
        let mut bytes = state.synced.clone();
        for change in &state.since {
            if survives() {
                change.apply(&mut bytes);
            }
        }
        bytes
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn change(&self, change: Change) -> io::Result<()> {
        let mut state = self.state();
        if state.refuses {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let change = state.powered(change)?;
        change.apply(&mut state.seen);
        state.since.push(change);
        if state.power == Some(0) { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(()) }
    }
}

impl State {
    /// Applies as much of a change as the power lasts for.
    fn powered(&mut self, change: Change) -> io::Result<Change> {
        let Some(power) = &mut self.power else { return Ok(change) };
        if *power == 0 {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let size = change.size().min(*power);
        *power -= size;
        Ok(match change {
            Change::Write(at, bytes) => Change::Write(at, bytes[..size].to_vec()),
            length @ Change::Length(_) => length,
        })
    }
}

impl Change {
    fn size(&self) -> usize {
        if let Self::Write(_, bytes) = self { bytes.len() } else { 0 }
    }

    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Self::Write(at, bytes) => {
                // A length that did not survive.
                to.resize(to.len().max(at + bytes.len()), 0);
                to[*at..at + bytes.len()].copy_from_slice(bytes);
            }
            Self::Length(length) => to.resize(*length, 0),
        }
    }
}

impl StorageBackend for Faulty {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state().seen.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        let state = self.state();
        let bytes = state.seen.get(offset..offset + out.len());
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(Change::Length(usize::try_from(len).map_err(io::Error::other)?))
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.state();
        if state.power == Some(0) || state.refuses {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        for change in std::mem::take(&mut state.since) {
            change.apply(&mut state.synced);
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        self.change(Change::Write(offset, data.to_vec()))
    }
}
