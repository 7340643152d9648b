//! What has reached the application, on disk: it outlives the process that writes it.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

/// What was written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// An event of a client has arrived.
    Event,
    /// A request of a client has arrived.
    Request,
    /// A request whose handler takes three seconds has arrived.
    Wait,
    /// Something was said to everyone.
    Tick,
}

/// A line of a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) kind: Kind,
    /// The client that sent it; 0 for what was said to everyone.
    pub(super) client: usize,
    pub(super) number: u64,
}

/// A journal that is being written.
#[derive(Debug)]
pub(super) struct Journal(File);

impl Journal {
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn append_to(path: &Path) -> Result<Self, String> {
        let file = OpenOptions::new().create(true).append(true).open(path);
        file.map(Self).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Written at once, so that it is kept when the process is killed.
    pub(super) fn write(&self, kind: Kind, client: usize, number: u64) {
        let line = format!("{} {client} {number}\n", kind.letter());
        if let Err(error) = (&self.0).write_all(line.as_bytes()) {
            eprintln!("the journal: {error}");
        }
    }
}

impl Kind {
    const ALL: [Self; 4] = [Self::Event, Self::Request, Self::Wait, Self::Tick];

    pub(super) const fn letter(self) -> char {
        match self {
            Self::Event => 'e',
            Self::Request => 'r',
            Self::Wait => 'w',
            Self::Tick => 't',
        }
    }
}

/// Reads a journal. The last line of a process that was killed may be cut off, and is left out.
///
/// # Errors
/// When there is none.
pub(super) fn read(path: &Path) -> Result<Vec<Entry>, String> {
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(parse(&text))
}

fn parse(text: &str) -> Vec<Entry> {
    text.split_inclusive('\n').filter_map(|line| entry(line.strip_suffix('\n')?)).collect()
}

fn entry(line: &str) -> Option<Entry> {
    let mut words = line.split(' ');
    let letter = words.next()?;
    let kind = Kind::ALL.into_iter().find(|kind| letter == kind.letter().to_string())?;
    let (client, number) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    Some(Entry { kind, client, number })
}

#[cfg(test)]
mod tests {
    use super::{Entry, Kind, parse};

    #[test]
    fn a_line_that_is_cut_off_is_no_entry() {
        let entry = |kind, client, number| Entry { kind, client, number };
        let read = parse("e 3 1\nt 0 12\nw 4 2\nx 1 1\nr 3 17");
        let expected =
            [entry(Kind::Event, 3, 1), entry(Kind::Tick, 0, 12), entry(Kind::Wait, 4, 2)];
        assert_eq!(read, expected);
    }
}
