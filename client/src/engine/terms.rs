//! The words in which an engine and its host talk.

use std::fmt;
use std::time::Duration;

use bowline_protocol::{
    AnswerError, Buffers, Close, Form, Message, MessageKind, Millis, OpenKey, ProtocolError,
    Secret, SessionConfig, SessionId, Time, Transmit,
};

use super::{Backoff, Cause, Refused, Transport};
use crate::status::Status;

/// What an engine is told once.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// In order of preference; not empty.
    pub transports: Vec<Transport>,
    /// How long to wait between rounds of attempts.
    pub backoff: Backoff,
    /// How long one attempt with one transport may take, up to the server's welcome. Defaults to 5 s;
    /// while another transport is left to try, the next one starts after 1 s (WebSocket) or 2 s.
    pub connect_timeout: Millis,
    /// How long a transport that failed where a lower one served is left alone before it is tried again
    /// in the background. Defaults to 60 s. Each further failure doubles it, up to 16 times as long.
    pub trial_interval: Millis,
    /// Bytes that wait to be confirmed by the server at most. Defaults to 8 MiB.
    pub outbox_limit: usize,
    /// What follows when the server no longer has the session.
    pub on_session_lost: OnSessionLost,
    /// How long the set-up of a new session may take, if the host does that: see [`Output::SetUp`]. Defaults to
    /// `None`, which needs none.
    pub set_up: Option<Millis>,
}

/// What follows when the server no longer has the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnSessionLost {
    /// Open a new session. What was never sent goes out there; requests that were sent end with
    /// [`RequestError::SessionLost`](crate::RequestError::SessionLost).
    #[default]
    Reopen,
    /// Close the client, because the application has to rebuild its state first.
    Stop,
}

/// As whom a client attaches.
#[derive(Debug, Clone)]
pub enum Identity {
    /// To a session that is still to be opened. What is `None` is not known yet.
    Fresh {
        /// Drawn once for each session.
        key: Option<OpenKey>,
        /// JSON for the server's connect hook; asked before each round of attempts.
        auth: Option<Box<str>>,
    },
    /// To one that exists.
    Known {
        /// Which.
        session: SessionId,
        /// The proof that it is ours.
        secret: Secret,
    },
}

/// What the host has to do, or to hand on.
#[derive(Debug)]
pub enum Output<F: Form = Buffers> {
    /// Open a WebSocket, then say [`sent`](super::Engine::sent).
    Open,
    /// Send this. While it is under way there is no second one on the same route.
    Send(Route, Outgoing<F>),
    /// Close whatever is open, and forget what is under way on it.
    Drop,
    /// Open this transport beside the carrier, ask it with the line of a heartbeat whether it works, and say
    /// with [`tried`](super::Engine::tried) what came of it. `None` ends the trial under way.
    Trial(Option<Transport>),
    /// Let the WebSocket that is being opened go on as a trial.
    Aside,
    /// The WebSocket of the trial is the carrier from now on; drop the one before.
    Adopt,
    /// Say who we are with [`introduce`](super::Engine::introduce).
    Introduce,
    /// Set the new session up with [`send`](super::Engine::send), then say [`set_up`](super::Engine::set_up); everything else
    /// waits. With `false`: go on with that no longer, the session is lost or the time is over.
    SetUp(bool),
    /// The server sent a message. `number` is what answers a request.
    Message {
        /// Event, request or volatile.
        kind: MessageKind,
        /// The packet's number; 0 for a volatile one.
        number: u64,
        /// The [`epoch`](super::Engine::epoch) of the session that it came in, to answer it there.
        epoch: u64,
        /// What it says.
        message: Message<F>,
    },
    /// A request is over, for the one and only time.
    Answered {
        /// Which: what [`request`](super::Engine::request) returned.
        request: u64,
        /// How.
        outcome: Result<F::Payload, AnswerError<F>>,
    },
    /// The round trip was measured.
    Measured,
    /// What the engine has found out about a transport: for diagnostics.
    Noted(Note),
    /// Where the client stands now.
    Status(Status),
    /// Nothing follows.
    Over(Close),
    /// There is nothing to do before this moment, or before something comes in.
    Wait(Option<Time>),
}

/// What an engine has found out about a transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Note {
    /// What. If that is a failure, [`last_failure`](super::Engine::last_failure) says what it met.
    pub finding: Finding,
    /// About which.
    pub transport: Transport,
    /// Milliseconds that it took, or will take for [`Finding::LeftAlone`].
    pub millis: u64,
}

/// Kinds of [`Note`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// An attempt begins.
    Tried,
    /// The WebSocket is still not open: it goes on as a trial, beside the next transport.
    Slow,
    /// The attempt ended before the server's welcome.
    Failed,
    /// The server's welcome came.
    Serves,
    /// The carrier ended after it had served.
    Lost,
    /// It is not tried again before this time is over.
    LeftAlone,
    /// A trial begins beside the carrier that serves.
    Trial,
    /// The trial found that it does not work.
    TrialFailed,
    /// The trial found that it works: it takes over.
    Proven,
}

/// That a transport serves where better ones do not, and for how long that is to be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// The transport that serves.
    pub transport: Transport,
    /// After this time better ones are tried again.
    pub valid_for: Duration,
}

/// Where something is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// Through the open WebSocket; then say [`sent`](super::Engine::sent).
    Socket,
    /// As the body that opens an SSE stream.
    Stream,
    /// As the body of the next long poll; then say [`polled`](super::Engine::polled).
    Poll,
    /// As the body of a POST; then say [`posted`](super::Engine::posted).
    Post,
}

/// What goes out together: a first line where one is needed, then packets.
#[derive(Debug)]
pub struct Outgoing<F: Form = Buffers> {
    /// The first line.
    pub line: Option<String>,
    /// What follows it.
    pub packets: Vec<Transmit<F>>,
}

/// Why a carrier or an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The server said so.
    Close(Close),
    /// Something else than a server of ours seems to have answered.
    Protocol(ProtocolError),
    /// Something that is no server of ours, or stands before it, refused what was asked.
    Refused(Refused),
    /// The network, or something between; in words for a person.
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
        }
    }
}

impl Finding {
    /// True if something ended that should not have.
    #[must_use]
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::Lost | Self::TrialFailed)
    }

    /// True if it speaks against its transport.
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
    /// What refused the attempt, if that is known.
    #[must_use]
    pub const fn cause(&self) -> Option<Cause> {
        match self {
            Self::Refused(refused) => Some(refused.cause),
            Self::Protocol(_) => Some(Cause::NotBowline),
            Self::Close(_) | Self::Lost(_) => None,
        }
    }

    /// The refusal that it is, if it is one.
    #[must_use]
    pub fn refusal(&self) -> Option<Refused> {
        match self {
            Self::Refused(refused) => Some(refused.clone()),
            Self::Protocol(error) => Some(Refused::new(Cause::NotBowline, error.to_string())),
            Self::Close(_) | Self::Lost(_) => None,
        }
    }

    /// True if waiting does not mend it.
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
