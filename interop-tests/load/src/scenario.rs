//! What is measured.

use serde_json::Value;

use crate::check::{Beside, Check};
use crate::dialect::{Role, Transport};
use crate::fleet::{Fleet, Traffic};
use crate::measure::{self, AT_ONCE, MEMBERS, measure, room, text};
use crate::target::Target;

/// One kind of load.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// As the command line names it.
    pub name: &'static str,
    /// What it is, for a table.
    pub title: &'static str,
    /// The figure that is compared, a key of the result.
    pub figure: &'static str,
    /// What that figure is called in a table.
    pub unit: &'static str,
    kind: Kind,
    /// What must hold of it.
    pub(crate) checks: &'static [Check],
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    /// Requests that are answered with their own payload.
    Echo { transport: Transport, clients: usize, window: usize, payload: usize, role: Role },
    /// One client speaks to a room of 1,000.
    FanOut { transport: Transport, window: u64 },
    /// Nobody says anything.
    Idle,
    /// Many connect at once.
    Connect,
    /// Many are cut off at once and come back.
    Resume,
    /// A room in which one member reads nothing.
    Slow,
}

impl Scenario {
    pub(crate) const fn transport(&self) -> Transport {
        match self.kind {
            Kind::Echo { transport, .. } | Kind::FanOut { transport, .. } => transport,
            Kind::Idle | Kind::Connect | Kind::Resume | Kind::Slow => Transport::WebSocket,
        }
    }

    /// True if it needs sessions that outlive their connections.
    pub(crate) const fn needs_sessions(&self) -> bool {
        matches!(self.kind, Kind::Resume)
    }

    pub(crate) fn run(&self, target: &Target<'_>) -> Result<Value, String> {
        let mut fleet = Fleet::new(target.server)?;
        let figures = match self.kind {
            Kind::Echo { transport, clients, window, payload, role } => {
                fleet.connect(clients, AT_ONCE, transport, target.dialect, role)?;
                let payload = text(payload);
                let traffic = Traffic::Requests { window, payload: &payload };
                fleet.run(target.warm_up, traffic)?;
                measure(&mut fleet, target, |fleet| fleet.run(target.time, traffic))?
            }
            Kind::FanOut { transport, window } => {
                room(&mut fleet, target, transport, MEMBERS)?;
                let publish = |fleet: &mut Fleet, time| {
                    fleet.publish(time, window, MEMBERS as u64, &mut text(64))
                };
                publish(&mut fleet, target.warm_up)?;
                measure(&mut fleet, target, |fleet| publish(fleet, target.time))?
            }
            Kind::Idle => measure::idle(&mut fleet, target, measure::IDLE)?,
            Kind::Connect => measure::connect(&mut fleet, target)?,
            Kind::Resume => measure::resume(&mut fleet, target)?,
            Kind::Slow => measure::slow(&mut fleet, target)?,
        };
        Ok(Value::Object(figures))
    }
}

const fn echo(
    name: &'static str,
    title: &'static str,
    transport: Transport,
    window: usize,
    payload: usize,
    checks: &'static [Check],
) -> Scenario {
    let role = Role::Caller;
    let kind = Kind::Echo { transport, clients: 64, window, payload, role };
    Scenario { name, title, figure: "cpu", unit: CPU, kind, checks }
}

/// 16 in flight, each in a frame of its own: as of clients that join nothing.
const fn apart(
    name: &'static str,
    title: &'static str,
    payload: usize,
    checks: &'static [Check],
) -> Scenario {
    let (transport, role) = (WebSocket, Role::Apart);
    let kind = Kind::Echo { transport, clients: 64, window: 16, payload, role };
    Scenario { name, title, figure: "cpu", unit: CPU, kind, checks }
}

const fn fan_out(
    name: &'static str,
    title: &'static str,
    transport: Transport,
    window: u64,
    checks: &'static [Check],
) -> Scenario {
    let kind = Kind::FanOut { transport, window };
    Scenario { name, title, figure: "cpu", unit: CPU, kind, checks }
}

/// CPU for each message, beside socketioxide's.
const fn cpu(at_most: f64) -> Check {
    let beside = Beside::Peer("socketioxide");
    Check { title: "CPU beside socketioxide", figure: "cpu", scale: 1.0, beside, at_most }
}

use Transport::{Events, Polling, WebSocket};

/// All of them, in the order of a table.
pub const SCENARIOS: &[Scenario] = &[
    echo("echo", "echo, 64 B, 16 in flight", WebSocket, 16, 64, &[cpu(0.50)]),
    echo("echo-1", "echo, 64 B, 1 in flight", WebSocket, 1, 64, &[cpu(0.92)]),
    echo("echo-1k", "echo, 1 KiB, 16 in flight", WebSocket, 16, 1024, &[cpu(0.40)]),
    apart("echo-apart", "echo, 64 B, 16 in flight, a frame each", 64, &[cpu(0.60)]),
    apart("echo-apart-1k", "echo, 1 KiB, 16 in flight, a frame each", 1024, &[cpu(0.60)]),
    fan_out("fanout", "fan-out to 1,000, 16 in flight", WebSocket, 16, &[cpu(0.51)]),
    fan_out("fanout-1", "fan-out to 1,000, 1 in flight", WebSocket, 1, &[cpu(0.72)]),
    echo("polling", "echo by polling, 16 in flight", Polling, 16, 64, &[cpu(0.59)]),
    echo("polling-1", "echo by polling, 1 in flight", Polling, 1, 64, &[cpu(0.94)]),
    fan_out("sse", "fan-out to 1,000 event streams, 16 in flight", Events, 16, &[]),
    Scenario {
        name: "idle",
        title: "10,000 idle connections",
        figure: "memory",
        unit: "bytes of memory each",
        kind: Kind::Idle,
        checks: &[Check {
            title: "bytes of memory each",
            figure: "memory",
            scale: 1.0,
            beside: Beside::Nothing,
            at_most: 12_500.0,
        }],
    },
    Scenario {
        name: "active",
        title: "5,000 connections, 1 KiB, 4 in flight",
        figure: "resident",
        unit: "bytes of memory in all",
        kind: Kind::Echo {
            transport: WebSocket,
            clients: 5_000,
            window: 4,
            payload: 1024,
            role: Role::Caller,
        },
        checks: &[Check {
            title: "KiB of memory each",
            figure: "resident",
            scale: 1.0 / 5_000.0 / 1024.0,
            beside: Beside::Nothing,
            at_most: 38.0,
        }],
    },
    Scenario {
        name: "connect",
        title: "5,000 connect at once",
        figure: "cpu",
        unit: "µs of server CPU each",
        kind: Kind::Connect,
        checks: &[],
    },
    Scenario {
        name: "resume",
        title: "5,000 sessions cut at once come back",
        figure: "cpu",
        unit: "µs of server CPU each",
        kind: Kind::Resume,
        checks: &[
            Check {
                title: "CPU beside connecting",
                figure: "cpu",
                scale: 1.0,
                beside: Beside::Scenario("connect"),
                at_most: 2.0,
            },
            Check {
                title: "seconds until 99 of 100 are back",
                figure: "p99",
                scale: 1e-6,
                beside: Beside::Nothing,
                at_most: 2.0,
            },
            Check {
                title: "memory afterwards beside before",
                figure: "resident_ratio",
                scale: 1.0,
                beside: Beside::Nothing,
                at_most: 1.1,
            },
            Check {
                title: "memory after a second time beside after the first",
                figure: "resident_again_ratio",
                scale: 1.0,
                beside: Beside::Nothing,
                at_most: 1.02,
            },
        ],
    },
    Scenario {
        name: "slow",
        title: "one of 1,000 reads nothing",
        figure: "p99",
        unit: "µs until the others have a message, p99",
        kind: Kind::Slow,
        checks: &[
            Check {
                title: "p99 of the others beside without it",
                figure: "p99_ratio",
                scale: 1.0,
                beside: Beside::Nothing,
                at_most: 1.1,
            },
            Check {
                title: "MiB held for it",
                figure: "held",
                scale: 1.0 / 1024.0 / 1024.0,
                beside: Beside::Nothing,
                at_most: 4.0,
            },
        ],
    },
];

const CPU: &str = "µs of server CPU a message";
