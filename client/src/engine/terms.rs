//! The types that an engine and its host exchange.

use std::fmt;
use std::time::Duration;

use bowline_protocol::{
    AnswerError, Attach, Buffers, Close, Form, Message, MessageKind, Millis, Open, OpenKey,
    ProtocolError, Secret, SessionConfig, SessionId, Time, Transmit,
};

use super::{Backoff, Cause, Refused, Transport};
use crate::status::Status;

/// The configuration of an engine.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// The transports in order of preference; not empty.
    pub transports: Vec<Transport>,
    /// How long to wait between rounds of attempts.
    pub backoff: Backoff,
    /// How long one attempt with one transport may take, up to the server's welcome. Defaults to 5
    /// s; while another transport is left to try, the client starts the next one after 1 s
    /// (WebSocket) or 2 s.
    pub connect_timeout: Millis,
    /// How long the client avoids a transport that failed while a lower one served, before it
    /// tries the transport again in the background. Defaults to 60 s. Each further failure
    /// doubles it, up to 16 times as long.
    pub trial_interval: Millis,
    /// The most bytes that wait for the server's confirmation. Defaults to 8 MiB.
    pub outbox_limit: usize,
    /// What the client does when the server no longer has the session.
    pub on_session_lost: OnSessionLost,
    /// How long the set-up of a new session may take, if the host performs one: see
    /// [`Output::SetUp`]. Defaults to `None`, no set-up.
    pub set_up: Option<Millis>,
    /// The same for a host that performs one later on: see
    /// [`Engine::perform_set_ups`](super::Engine::perform_set_ups). Defaults to 20 s.
    pub set_up_timeout: Millis,
}

/// What the client does when the server no longer has the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnSessionLost {
    /// Open a new session. It sends the packets that were never sent; requests that were sent end
    /// with [`RequestError::SessionLost`](crate::RequestError::SessionLost).
    #[default]
    Reopen,
    /// Close the client, because the application has to rebuild its state first.
    Stop,
}

/// The identity with which a client attaches.
#[derive(Debug, Clone)]
pub enum Identity {
    /// For a session that is yet to be opened. `None` means not known yet.
    Fresh {
        /// Generated once for each session.
        key: Option<OpenKey>,
        /// JSON for the server's connect hook; requested before each round of attempts.
        auth: Option<Box<str>>,
    },
    /// For an existing session.
    Known {
        /// The session.
        session: SessionId,
        /// The proof that the client owns it.
        secret: Secret,
    },
}

/// What the host must do, or pass on.
#[derive(Debug)]
pub enum Output<F: Form = Buffers> {
    /// Open a WebSocket, then call [`sent`](super::Engine::sent).
    Open,
    /// Send this. While it is in progress there is no second one on the same route.
    Send(Route, Outgoing<F>),
    /// Close the open connection, and cancel what is in progress on it.
    Drop,
    /// Open this transport beside the carrier, send the line of a heartbeat to check whether it
    /// works, and pass the result to [`tried`](super::Engine::tried). `None` ends the current
    /// trial.
    Trial(Option<Transport>),
    /// Continue the WebSocket that is being opened as a trial.
    Aside,
    /// The WebSocket of the trial becomes the carrier; drop the previous one.
    Adopt,
    /// Pass the client's identity to [`introduce`](super::Engine::introduce).
    Introduce,
    /// Set the new session up with [`send`](super::Engine::send), then call
    /// [`set_up`](super::Engine::set_up); everything else waits. With `false`: stop the set-up, the
    /// session is lost or the time is over.
    SetUp(bool),
    /// The server sent a message. An answer to a request refers to its `number`.
    Message {
        /// Event, request or volatile.
        kind: MessageKind,
        /// The packet's number; 0 for a volatile one.
        number: u64,
        /// The [`epoch`](super::Engine::epoch) of the session that received it, for the answer.
        epoch: u64,
        /// Its name and payload.
        message: Message<F>,
    },
    /// A request has ended. Each request ends exactly once.
    Answered {
        /// The id that [`request`](super::Engine::request) returned.
        request: u64,
        /// The reply, or why there is none.
        outcome: Result<F::Payload, AnswerError<F>>,
    },
    /// The round trip was measured.
    Measured,
    /// A finding about a transport: for diagnostics.
    Noted(Note),
    /// The new status of the client.
    Status(Status),
    /// The client has ended. No output follows.
    Over(Close),
    /// There is nothing to do before this moment or the next input.
    Wait(Option<Time>),
}

/// A finding about a transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Note {
    /// The kind. For a failure, [`last_failure`](super::Engine::last_failure) has the reason.
    pub finding: Finding,
    /// The transport.
    pub transport: Transport,
    /// Milliseconds that the attempt or the carrier lasted; for [`Finding::LeftAlone`], how long
    /// the client avoids the transport.
    pub millis: u64,
}

/// Kinds of [`Note`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// An attempt started.
    Tried,
    /// The WebSocket is still not open: it continues as a trial, beside the next transport.
    Slow,
    /// The attempt ended before the server's welcome.
    Failed,
    /// The server sent its welcome.
    Serves,
    /// The carrier ended after it had served.
    Lost,
    /// The client avoids the transport for this time.
    LeftAlone,
    /// A trial started beside the present carrier.
    Trial,
    /// The trial has shown that the transport does not work.
    TrialFailed,
    /// The trial has shown that the transport works: it becomes the carrier.
    Proven,
}

/// A transport that serves while better ones do not, and how long this remains valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// The transport that serves.
    pub transport: Transport,
    /// After this time the client tries better transports again.
    pub valid_for: Duration,
}

/// The route of an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// On the open WebSocket; then call [`sent`](super::Engine::sent).
    Socket,
    /// As the body that opens an SSE stream.
    Stream,
    /// As the body of the next long poll; then call [`polled`](super::Engine::polled).
    Poll,
    /// As the body of a POST; then call [`posted`](super::Engine::posted).
    Post,
}

/// One batch: a first line where one is needed, then packets.
#[derive(Debug)]
pub struct Outgoing<F: Form = Buffers> {
    /// The first line.
    pub line: Option<FirstLine>,
    /// The packets after it.
    pub packets: Vec<Transmit<F>>,
}

/// The line that names the session.
#[derive(Debug)]
pub enum FirstLine {
    /// Opens a session.
    Open(Open),
    /// Names a session that exists.
    Attach(Attach),
}

/// Why a carrier or an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The server closed it.
    Close(Close),
    /// Something other than a Bowline server seems to have responded.
    Protocol(ProtocolError),
    /// Something that is not a Bowline server, or stands before one, refused the request.
    Refused(Refused),
    /// The network failed, or something on the way; with a text for people.
    Lost(String),
}

impl EngineConfig {
    /// The defaults.
    #[must_use]
    pub fn new(transports: Vec<Transport>) -> Self {
        Self {
            transports,
            backoff: Backoff::default(),
            connect_timeout: Millis::from_secs(5),
            trial_interval: Millis::from_secs(60),
            outbox_limit: SessionConfig::client().outbox_limit,
            on_session_lost: OnSessionLost::default(),
            set_up: None,
            set_up_timeout: Millis::from_secs(20),
        }
    }
}

impl FirstLine {
    /// The line for the wire, with its secrets: never log it. Empty if it contains a character that
    /// no line may contain.
    #[must_use]
    pub fn reveal(&self) -> String {
        let mut line = String::new();
        let written = match self {
            Self::Open(open) => open.write_line(&mut line),
            Self::Attach(attach) => attach.write_line(&mut line),
        };
        written.map_or_else(|_| String::new(), |()| line)
    }

    /// The largest size that the line may have, in bytes.
    pub(super) fn most_bytes(&self) -> usize {
        match self {
            Self::Open(open) => FIXED + open.auth.len(),
            Self::Attach(_) => FIXED,
        }
    }
}

/// The largest size of a first line without authentication: ten pairs.
const FIXED: usize = 320;

impl Finding {
    /// True for an end that was not intended.
    #[must_use]
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::Lost | Self::TrialFailed)
    }

    /// True if it is evidence against its transport.
    #[must_use]
    pub const fn is_obstacle(self) -> bool {
        self.is_failure() || matches!(self, Self::Slow)
    }
}

impl Default for Identity {
    fn default() -> Self {
        Self::Fresh { key: None, auth: None }
    }
}

impl End {
    /// The cause of a refusal, if it is known.
    #[must_use]
    pub const fn cause(&self) -> Option<Cause> {
        match self {
            Self::Refused(refused) => Some(refused.cause),
            Self::Protocol(_) => Some(Cause::NotBowline),
            Self::Close(_) | Self::Lost(_) => None,
        }
    }

    /// The refusal, if it is one.
    #[must_use]
    pub fn refusal(&self) -> Option<Refused> {
        match self {
            Self::Refused(refused) => Some(refused.clone()),
            Self::Protocol(error) => Some(Refused::new(Cause::NotBowline, error.to_string())),
            Self::Close(_) | Self::Lost(_) => None,
        }
    }

    /// True if waiting does not repair it.
    pub(super) const fn is_lasting(&self) -> bool {
        matches!(self.cause(), Some(cause) if cause.is_lasting())
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Close(close) => close.fmt(f),
            Self::Protocol(error) => error.fmt(f),
            Self::Refused(refused) => refused.fmt(f),
            Self::Lost(words) => f.write_str(words),
        }
    }
}
