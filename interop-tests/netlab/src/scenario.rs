//! What a row of the table is made of.

use std::time::Duration;

use bowline_fault_proxy::{Counters, Cut, Faults};

/// A network, what breaks in it, and what is promised.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) network: Network,
    pub(crate) fault: Fault,
    /// How it shows that the network did what its name says.
    pub(crate) proof: Proof,
    /// How everybody is set: heartbeat and grace in milliseconds. Everybody's own defaults unless
    /// set.
    pub(crate) heartbeat: Option<(u64, u64)>,
    /// How often each end says something; 50 ms unless set.
    pub(crate) tick: Option<Duration>,
    /// How long it goes on before the fault, or at all.
    pub(crate) calm: Duration,
    /// How long it is watched after it has recovered.
    pub(crate) watch: Duration,
    pub(crate) bounds: Bounds,
    /// Beside the native client.
    pub(crate) clients: &'static [Who],
    /// Part of the short run.
    pub(crate) quick: bool,
}

/// What stands between client and server.
#[derive(Debug, Clone)]
pub(crate) enum Network {
    /// The words of `fault-proxy`.
    Proxy(&'static str),
    /// A proxy in front of so many server processes, which the client takes for the server. Before
    /// it stands a fault proxy with these words.
    Front { middlebox: Middlebox, words: &'static str, servers: usize, tls: bool },
    /// A proxy that the client is told of.
    Forward { middlebox: Middlebox, words: &'static str },
    /// Two network namespaces and a cable; these commands are run first. `$C` and `$S` name them.
    Namespaces(&'static [&'static str]),
}

/// A program and the name of its configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Middlebox {
    pub(crate) program: &'static str,
    pub(crate) config: &'static str,
}

/// What happens once messages flow.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    None,
    /// Every connection is cut.
    Cut(Cut),
    /// These words are in force for so long. Recovery counts from their beginning.
    Moment(&'static str, Duration),
    /// The same; recovery counts from their end.
    Outage(&'static str, Duration),
    /// The network has no fault any more. Recovery is the way back to a WebSocket.
    Heal,
    /// The client's process is stopped for so long, and its connections die meanwhile.
    Sleep(Duration),
    /// Commands as for [`Network::Namespaces`], and others after so long. Recovery counts from
    /// these.
    Commands(&'static [&'static str], Duration, &'static [&'static str]),
    /// The kernel kills the server's connections in its namespace.
    KillSockets,
}

/// How it shows that a network did what its name says. A row without that proof proves nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Proof {
    /// The fault tells by itself whether it found something to break.
    Fault,
    /// What the fault proxy has counted by the end.
    Counted(fn(&Counters) -> bool),
    /// A command as for [`Network::Namespaces`], run before a fault is mended, or else at the end.
    Command(&'static str),
}

/// What is promised beside zero lost, duplicated and reordered.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bounds {
    /// The transport at the end is one of these; any, if there is none.
    pub(crate) transports: &'static [&'static str],
    /// From the start to the answer to the first request.
    pub(crate) first: Option<Duration>,
    /// From the start to the last change of transport before the fault.
    pub(crate) settled: Option<Duration>,
    /// From the fault until the client says that its connection is gone.
    pub(crate) noticed: Option<Duration>,
    /// From the fault to messages both ways.
    pub(crate) recover: Option<Duration>,
}

/// Who is sent through the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    Native,
    Chromium,
    SocketIo,
    SignalR,
}

impl Who {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Native => "bowline",
            Self::Chromium => "bowline in Chromium",
            Self::SocketIo => "socket.io",
            Self::SignalR => "signalr",
        }
    }

    /// Others are compared, and nothing is promised for them.
    pub(crate) const fn is_ours(self) -> bool {
        matches!(self, Self::Native | Self::Chromium)
    }
}

impl Scenario {
    pub(crate) const fn new(name: &'static str, network: Network, proof: Proof) -> Self {
        Self {
            name,
            network,
            fault: Fault::None,
            proof,
            heartbeat: None,
            tick: None,
            calm: Duration::from_secs(4),
            watch: Duration::from_secs(2),
            bounds: Bounds {
                transports: &[],
                first: None,
                settled: Some(SETTLED),
                noticed: None,
                recover: None,
            },
            clients: &EVERYONE,
            quick: false,
        }
    }

    /// True if what is promised at the start is a time that a busy machine could take by itself.
    pub(crate) fn is_timed(&self) -> bool {
        self.bounds.settled.is_some_and(|settled| settled < LONG)
    }

    pub(crate) const fn fault(mut self, fault: Fault) -> Self {
        self.fault = fault;
        self
    }

    pub(crate) const fn heartbeat(mut self, heartbeat: u64, grace: u64) -> Self {
        self.heartbeat = Some((heartbeat, grace));
        self
    }

    /// Both ends say hardly anything, for so many seconds.
    pub(crate) const fn quiet(mut self, seconds: u64) -> Self {
        self.tick = Some(Duration::from_secs(15));
        self.calm(seconds)
    }

    pub(crate) const fn calm(mut self, seconds: u64) -> Self {
        self.calm = Duration::from_secs(seconds);
        self
    }

    pub(crate) const fn watch(mut self, seconds: u64) -> Self {
        self.watch = Duration::from_secs(seconds);
        self
    }

    pub(crate) const fn ends_on(mut self, transports: &'static [&'static str]) -> Self {
        self.bounds.transports = transports;
        self
    }

    pub(crate) const fn first(mut self, millis: u64) -> Self {
        self.bounds.first = Some(Duration::from_millis(millis));
        self
    }

    pub(crate) const fn settled(mut self, millis: u64) -> Self {
        self.bounds.settled = Some(Duration::from_millis(millis));
        self
    }

    pub(crate) const fn noticed(mut self, millis: u64) -> Self {
        self.bounds.noticed = Some(Duration::from_millis(millis));
        self
    }

    pub(crate) const fn recover(mut self, millis: u64) -> Self {
        self.bounds.recover = Some(Duration::from_millis(millis));
        self
    }

    pub(crate) const fn with(mut self, clients: &'static [Who]) -> Self {
        self.clients = clients;
        self
    }

    pub(crate) const fn quick(mut self) -> Self {
        self.quick = true;
        self
    }

    /// As part of tests, whose machine may be busy: short, and late is only what takes many times
    /// as long.
    pub(crate) fn at_leisure(self) -> Self {
        let mut short = self.calm(1).watch(1);
        let Bounds { first, settled, noticed, recover, .. } = &mut short.bounds;
        for bound in [first, settled, noticed, recover] {
            *bound = bound.map(|bound| bound * 8);
        }
        short
    }
}

/// Reads the words of a fault proxy.
pub(crate) fn faults(words: &str) -> Faults {
    let words: Vec<&str> = words.split_whitespace().collect();
    Faults::from_words(&words).expect("a test reads the words of every scenario")
}

/// What takes longer is a matter of timers.
pub(crate) const LONG: Duration = Duration::from_secs(15);

/// Unless a scenario promises something else, nothing changes any more after so long.
const SETTLED: Duration = Duration::from_secs(3);

pub(crate) const EVERYONE: [Who; 3] = [Who::Chromium, Who::SocketIo, Who::SignalR];
pub(crate) const OURS: [Who; 1] = [Who::Chromium];
pub(crate) const NODE: [Who; 2] = [Who::SocketIo, Who::SignalR];
pub(crate) const NOBODY_ELSE: [Who; 0] = [];
