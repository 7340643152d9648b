//! Where the members of the room are, and what a broadcast to them uses there.

use std::time::Instant;

use super::witness::{Seen, Witness};
use super::{Burst, MEMBERS};
use bowline_load::{Fleet, Role, Server, Traffic, Transport, own, text};
use bowline_processes::{RedisServer, Usage};

/// How the members are spread, and which node is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// All on one node, which has no broker.
    Alone,
    /// Half of them on one node, which has no broker.
    HalfAlone,
    /// Half of them on each of two nodes, of which the one that publishes is measured,
    Publishing,
    /// or the one that only receives.
    Receiving,
}

/// What was measured at one time.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    pub(super) layout: Layout,
    pub(super) broadcasts: u64,
    /// µs of CPU of the measured node for each broadcast.
    pub(super) cpu: f64,
    /// Messages that its members have read at a time: about what it wrote at a time.
    pub(super) batch: f64,
    /// What Redis has published beside that nodes live,
    pub(super) publishes: u64,
    /// and how often they have said that.
    pub(super) beats: u64,
    /// How long it took.
    pub(super) seconds: f64,
}

/// Processes, and the clients of them.
pub(super) struct World {
    layout: Layout,
    nodes: Vec<Server>,
    witness: Option<Witness>,
    fleet: Fleet,
    /// Ends with the others.
    _redis: Option<RedisServer>,
}

impl Layout {
    pub(super) const ALL: [Self; 4] =
        [Self::Alone, Self::HalfAlone, Self::Publishing, Self::Receiving];

    /// Members on each node.
    pub(super) const fn each(self) -> usize {
        match self {
            Self::Alone => MEMBERS,
            Self::HalfAlone | Self::Publishing | Self::Receiving => MEMBERS / 2,
        }
    }

    /// The cores of the nodes, the publishing one first. The one that is measured has a core of its
    /// own.
    const fn cores(self) -> &'static [&'static str] {
        match self {
            Self::Alone | Self::HalfAlone => &["0"],
            Self::Publishing => &["0", "1"],
            Self::Receiving => &["1", "0"],
        }
    }

    const fn measured(self) -> usize {
        match self {
            Self::Alone | Self::HalfAlone | Self::Publishing => 0,
            Self::Receiving => 1,
        }
    }

    pub(super) const fn has_two(self) -> bool {
        self.cores().len() > 1
    }
}

impl World {
    pub(super) fn start(layout: Layout) -> Result<Self, String> {
        let redis = layout.has_two().then(RedisServer::start);
        let url = redis.as_ref().map(RedisServer::url);
        let words: Vec<&str> = url.iter().flat_map(|url| ["--redis", url]).collect();
        let program = own("load-server")?;
        let launched = layout.cores().iter().map(|core| Server::launch(core, &program, &words));
        let nodes = launched.collect::<Result<Vec<_>, _>>()?;
        let fleet = connect(layout, &nodes)?;
        let witness = redis.as_ref().map(|redis| Witness::new(redis.port())).transpose()?;
        Ok(Self { layout, nodes, witness, fleet, _redis: redis })
    }

    /// Measures some bursts of so many broadcasts.
    pub(super) fn sample(&mut self, burst: &Burst) -> Result<Sample, String> {
        self.fleet.tally.reset();
        let begun = Instant::now();
        let (seen_before, read_before, before) = self.look()?;
        for number in 1..=burst.times {
            self.fleet.burst(burst.broadcasts, self.members(), &mut text(64))?;
            let next = burst.every * number;
            self.fleet.run(next.saturating_sub(begun.elapsed()), Traffic::Nothing)?;
        }
        let (seen, read, after) = self.look()?;
        let broadcasts = self.fleet.tally.messages / self.members();
        let beats = seen.beats - seen_before.beats;
        Ok(Sample {
            layout: self.layout,
            broadcasts,
            cpu: after.cpu_since(&before) / broadcasts as f64,
            batch: (read.0 - read_before.0) as f64 / (read.1 - read_before.1) as f64,
            publishes: seen.publishes - seen_before.publishes - beats,
            beats,
            seconds: begun.elapsed().as_secs_f64(),
        })
    }

    fn members(&self) -> u64 {
        (self.layout.each() * self.nodes.len()) as u64
    }

    /// What Redis has published, deliveries and reads of the members of the measured node, and what
    /// that has used.
    fn look(&mut self) -> Result<(Seen, (u64, u64), Usage), String> {
        let seen = self.witness.as_mut().map(Witness::look).transpose()?.unwrap_or_default();
        let (node, each) = (self.layout.measured(), self.layout.each());
        // The first client is the publisher.
        let first = 1 + node * each;
        let read = self.fleet.deliveries_and_reads(first..first + each);
        Ok((seen, read, Usage::of(&self.nodes[node].id())?))
    }
}

/// The publisher is on the first node.
fn connect(layout: Layout, nodes: &[Server]) -> Result<Fleet, String> {
    let mut fleet = Fleet::new(nodes[0].address)?;
    // Redis and the other node are on the same core.
    fleet.sleep();
    fleet.connect(1, 1, Transport::WebSocket, "bowline", Role::Publisher)?;
    for node in nodes {
        fleet.turn_to(node.address);
        fleet.connect(layout.each(), AT_ONCE, Transport::WebSocket, "bowline", Role::Member)?;
    }
    Ok(fleet)
}

/// Members that connect at once.
const AT_ONCE: usize = 64;
