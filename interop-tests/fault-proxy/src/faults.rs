//! What can go wrong.

mod words;

use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{Parser, ValueEnum};

use words::{answers, duration, duration_and_cut, header, refusal, upgrade};

/// How a network behaves. The default is one without a fault.
///
/// Faults that speak of requests and answers see HTTP/1.1 up to the first chunked request or
/// upgrade of a connection; what follows one of these is passed on as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Parser)]
#[command(after_help = "Durations are such as 25ms or 5s.")]
pub struct Faults {
    /// How long bytes take in each direction. A connection takes a round trip more to be made, as
    /// over such a distance.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    #[arg(default_value = "0s", hide_default_value = true)]
    pub delay: Duration,
    /// Up to so much more at random. Order is kept.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    #[arg(default_value = "0s", hide_default_value = true)]
    pub jitter: Duration,
    /// Bytes a second that pass in each direction, all connections together.
    #[arg(long, value_name = "BYTES")]
    pub rate: Option<u64>,
    /// New connections are reset as soon as they are made.
    #[arg(long)]
    pub refuse_connections: bool,
    /// So many connections at a time are served; others wait until one ends.
    #[arg(long, value_name = "N")]
    pub connections: Option<usize>,
    /// A connection without a byte in either direction for so long is ended this way.
    #[arg(long, value_name = "DURATION[,reset|finish|vanish]", value_parser = duration_and_cut)]
    pub idle: Option<(Duration, Cut)>,
    /// What comes in this direction is swallowed, and nobody is told: connections stay open. One
    /// that lost bytes stays mute for ever, because TCP never delivers a stream with a hole.
    #[arg(long, value_enum)]
    pub mute: Option<Direction>,
    /// What becomes of requests with an `Upgrade` header.
    #[arg(long, default_value = "pass", value_parser = upgrade)]
    #[arg(value_name = "pass|refuse=STATUS|swallow|kill=DURATION[,CUT]|mute=up|down|both")]
    pub upgrade: Upgrade,
    /// Requests that are not POST do not get through.
    #[arg(long, value_name = "refuse=STATUS|swallow", value_parser = refusal)]
    pub only_posts: Option<Refusal>,
    /// How answers are held back.
    #[arg(long, default_value = "pass", value_parser = answers)]
    #[arg(value_name = "pass|buffer=BYTES|whole|hold-last")]
    pub answers: Answers,
    /// The connection of the next request is closed when so many bytes of the answer's body have
    /// passed, chunk headers included; once.
    #[arg(long, value_name = "BYTES")]
    pub cut_mid_body: Option<usize>,
    /// A copy of each POST with a body of at most 64 KiB is sent to the server, so long after the
    /// POST itself, on a connection of its own. The answer to it is thrown away.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub replay_posts: Option<Duration>,
    /// Every other POST is held until the next one has passed, and so long at most.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub reorder_posts: Option<Duration>,
    /// Speaks HTTP/1.0 both ways, as old proxies do: no upgrade, one request for each connection.
    #[arg(long = "http-1.0")]
    pub http_1_0: bool,
    /// Headers that are taken out of requests and answers.
    #[arg(long, value_name = "HEADER", value_parser = NonEmptyStringValueParser::new())]
    pub strip: Vec<String>,
    /// Headers that are put into requests and answers, in place of those of the same name.
    #[arg(long, value_name = "NAME: VALUE", value_parser = header)]
    pub set: Vec<(String, String)>,
    /// The names of cookies get this in front on the way down, and do not lose it on the way up.
    #[arg(long, value_name = "PREFIX", value_parser = NonEmptyStringValueParser::new())]
    pub rename_cookies: Option<String>,
}

/// How a connection is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Cut {
    /// With an RST: both peers get an error at once.
    Reset,
    /// With a FIN: both peers read the end of the stream, and an error if they write more.
    Finish,
    /// Half-open: the server gets an RST, the client hears nothing ever again.
    Vanish,
}

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Direction {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
    /// Either way.
    Both,
}

/// What becomes of a WebSocket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Upgrade {
    /// It passes.
    #[default]
    Pass,
    /// It does not get as far as the server.
    Refuse(Refusal),
    /// It is agreed to, and ended so long after that.
    Kill(Duration, Cut),
    /// It is agreed to, and then one direction hears nothing, or both.
    Mute(Direction),
}

/// How a request is refused without asking the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It is answered with this status and a page of HTML.
    Status(u16),
    /// It is never answered.
    Silence,
}

/// How an answer is held back. WebSockets are not answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Answers {
    /// It is passed on as it comes.
    #[default]
    Pass,
    /// Nothing of it passes before so many bytes of the body are there, or all.
    Buffer(usize),
    /// Nothing of it passes before it is complete.
    Whole,
    /// What came last waits for what comes next, or for the end.
    HoldLast,
}

impl Direction {
    pub(crate) fn includes(self, other: Self) -> bool {
        self == Self::Both || self == other
    }
}
