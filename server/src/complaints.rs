//! Log lines that a peer can cause as often as it likes: limited in rate, and with its text
//! escaped.

use std::collections::HashMap;
use std::fmt;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bowline_protocol::Time;

/// Decides which of the lines about messages of clients are written.
#[derive(Debug, Default)]
pub(crate) struct Complaints {
    tables: Mutex<Tables>,
}

#[derive(Debug, Default)]
struct Tables {
    /// The lines of this period, by the name of the event. Bounded, since clients choose the
    /// names.
    by_name: HashMap<Box<str>, Quota>,
    all: Quota,
    /// The lines about other things than events. The names are our own.
    by_kind: HashMap<&'static str, Quota>,
}

#[derive(Debug, Default)]
struct Quota {
    since: Option<Time>,
    written: u32,
    /// Lines that were suppressed, and that no later line has counted yet.
    suppressed: u64,
}

/// A line may be written; displays how many were suppressed since the last about the same.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Suppressed {
    here: u64,
    elsewhere: u64,
}

impl Complaints {
    /// `None` if there were enough lines about this event, or in all.
    pub(crate) fn admit(&self, name: &str, now: Time) -> Option<Suppressed> {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let Tables { by_name, all, .. } = &mut *tables;
        if by_name.len() >= NAMES && !by_name.contains_key(name) {
            by_name.retain(|_, quota| {
                let is_current = quota.is_current(now);
                all.suppressed += if is_current { 0 } else { quota.suppressed };
                is_current
            });
        }
        if by_name.len() >= NAMES && !by_name.contains_key(name) {
            // Somebody invents names: they share what is left for all.
            return all.admit(IN_ALL, now).map(|elsewhere| Suppressed { here: 0, elsewhere });
        }
        let quota = by_name.entry(name.into()).or_default();
        let here = quota.admit(FOR_NAME, now)?;
        let Some(elsewhere) = all.admit(IN_ALL, now) else {
            quota.suppressed = here;
            return None;
        };
        Some(Suppressed { here, elsewhere })
    }
}

impl Complaints {
    /// `None` if there were enough lines of this kind. Each kind has its own limit, so that a peer
    /// that fills one suppresses no other.
    pub(crate) fn admit_kind(
        &self,
        kind: &'static str,
        limit: u32,
        now: Time,
    ) -> Option<Suppressed> {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let here = tables.by_kind.entry(kind).or_default().admit(limit, now)?;
        Some(Suppressed { here, elsewhere: 0 })
    }
}

impl Quota {
    /// How many were suppressed since the last that was written, if one more may be.
    fn admit(&mut self, limit: u32, now: Time) -> Option<u64> {
        if !self.is_current(now) {
            (self.since, self.written) = (Some(now), 0);
        }
        if self.written == limit {
            self.suppressed += 1;
            return None;
        }
        self.written += 1;
        Some(std::mem::take(&mut self.suppressed))
    }

    fn is_current(&self, now: Time) -> bool {
        self.since.is_some_and(|since| now < since + PERIOD)
    }
}

impl fmt::Display for Suppressed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.here > 0 {
            write!(f, " ({} more like this were not logged)", self.here)?;
        }
        if self.elsewhere > 0 {
            write!(f, " ({} about other events were not logged)", self.elsewhere)?;
        }
        Ok(())
    }
}

/// The limit of one place in the code, where no node is known: see
/// [`limited`](crate::complaints::limited).
#[derive(Debug)]
pub(crate) struct Here(Mutex<Quota>);

impl Here {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Quota { since: None, written: 0, suppressed: 0 }))
    }

    /// `None` if there were enough lines of this place.
    pub(crate) fn admit(&self) -> Option<Suppressed> {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        let now = Time::ZERO + START.elapsed();
        let mut quota = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        quota.admit(WARNINGS, now).map(|here| Suppressed { here, elsewhere: 0 })
    }
}

/// Like `log::error!`, or like `log::warn!` after `warn:`, for faults of the application or a
/// broker that a peer can cause as often as it likes.
macro_rules! limited {
    (warn: $($what:tt)+) => { $crate::complaints::limited!(@ Warn, $($what)+) };
    (@ $level:ident, $($what:tt)+) => {{
        static HERE: $crate::complaints::Here = $crate::complaints::Here::new();
        if log::log_enabled!(log::Level::$level) && let Some(suppressed) = HERE.admit() {
            log::log!(log::Level::$level, "{}{suppressed}", format_args!($($what)+));
        }
    }};
    ($($what:tt)+) => { $crate::complaints::limited!(@ Error, $($what)+) };
}
pub(crate) use limited;

/// Text of a peer for the log: at most 100 characters, with control characters escaped.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Foreign<'a>(pub(crate) &'a str);

impl fmt::Display for Foreign<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_cut(self.0, LONGEST, f)
    }
}

/// An error of the application or below it: longer, and made as harmless.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quoted<T>(pub(crate) T);

impl<T: fmt::Display> fmt::Display for Quoted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_cut(&self.0.to_string(), LONGEST_ERROR, f)
    }
}

fn write_cut(text: &str, longest: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let Some((end, _)) = text.char_indices().nth(longest) else {
        return write!(f, "{text:?}");
    };
    write!(f, "{:?}…", &text[..end])
}

/// Lines of one kind in a period: warnings about what a peer does, and what an operator follows
/// sessions by.
pub(crate) const WARNINGS: u32 = 20;
pub(crate) const NOTES: u32 = 1000;
/// Characters of an error of the application, which may quote a peer.
const LONGEST_ERROR: usize = 1000;
/// Lines about one event in a period.
const FOR_NAME: u32 = 1;
/// Lines in a period about all events.
const IN_ALL: u32 = 20;
const PERIOD: Duration = Duration::from_secs(10);
/// The most events that are counted separately.
const NAMES: usize = 256;
/// The most characters of a peer's text.
const LONGEST: usize = 100;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bowline_protocol::Time;

    use super::{Complaints, Foreign, IN_ALL, NAMES, PERIOD, WARNINGS};

    fn said(complaints: &Complaints, name: &str, now: Time) -> Option<String> {
        complaints.admit(name, now).map(|suppressed| suppressed.to_string())
    }

    #[test]
    fn an_event_is_complained_of_once_in_a_period_and_the_rest_is_counted() {
        let (complaints, now) = (Complaints::default(), Time::ZERO);
        assert_eq!(said(&complaints, "a", now).as_deref(), Some(""));
        for _ in 0..37 {
            assert_eq!(said(&complaints, "a", now), None);
        }
        assert_eq!(said(&complaints, "b", now).as_deref(), Some(""), "others are heard");
        assert_eq!(said(&complaints, "a", now + (PERIOD - Duration::from_millis(1))), None);
        let later = said(&complaints, "a", now + PERIOD);
        assert_eq!(later.as_deref(), Some(" (38 more like this were not logged)"));
        assert_eq!(said(&complaints, "a", now + PERIOD * 2).as_deref(), Some(""));
    }

    #[test]
    fn whoever_invents_names_fills_neither_the_log_nor_the_memory() {
        let (complaints, now) = (Complaints::default(), Time::ZERO);
        let invented = (0..10_000).filter(|n| said(&complaints, &format!("{n}"), now).is_some());
        assert_eq!(invented.count(), IN_ALL as usize);
        assert!(complaints.tables.lock().unwrap().by_name.len() <= NAMES);
        let later = said(&complaints, "new", now + PERIOD).unwrap();
        assert!(later.contains("about other events were not logged"), "{later}");
    }

    #[test]
    fn text_of_a_peer_is_cut_and_escaped() {
        assert_eq!(Foreign("plain").to_string(), "\"plain\"");
        assert_eq!(Foreign("a\n\u{1b}[2Jb\"").to_string(), "\"a\\n\\u{1b}[2Jb\\\"\"");
        let long = "ü".repeat(101);
        assert_eq!(Foreign(&long).to_string(), format!("\"{}\"…", "ü".repeat(100)));
    }

    #[test]
    fn whoever_fills_one_kind_silences_no_other() {
        let (complaints, now) = (Complaints::default(), Time::ZERO);
        let told = &complaints;
        let said =
            |kind| (0..1_000).filter(move |_| told.admit_kind(kind, WARNINGS, now).is_some());
        assert_eq!(said("a").count(), WARNINGS as usize);
        assert_eq!(said("b").count(), WARNINGS as usize);
        let later = complaints.admit_kind("a", WARNINGS, now + PERIOD).unwrap().to_string();
        assert_eq!(later, " (980 more like this were not logged)");
    }
}
