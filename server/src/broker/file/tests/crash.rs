//! The power fails at any byte of a write.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bowline_protocol::Position;
use bytes::Bytes;
use fastrand::Rng;

use super::super::disk::{Disk, database};
use super::super::writer::{Job, What, Writer};
use super::faulty::Faulty;
use super::{KEEP, messages};
use crate::broker;
use crate::broker::{Bounds, Keep, Logs, Unavailable};

/// The logs of a node on such a disk.
struct Node {
    logs: Arc<Mutex<Logs>>,
    writer: Writer,
}

impl Node {
    fn start(storage: &Faulty) -> Result<Self, redb::Error> {
        let first = database(storage.clone(), true)?;
        let storage = storage.clone();
        let disk =
            Disk::new(first, Box::new(move || database(storage.clone(), false)), Duration::ZERO);
        let found = disk.read()?;
        let bounds = Bounds { logs: 100, bytes: 1_000_000, ids: 9 };
        let logs = Arc::new(Mutex::new(Logs::within(bounds)));
        let mut writer =
            Writer::new(Path::new("histories"), disk, Arc::clone(&logs), Arc::default());
        writer.take_in(found);
        Ok(Self { logs, writer })
    }

    /// Appends all of these together, and returns the result of each.
    fn append_all(&mut self, said: &[(String, Bytes)]) -> Vec<Result<Position, Unavailable>> {
        let outcomes = Arc::new(Mutex::new(Vec::new()));
        let job = |(log, message): &(String, Bytes)| {
            let outcomes = Arc::clone(&outcomes);
            let told = move |appended: Result<broker::Appended, Unavailable>| {
                outcomes.lock().unwrap().push(appended.map(|appended| appended.at));
            };
            let what = What::Append(message.clone(), None, Box::new(told));
            Job { log: log.clone(), keep: keep(log), what }
        };
        self.writer.serve(said.iter().map(job).collect());
        std::mem::take(&mut outcomes.lock().unwrap())
    }

    fn read(&self, log: &str) -> (Option<Position>, Vec<(u64, Bytes)>) {
        let slice = self.logs.lock().unwrap().peek(log, keep(log));
        (slice.as_ref().map(|slice| slice.end.clone()), slice.iter().flat_map(messages).collect())
    }
}

const LOGS: [&str; 3] = ["many", "few", "another"];

fn keep(log: &str) -> Keep {
    Keep { messages: if log == "few" { 5 } else { 1000 }, ..KEEP }
}

/// The messages that were appended to each log, and the last position whose result was reported.
#[derive(Default)]
struct Appended {
    told: HashMap<String, Position>,
    /// By log and offset. A message whose result was not reported may exist or not.
    at: HashMap<(String, u64), Vec<Bytes>>,
}

impl Appended {
    /// A few groups of messages; ends when one is not written.
    fn append_all(&mut self, node: &mut Node, groups: usize, chance: &mut Rng) {
        for group in 0..groups {
            let message = |number: usize, chance: &mut Rng| {
                let said = format!("{group} {number} {}", "x".repeat(chance.usize(..3000)));
                (LOGS[chance.usize(..LOGS.len())].to_owned(), Bytes::from(said))
            };
            let said: Vec<_> = (0..=chance.usize(..6)).map(|n| message(n, chance)).collect();
            let mut next: HashMap<&str, u64> = HashMap::new();
            for (log, message) in &said {
                let end =
                    next.entry(log).or_insert_with(|| self.told.get(log).map_or(0, |at| at.offset));
                *end += 1;
                self.at.entry((log.clone(), *end)).or_default().push(message.clone());
            }
            let outcomes = node.append_all(&said);
            for ((log, _), outcome) in said.iter().zip(&outcomes) {
                if let Ok(at) = outcome {
                    self.told.insert(log.clone(), at.clone());
                }
            }
            if outcomes.iter().any(Result::is_err) {
                return;
            }
        }
    }

    /// Every message whose result was reported exists, and no message that was not appended.
    fn check(&self, node: &Node, seed: u64) {
        for log in LOGS {
            let (end, kept) = node.read(log);
            let told = self.told.get(log);
            let offset = end.as_ref().map_or(0, |end| end.offset);
            if let Some(told) = told {
                let end = end.unwrap_or_else(|| panic!("seed {seed}: {log} is lost"));
                assert_eq!(end.epoch, told.epoch, "seed {seed}: {log}");
                assert!(end.offset >= told.offset, "seed {seed}: {log} {end:?} {told:?}");
            }
            let last = if log == "few" { 5 } else { 1000 };
            let expected: Vec<u64> = (offset.saturating_sub(last) + 1..=offset).collect();
            let offsets: Vec<u64> = kept.iter().map(|(offset, _)| *offset).collect();
            assert_eq!(offsets, expected, "seed {seed}: {log}");
            for (offset, message) in kept {
                let said = &self.at[&(log.to_owned(), offset)];
                assert!(said.contains(&message), "seed {seed}: {log} {offset}");
            }
        }
    }
}

impl Appended {
    /// The messages after a restart count from now on: a client may have read them.
    fn take_up(&mut self, node: &Node) {
        for log in LOGS {
            let (end, kept) = node.read(log);
            let offset = end.as_ref().map_or(0, |end| end.offset);
            self.at.retain(|(other, at), _| other != log || *at <= offset);
            for (offset, message) in kept {
                self.at.insert((log.to_owned(), offset), vec![message]);
            }
            self.told.extend(end.map(|end| (log.to_owned(), end)));
        }
    }
}

/// What is left of a disk that keeps the order of what it writes, or does not.
fn after_the_cut(storage: &Faulty, chance: &mut Rng) -> Vec<u8> {
    let in_order = chance.usize(..2) == 0;
    let mut lost = false;
    storage.after_the_cut(|| {
        let survives = chance.usize(..4) > 0;
        lost |= !survives;
        if in_order { !lost } else { survives }
    })
}

#[test]
fn a_power_cut_at_any_byte_loses_no_message_whose_result_was_reported() {
    let (mut cuts, mut in_writes) = (0, 0);
    for seed in 0..SEEDS {
        let mut chance = Rng::with_seed(seed);
        let (mut said, mut bytes) = (Appended::default(), Vec::new());
        for _ in 0..3 {
            let storage = Faulty::holding(bytes.clone());
            storage.fail_after(1 + chance.usize(..250_000));
            if let Ok(mut node) = Node::start(&storage) {
                said.append_all(&mut node, 12, &mut chance);
                in_writes += usize::from(storage.is_without_power());
            }
            cuts += usize::from(storage.is_without_power());
            bytes = after_the_cut(&storage, &mut chance);
            match Node::start(&Faulty::holding(bytes.clone())) {
                Ok(node) => {
                    said.check(&node, seed);
                    said.take_up(&node);
                }
                // The file was being made, and is put aside.
                Err(redb::Error::Corrupted(_)) if said.told.is_empty() => bytes.clear(),
                Err(error) => panic!("seed {seed}: {error:?}"),
            }
        }
    }
    assert!(
        in_writes > SEEDS as usize,
        "{cuts} cuts, {in_writes} of them in the middle of a group"
    );
}

const SEEDS: u64 = 200;
