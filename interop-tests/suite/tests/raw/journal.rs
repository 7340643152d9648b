//! Everything that any test of this binary logs, and what must never be among it.

use std::collections::HashSet;
use std::sync::{LazyLock, Mutex, MutexGuard, Once, PoisonError};

use log::{LevelFilter, Log, Metadata, Record};

/// Starts to record, once for all tests.
pub(super) fn record() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Recorder).expect("nobody else logs in this binary");
        log::set_max_level(LevelFilter::Trace);
    });
}

/// From now on no line may hold this open key, secret or random part of a ticket.
pub(super) fn keep_token(token: &str) {
    assert_eq!(token.len(), TOKEN);
    recorded().tokens.insert(token.to_owned());
}

/// From now on no line may hold this text.
pub(super) fn keep_secret(text: &str) {
    recorded().texts.insert(text.to_owned());
}

/// Asserts that a line was logged that holds all of these.
pub(super) fn assert_logged(parts: &[&str]) {
    let holds_all = |line: &String| parts.iter().all(|part| line.contains(part));
    let found = recorded().lines.iter().any(holds_all);
    assert!(found, "no line says {parts:?}");
}

/// The lines that hold one of these.
pub(super) fn lines_with(parts: &[String]) -> Vec<String> {
    let holds_one = |line: &&String| parts.iter().any(|part| line.contains(part));
    recorded().lines.iter().filter(holds_one).cloned().collect()
}

/// Asserts that nothing secret was logged, by this test or any other until now.
pub(super) fn assert_discreet() {
    let recorded = recorded();
    let leak = recorded.lines.iter().find(|line| recorded.is_leak(line)).cloned();
    drop(recorded);
    assert_eq!(leak, None, "a line that holds a secret");
}

#[derive(Default)]
struct Recorded {
    /// Each line once, however often it was logged.
    lines: HashSet<String>,
    tokens: HashSet<String>,
    texts: HashSet<String>,
}

impl Recorded {
    fn is_leak(&self, line: &str) -> bool {
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        let holds_token = line.split(|c| !u8::try_from(c).is_ok_and(is_token)).any(|word| {
            let ends = TOKEN..=word.len();
            ends.into_iter().any(|end| self.tokens.contains(&word[end - TOKEN..end]))
        });
        holds_token || self.texts.iter().any(|text| line.contains(text))
    }
}

struct Recorder;

impl Log for Recorder {
    /// The crates below us trace every read and write, which is theirs to answer for.
    fn enabled(&self, metadata: &Metadata) -> bool {
        metadata.target().starts_with("bowline") || metadata.level() <= log::Level::Debug
    }

    fn log(&self, record: &Record) {
        if self.enabled(record.metadata()) {
            let line = format!("{} {}", record.level(), record.args());
            recorded().lines.insert(line);
        }
    }

    fn flush(&self) {}
}

fn recorded() -> MutexGuard<'static, Recorded> {
    static RECORDED: LazyLock<Mutex<Recorded>> = LazyLock::new(Mutex::default);
    RECORDED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Characters of 16 bytes in base64url.
const TOKEN: usize = 22;
