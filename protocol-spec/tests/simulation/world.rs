//! One schedule: both ends, the network between them, and what the applications and fate do.

use std::time::Duration;

use bowline_protocol::{Close, CloseCode, Time};

use crate::client::{Client, random_kind};
use crate::endpoint::WINDOW;
use crate::network::{Happening, Network, Side, Stats, What};
use crate::server::Server;

/// Runs the schedule of a seed. Panics when anything is not as it must be.
pub(crate) fn run(seed: u64, trace: bool) -> Stats {
    let mut world = World::new(seed, trace);
    world.io.stats.count(What::Schedules);
    for _ in 0..world.io.rng.between(10, 50) {
        let pause = world.io.rng.below(world.pace);
        world.io.after(pause, Happening::Act);
        world.run_until_acted();
        // The applications are silent for a while, mostly as long as the client is away.
        if world.io.rng.chance(2) || world.client.offline_until > world.io.now {
            let silence = world.io.rng.below(10_000);
            world.run_for(Duration::from_millis(silence));
        }
    }
    world.heal();
    world.part();
    world.io.stats
}

struct World {
    io: Network,
    client: Client,
    server: Server,
    /// Milliseconds between two acts at most.
    pace: u64,
    steps: u64,
}

impl World {
    fn new(seed: u64, trace: bool) -> Self {
        let mut io = Network::new(seed, trace);
        let (client, server) = (Client::new(&mut io), Server::new(&mut io));
        let pace = [10, 100, 700][io.rng.below(3) as usize];
        Self { io, client, server, pace, steps: 0 }
    }

    fn run_until_acted(&mut self) {
        while !self.step(None) {}
    }

    fn run_for(&mut self, time: Duration) {
        let end = self.io.now + time;
        while self.io.now < end {
            self.step(Some(end));
        }
    }

    /// No more faults: everything that was emitted arrives, every request has its outcome.
    fn heal(&mut self) {
        self.io.trace(|| "healed".into());
        (self.io.healed, self.client.offline_until) = (true, Time::ZERO);
        self.run_for(4 * WINDOW);
        self.check_settled();
    }

    fn check_settled(&self) {
        self.client.end.check_settled(&self.io);
        if let Some(live) = &self.server.live {
            live.end.check_settled(&self.io);
            assert_eq!(Some(live.id), self.client.session_id(), "two sessions are left");
        }
        assert!(self.server.live.is_some() || self.client.end.ended.is_some(), "nobody is there");
    }

    /// Both say something more and one closes; perhaps the carrier is cut right then. All of it
    /// arrives, the close as well.
    fn part(&mut self) {
        let Some(live) = self.server.live.as_mut() else { return };
        if self.client.end.ended.is_some() {
            return;
        }
        let by_client = self.io.rng.chance(50);
        let close = Close::with_reason(CloseCode::NORMAL, "\"bye\"");
        let closer = if by_client { &mut self.client.end } else { &mut live.end };
        closer.emit(&mut self.io);
        closer.request(&mut self.io);
        let (log, overflown) = (closer.log, closer.ended.is_some());
        if self.io.rng.chance(50) {
            closer.close(close.clone(), &mut self.io);
        } else {
            let code = CloseCode::application(4500).expect("a code of the application");
            closer.abort(Close::new(code), &mut self.io);
        }
        let aborted = closer.ended.as_ref().is_some_and(|ended| *ended != close);
        self.flush();
        if let Some(conn) = self.client.current_conn().filter(|_| self.io.rng.chance(50)) {
            self.io.cut(conn);
        }
        self.run_for(2 * WINDOW);
        if overflown {
            return self.check_settled();
        }
        let sent = &self.io.truth.logs[log];
        assert!(aborted || sent.handled == sent.len(), "what was said before the close was lost");
        assert!(self.client.end.ended.is_some(), "the client does not know that it is over");
        assert!(self.server.live.is_none(), "the server keeps a session that is over");
        self.client.end.check_settled(&self.io);
    }

    /// Lets the next thing happen, `until` at the latest. Returns true if it was an act.
    fn step(&mut self, until: Option<Time>) -> bool {
        self.steps += 1;
        assert!(self.steps < 50_000, "a busy loop");
        self.io.stats.count(What::Steps);
        let mut acted = false;
        let client_at = self.timeout_of_client();
        let server_at = self.server.live.as_ref().and_then(|live| live.end.session.poll_timeout());
        let timeout = [client_at, server_at, until].into_iter().flatten().min();
        match self.io.next_at().filter(|at| timeout.is_none_or(|timeout| *at <= timeout)) {
            Some(at) => {
                self.io.now = self.io.now.max(at);
                let happening = self.io.pop().expect("something is to happen");
                acted = matches!(happening, Happening::Act);
                self.happen(happening);
            }
            None => {
                let at = timeout.expect("there is always something to wait for");
                self.io.now = self.io.now.max(at);
                self.pass_time();
            }
        }
        self.flush();
        self.check();
        acted
    }

    fn timeout_of_client(&self) -> Option<Time> {
        let session = &self.client.end.session;
        session.poll_timeout().filter(|_| !session.is_finished(self.io.now))
    }

    fn pass_time(&mut self) {
        self.client.end.handle_timeout(&mut self.io);
        if let Some(live) = &mut self.server.live {
            live.end.handle_timeout(&mut self.io);
        }
    }

    fn happen(&mut self, happening: Happening) {
        let io = &mut self.io;
        match happening {
            Happening::Up(conn, wire) => self.server.hear(conn, &wire, io),
            Happening::Down(conn, wire) => self.client.hear(conn, &wire, io),
            Happening::Request(conn, body) => self.server.request(conn, body, io),
            Happening::Gone(conn, Side::Client) => self.client.gone(conn, io),
            Happening::Gone(conn, Side::Server) => self.server.gone(conn, io),
            Happening::Act => self.act(),
            Happening::Reconnect => self.client.handle_reconnect(io),
            Happening::Repost => self.client.handle_repost(io),
            Happening::Reply { side: Side::Client, log, request } => {
                if self.client.end.log == log {
                    self.client.end.reply(request, io);
                }
            }
            Happening::Reply { side: Side::Server, log, request } => {
                if let Some(live) = self.server.live.as_mut().filter(|live| live.end.log == log) {
                    live.end.reply(request, io);
                }
            }
        }
    }

    fn flush(&mut self) {
        self.client.flush(&mut self.io);
        self.server.flush(&mut self.io);
    }

    fn check(&self) {
        self.client.end.check(&self.io);
        if let Some(live) = &self.server.live {
            live.end.check(&self.io);
        }
    }

    /// The applications and fate.
    fn act(&mut self) {
        let io = &mut self.io;
        match io.rng.below(1000) {
            0..600 => self.talk(),
            600..700 => {
                let kind = random_kind(io);
                if self.client.offline_until <= io.now {
                    self.client.connect(kind, io);
                }
            }
            700..850 => {
                if let Some(conn) = self.client.current_conn() {
                    io.cut(conn);
                }
            }
            850..880 => self.client.end.session.probe("probe".into()),
            880..910 => {
                if let Some(live) = &mut self.server.live {
                    io.stats.count(What::Dismissals);
                    live.end.session.dismiss(Close::new(CloseCode::DRAINING));
                }
            }
            910..935 => self.go_offline(),
            935..945 => self.server.restart(io),
            945..950 => self.end_early(),
            _ => {}
        }
    }

    fn talk(&mut self) {
        let io = &mut self.io;
        for _ in 0..io.rng.between(1, 6) {
            let end = match &mut self.server.live {
                Some(live) if io.rng.chance(50) => &mut live.end,
                _ => &mut self.client.end,
            };
            match io.rng.below(20) {
                0..10 => end.emit(io),
                10..16 => end.request(io),
                16 => end.forget_one(io),
                _ => end.emit_volatile(io),
            }
        }
    }

    /// A tunnel, a lift ride: sometimes longer than the server waits.
    fn go_offline(&mut self) {
        let away = Duration::from_millis(self.io.rng.below(10_000));
        self.client.offline_until = self.io.now + away;
        if let Some(conn) = self.client.current_conn() {
            self.io.cut(conn);
        }
    }

    fn end_early(&mut self) {
        let io = &mut self.io;
        let abort = io.rng.chance(50);
        io.stats.count(if abort { What::Aborts } else { What::Closes });
        let end = match &mut self.server.live {
            Some(live) if io.rng.chance(70) => &mut live.end,
            _ => &mut self.client.end,
        };
        let close = Close::new(CloseCode::NORMAL);
        if abort { end.abort(close, io) } else { end.close(close, io) }
    }
}
