//! What the client has found out about its network, as a text for administrators.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use bowline_protocol::Time;

use crate::Transport;
use crate::endpoint::Endpoint;
use crate::engine::{Cause, End, Finding, Note};
use crate::status::Status;

/// The transports that the client has tried, the result of each attempt, and why the present
/// transport was chosen.
///
/// Its [`Display`](fmt::Display) is a text for an administrator. It contains the URL of the server
/// and no secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostics {
    /// The URL of the mount point.
    pub url: String,
    /// The status of the client.
    pub status: Status,
    /// The findings, oldest first; 64 at most.
    pub found: Vec<Found>,
}

/// A finding about a transport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The time since the client was built.
    pub at: Duration,
    /// The transport.
    pub transport: Transport,
    /// The kind of finding.
    pub finding: Finding,
    /// How long the attempt or the carrier lasted; for [`Finding::LeftAlone`], how long the client
    /// avoids the transport.
    pub time: Duration,
    /// Why it failed, as a text for people.
    pub why: Option<String>,
    /// The cause of a refusal, if it is known.
    pub cause: Option<Cause>,
}

/// The latest findings of a client.
#[derive(Debug)]
pub(crate) struct Log {
    begin: Time,
    found: VecDeque<Found>,
}

impl Log {
    pub(crate) const fn new(begin: Time) -> Self {
        Self { begin, found: VecDeque::new() }
    }

    pub(crate) fn push(&mut self, note: Note, why: Option<&End>, now: Time) {
        if self.found.len() == LONGEST {
            self.found.pop_front();
        }
        let Note { finding, transport, millis } = note;
        let why = why.filter(|_| finding.is_failure());
        let (why, cause) = (why.map(ToString::to_string), why.and_then(End::cause));
        let (at, time) = (now - self.begin, Duration::from_millis(millis));
        self.found.push_back(Found { at, transport, finding, time, why, cause });
    }

    pub(crate) fn report(&self, endpoint: &Endpoint, status: Status) -> Diagnostics {
        let found = self.found.iter().cloned().collect();
        Diagnostics { url: endpoint.to_string(), status, found }
    }
}

impl Diagnostics {
    /// Why each transport better than the present one does not serve, as far as the client knows.
    fn obstacles(&self) -> impl Iterator<Item = &Found> {
        let present = match self.status {
            Status::Connected { transport, .. } => Some(transport),
            _ => None,
        };
        let all = [Transport::WebSocket, Transport::Sse, Transport::Polling];
        all.into_iter().take_while(move |transport| Some(*transport) != present).filter_map(
            |transport| {
                let mut latest = self.found.iter().rev();
                latest.find(|found| found.transport == transport && found.finding.is_obstacle())
            },
        )
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.status {
            Status::Connected { transport, .. } => {
                writeln!(f, "{}: connected over {transport}.", self.url)?;
            }
            _ => writeln!(f, "{}: not connected.", self.url)?,
        }
        for found in self.obstacles() {
            let Found { transport, cause, .. } = found;
            write!(f, "{transport} is not used: it {found}.")?;
            // A cause that affects every transport does not concern this one.
            let is_own = match cause {
                Some(cause) => self.status.is_connected() && cause.may_concern_transport(),
                None => true,
            };
            writeln!(f, "{}", if is_own { need(*transport) } else { "" })?;
        }
        for found in &self.found {
            let (at, transport) = (found.at.as_secs_f64(), found.transport.to_string());
            writeln!(f, "{at:>9.3} s  {transport:<9}  {found}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Found {
    /// Describes the finding: `failed after 102 ms: the server answered with the status 403`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.finding {
            Finding::Tried => return f.write_str("is tried"),
            Finding::Trial => return f.write_str("is tried again beside the present one"),
            Finding::Slow => "had not opened after",
            Finding::Failed => "failed after",
            Finding::Serves => "serves after",
            Finding::Lost => "was lost after",
            Finding::LeftAlone => "is left alone for",
            Finding::TrialFailed => "failed again after",
            Finding::Proven => "has proven itself and takes over after",
        })?;
        let millis = self.time.as_millis();
        if millis < 10_000 {
            write!(f, " {millis} ms")?;
        } else {
            write!(f, " {} s", millis / 1000)?;
        }
        self.why.as_ref().map_or(Ok(()), |why| write!(f, ": {why}"))
    }
}

/// What an administrator must change for this transport.
const fn need(transport: Transport) -> &'static str {
    match transport {
        Transport::WebSocket => {
            " It needs every proxy on the way to pass the headers Upgrade and Connection of GET \
             requests to /ws below this address, and to leave the connection open."
        }
        Transport::Sse => {
            " It needs every proxy on the way to pass on responses of /sse below this address as \
             they arrive, without buffering them."
        }
        Transport::Polling => {
            " It needs POST requests to /poll and /post below this address, which may take as long \
             as the server's heartbeat."
        }
    }
}

/// The most findings that are stored.
const LONGEST: usize = 64;

#[cfg(test)]
mod tests {
    use super::{Cause, Duration, End, Endpoint, Finding, Log, Note, Status, Time, Transport};
    use crate::engine::Refused;

    const fn note(finding: Finding, transport: Transport, millis: u64) -> Note {
        Note { finding, transport, millis }
    }

    #[test]
    fn a_report_says_why_a_better_transport_is_not_used_and_what_it_needs() {
        let mut log = Log::new(Time::from_millis(500));
        let refused = End::Refused(Refused::new(Cause::Forbidden, "HTTP 403"));
        let notes = [
            note(Finding::Tried, Transport::WebSocket, 0),
            note(Finding::Failed, Transport::WebSocket, 102),
            note(Finding::Tried, Transport::Sse, 0),
            note(Finding::Serves, Transport::Sse, 98),
            note(Finding::LeftAlone, Transport::WebSocket, 60_000),
        ];
        for (index, note) in notes.into_iter().enumerate() {
            log.push(note, Some(&refused), Time::from_millis(500 + 100 * index as u64));
        }
        let endpoint = Endpoint::parse("https://chat.example/bowline").unwrap();
        let status = Status::Connected { transport: Transport::Sse, resumed: false };
        let text = log.report(&endpoint, status).to_string();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0], "https://chat.example/bowline: connected over sse.");
        assert!(lines[1].starts_with(
            "websocket is not used: it failed after 102 ms: HTTP 403: something before the server \
             forbids"
        ));
        assert!(lines[1].contains(". It needs every proxy on the way to pass the headers Upgrade"));
        assert!(lines[3].starts_with("    0.100 s  websocket  failed after 102 ms: HTTP 403: "));
        assert_eq!(lines[6], "    0.400 s  websocket  is left alone for 60 s");
        assert_eq!(lines.len(), 7);
    }

    #[test]
    fn advice_follows_the_cause_when_nothing_serves() {
        let mut log = Log::new(Time::ZERO);
        let refused = End::Refused(Refused::new(Cause::NotFound, "HTTP 404"));
        log.push(note(Finding::Failed, Transport::Sse, 5), Some(&refused), Time::ZERO);
        let status = Status::Waiting { retry_in: Duration::ZERO };
        let text = log.report(&Endpoint::default(), status).to_string();
        assert!(text.contains("there is no Bowline server at this path"), "{text}");
        assert!(!text.contains("proxy on the way"), "{text}");
    }

    #[test]
    fn the_oldest_findings_go_first() {
        let mut log = Log::new(Time::ZERO);
        for millis in 0..100 {
            let note = note(Finding::Tried, Transport::Sse, millis);
            log.push(note, None, Time::from_millis(millis));
        }
        let found = log.report(&Endpoint::default(), Status::Idle).found;
        assert_eq!((found.len(), found[0].time), (64, Duration::from_millis(36)));
    }
}
