//! All clients of one measurement, served in one loop.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::{Events, Poll};

use crate::client::{Client, Side};
use crate::clock;
use crate::dialect::{Dialect, Role, Transport};
use crate::latencies::Latencies;
use crate::tally::Tally;

/// Clients of one server.
#[derive(Debug)]
pub struct Fleet {
    server: SocketAddr,
    poll: Poll,
    events: Events,
    buffer: Box<[u8]>,
    clients: Vec<Client>,
    /// Those that are not ready yet.
    unready: Vec<usize>,
    /// A client that reads nothing any more.
    deaf: Option<usize>,
    sleeps: bool,
    /// What it has counted.
    pub tally: Tally,
}

/// What the clients do when they have nothing to wait for.
#[derive(Debug, Clone, Copy)]
pub enum Traffic<'a> {
    /// They stay silent.
    Nothing,
    /// Each keeps so many requests under way.
    Requests {
        /// So many.
        window: usize,
        /// What each holds.
        payload: &'a [u8],
    },
}

impl Fleet {
    /// A fleet without clients.
    ///
    /// # Errors
    /// When the system has no means to wait.
    pub fn new(server: SocketAddr) -> Result<Self, String> {
        Ok(Self {
            server,
            poll: Poll::new().map_err(|error| error.to_string())?,
            events: Events::with_capacity(1024),
            buffer: vec![0; BUFFER].into(),
            clients: Vec::new(),
            unready: Vec::new(),
            deaf: None,
            sleeps: false,
            tally: Tally::new(),
        })
    }

    /// Clients that are added from now on are clients of another server.
    pub const fn turn_to(&mut self, server: SocketAddr) {
        self.server = server;
    }

    /// Adds clients that speak the dialect of this name, and waits until all are ready, at most so
    /// many on their way at once.
    ///
    /// # Errors
    /// When one cannot connect, or it takes too long.
    pub fn connect(
        &mut self,
        number: usize,
        at_once: usize,
        transport: Transport,
        dialect: &str,
        role: Role,
    ) -> Result<(), String> {
        let all = self.clients.len() + number;
        self.until("clients connect", |fleet| {
            while fleet.clients.len() < all && fleet.unready.len() < at_once {
                let number = fleet.clients.len();
                let registry = fleet.poll.registry();
                let speaks = of_name(dialect, role);
                let client = Client::connect(fleet.server, registry, number, transport, speaks)?;
                fleet.clients.push(client);
                fleet.unready.push(number);
            }
            Ok(fleet.clients.len() == all && fleet.unready.is_empty())
        })
    }

    /// Cuts these clients off and has them back, at most so many on their way at once. In between,
    /// `away` is called. Returns how long it took for each from the beginning until `back`
    /// messages had come.
    pub(crate) fn resume(
        &mut self,
        cut: std::ops::Range<usize>,
        at_once: usize,
        back: u64,
        away: impl FnOnce(&mut Self) -> Result<(), String>,
    ) -> Result<Latencies, String> {
        let mut lost: Vec<_> = self.clients.drain(cut.clone()).collect();
        // Connections of lower numbers stay, so the others keep their numbers when they are back.
        assert_eq!(cut.start, self.clients.len(), "the last clients are cut");
        lost.iter_mut().for_each(Client::disconnect);
        away(self)?;
        let begin = clock::now();
        let mut lost = lost.into_iter();
        let mut missing = Vec::new();
        let mut times = Latencies::new();
        self.until("sessions resume", |fleet| {
            while missing.len() < at_once
                && let Some(client) = lost.next()
            {
                let number = fleet.clients.len();
                let client = client.reconnect(fleet.server, fleet.poll.registry(), number)?;
                fleet.clients.push(client);
                missing.push(number);
            }
            let now = clock::now();
            missing.retain(|&number| {
                let is_back = fleet.clients[number].deliveries >= back;
                if is_back {
                    times.add(now - begin);
                }
                !is_back
            });
            Ok(missing.is_empty() && lost.len() == 0)
        })?;
        Ok(times)
    }

    /// The last client reads nothing from now on.
    pub(crate) fn deafen_last(&mut self) {
        self.deaf = self.clients.len().checked_sub(1);
    }

    /// Serves the clients for so long.
    ///
    /// # Errors
    /// When a connection fails.
    pub fn run(&mut self, time: Duration, traffic: Traffic<'_>) -> Result<(), String> {
        if let Traffic::Requests { window, payload } = traffic {
            for client in &mut self.clients {
                client.ask(window, payload);
                client.flush()?;
            }
        }
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.turn(traffic)?;
        }
        Ok(())
    }

    /// As [`Self::run`], while the first client publishes: at most so many messages are on their
    /// way to the others.
    pub(crate) fn publish(
        &mut self,
        time: Duration,
        window: u64,
        members: u64,
        payload: &mut [u8],
    ) -> Result<(), String> {
        let begin = self.tally.messages;
        let mut published = 0;
        let end = Instant::now() + time;
        while Instant::now() < end {
            let arrived = (self.tally.messages - begin) / members;
            if published < arrived + window {
                clock::stamp(payload, clock::now());
                while published < arrived + window {
                    self.clients[0].publish(payload);
                    published += 1;
                }
                self.clients[0].flush()?;
            }
            self.turn(Traffic::Nothing)?;
        }
        // All of it arrives, so that what comes next begins with nothing under way.
        self.until("messages arrive", |fleet| {
            Ok(fleet.tally.messages - begin >= published * members)
        })
    }

    /// As [`Self::publish`], so many messages, one at a time.
    pub(crate) fn publish_number(
        &mut self,
        number: u64,
        members: u64,
        payload: &mut [u8],
    ) -> Result<(), String> {
        let begin = self.tally.messages;
        for published in 1..=number {
            clock::stamp(payload, clock::now());
            self.say(payload)?;
            self.until("a message arrives", |fleet| {
                Ok(fleet.tally.messages - begin >= published * members)
            })?;
        }
        Ok(())
    }

    /// The first client says this so many times at once. Returns when all of it has arrived.
    ///
    /// # Errors
    /// As [`Self::run`], or when it takes too long.
    pub fn burst(&mut self, number: u64, members: u64, payload: &mut [u8]) -> Result<(), String> {
        let begin = self.tally.messages;
        clock::stamp(payload, clock::now());
        (0..number).for_each(|_| self.clients[0].publish(payload));
        self.clients[0].flush()?;
        self.until("messages arrive", |fleet| Ok(fleet.tally.messages - begin >= number * members))
    }

    /// The first client says this, with what else it says before it is flushed.
    pub(crate) fn say(&mut self, payload: &[u8]) -> Result<(), String> {
        self.clients[0].publish(payload);
        self.clients[0].flush()
    }

    /// Deliveries to some clients until now, and how often these have read something.
    pub fn deliveries_and_reads(&self, clients: std::ops::Range<usize>) -> (u64, u64) {
        let clients = self.clients[clients].iter();
        clients.fold((0, 0), |(deliveries, reads), client| {
            (deliveries + client.deliveries, reads + client.reads)
        })
    }

    fn until(
        &mut self,
        what: &str,
        mut done: impl FnMut(&mut Self) -> Result<bool, String>,
    ) -> Result<(), String> {
        let end = Instant::now() + PATIENCE;
        while !done(self)? {
            if Instant::now() > end {
                return Err(format!("it takes too long until {what}"));
            }
            self.turn(Traffic::Nothing)?;
        }
        Ok(())
    }

    /// From now on it sleeps while nothing happens, for what else is on its core.
    pub const fn sleep(&mut self) {
        self.sleeps = true;
    }

    /// Looks what has happened and does what it calls for. Mostly it does not sleep: to wake a
    /// client that sleeps on the same machine takes a server more than to send it a message,
    /// and no server has to do that for one across a network.
    fn turn(&mut self, traffic: Traffic<'_>) -> Result<(), String> {
        match self
            .poll
            .poll(&mut self.events, Some(if self.sleeps { LONGEST_SLEEP } else { Duration::ZERO }))
        {
            Err(error) if error.kind() != std::io::ErrorKind::Interrupted => {
                return Err(error.to_string());
            }
            _ => self.tally.now = clock::now(),
        }
        if self.events.is_empty() && !self.sleeps {
            // The two cores may share more than we know.
            (0..PAUSE).for_each(|_| std::hint::spin_loop());
        }
        for event in &self.events {
            let token = event.token().0;
            let number = token / 2;
            let side = if token % 2 == 1 { Side::Up } else { Side::Down };
            if self.deaf == Some(number) {
                continue;
            }
            let Some(client) = self.clients.get_mut(number) else { continue };
            let was_ready = client.ready;
            client.turn(side, &mut self.buffer, &mut self.tally)?;
            if let Traffic::Requests { window, payload } = traffic {
                client.ask(window, payload);
            }
            client.flush()?;
            if client.ready && !was_ready {
                self.unready.retain(|unready| *unready != number);
            }
        }
        Ok(())
    }
}

fn of_name(name: &str, role: Role) -> Box<dyn Dialect> {
    match name {
        "bowline" => Box::new(crate::dialect::Bowline::new(role)),
        "socketio" => Box::new(crate::dialect::SocketIo::new(role)),
        _ => Box::new(crate::dialect::Raw(role)),
    }
}

/// Larger than what a socket receives between two turns.
const BUFFER: usize = 1 << 20;
const LONGEST_SLEEP: Duration = Duration::from_millis(1);
/// Turns of the processor before it looks again, when nothing has happened.
const PAUSE: u32 = 64;
/// How long a fleet waits for anything.
const PATIENCE: Duration = Duration::from_secs(60);
