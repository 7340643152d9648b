//! One schedule: both ends, the network between them, the applications and accidents.

use std::time::Duration;

use bowline_protocol::{Close, CloseCode, Time};

use crate::client::{Client, random_kind};
use crate::endpoint::WINDOW;
use crate::network::{Happening, Network, Side, Stats, What};
use crate::server::Server;

/// Runs the schedule of a seed. Panics when an invariant is violated.
pub(crate) fn run(seed: u64, trace: bool) -> Stats {
    let mut world = World::new(seed, trace);
    world.io.stats.count(What::Schedules);
    for _ in 0..world.io.rng.between(10, 50) {
        let pause = world.io.rng.below(world.pace);
        world.io.after(pause, Happening::Act);
        world.run_until_acted();
        // The applications are silent for a while, usually as long as the client is away.
        let away = world.clients.iter().any(|client| client.offline_until > world.io.now);
        if world.io.rng.chance(2) || away {
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
    /// Instances of one client, of which at most one owns the session.
    clients: Vec<Client>,
    server: Server,
    /// The longest time between two acts, in milliseconds.
    pace: u64,
    steps: u64,
}

impl World {
    fn new(seed: u64, trace: bool) -> Self {
        let mut io = Network::new(seed, trace);
        let (client, server) = (Client::new(&mut io), Server::new(&mut io));
        let pace = [10, 100, 700][io.rng.below(3) as usize];
        Self { io, clients: vec![client], server, pace, steps: 0 }
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

    /// No more faults: every emitted packet arrives, every request has its outcome.
    fn heal(&mut self) {
        self.io.trace(|| "healed".into());
        self.io.healed = true;
        for client in &mut self.clients {
            client.offline_until = Time::ZERO;
            client.end.finish_set_up(&self.io);
        }
        self.run_for(4 * WINDOW);
        self.check_settled();
    }

    fn check_settled(&self) {
        self.clients.iter().for_each(|client| client.end.check_settled(&self.io));
        let open: Vec<_> = self.clients.iter().filter(|client| !client.is_over()).collect();
        assert!(open.len() <= 1, "several instances have the session");
        if let Some(live) = &self.server.live {
            live.end.check_settled(&self.io);
            let session = open.first().and_then(|client| client.session_id());
            assert_eq!(Some(live.id), session, "two sessions are left");
        }
        assert!(self.server.live.is_some() || open.is_empty(), "nobody is there");
    }

    /// Both sides send more and one closes; perhaps the carrier is cut right then. Everything
    /// arrives, the close as well.
    fn part(&mut self) {
        let Some(live) = self.server.live.as_mut() else { return };
        self.clients.retain(|client| !client.is_over());
        let [client] = &mut self.clients[..] else { return };
        let by_client = self.io.rng.chance(50);
        let close = Close::with_reason(CloseCode::NORMAL, "bye");
        let closer = if by_client { &mut client.end } else { &mut live.end };
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
        if let Some(conn) = self.clients[0].current_conn().filter(|_| self.io.rng.chance(50)) {
            self.io.cut(conn);
        }
        self.run_for(2 * WINDOW);
        if overflown {
            return self.check_settled();
        }
        let sent = &self.io.truth.logs[log];
        assert!(aborted || sent.handled == sent.len(), "packets sent before the close were lost");
        assert!(self.clients[0].is_over(), "the client does not know that it is over");
        assert!(self.server.live.is_none(), "the server keeps a session that is over");
        self.clients[0].end.check_settled(&self.io);
    }

    /// Performs the next step, `until` at the latest. Returns true if it was an act.
    fn step(&mut self, until: Option<Time>) -> bool {
        self.steps += 1;
        assert!(self.steps < 50_000, "a busy loop");
        self.io.stats.count(What::Steps);
        let mut acted = false;
        let client_at = self.timeout_of_clients();
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
        self.part_from_losers();
        self.flush();
        self.check();
        acted
    }

    fn timeout_of_clients(&self) -> Option<Time> {
        let sessions = self.clients.iter().map(|client| &client.end.session);
        let open = sessions.filter(|session| !session.is_finished(self.io.now));
        open.filter_map(|session| session.poll_timeout()).min()
    }

    /// The server holds one session, so clients that have lost it leave, unless no other is left.
    fn part_from_losers(&mut self) {
        while self.clients.iter().filter(|client| !client.is_over()).count() > 1
            && let Some(at) = self.clients.iter().position(|client| client.has_lost)
        {
            self.clients.remove(at).vanish(&mut self.io);
        }
        self.clients.iter_mut().for_each(|client| client.has_lost = false);
    }

    fn pass_time(&mut self) {
        self.clients.iter_mut().for_each(|client| client.end.handle_timeout(&mut self.io));
        if let Some(live) = &mut self.server.live {
            live.end.handle_timeout(&mut self.io);
        }
    }

    fn happen(&mut self, happening: Happening) {
        let io = &mut self.io;
        let find = |instance| move |client: &&mut Client| client.instance == instance;
        match happening {
            Happening::Up(conn, wire) => self.server.receive(conn, &wire, io),
            Happening::Down(conn, wire) => {
                let client = self.clients.iter_mut().find(find(io.client(conn)));
                client.into_iter().for_each(|client| client.receive(conn, &wire, io));
            }
            Happening::Request(conn, body) => self.server.request(conn, body, io),
            Happening::Gone(conn, Side::Client) => {
                let client = self.clients.iter_mut().find(find(io.client(conn)));
                client.into_iter().for_each(|client| client.gone(conn, io));
            }
            Happening::Gone(conn, Side::Server) => self.server.gone(conn, io),
            Happening::Act => self.act(),
            Happening::Reconnect(instance) => {
                let client = self.clients.iter_mut().find(find(instance));
                client.into_iter().for_each(|client| client.handle_reconnect(io));
            }
            Happening::Repost(instance) => {
                let client = self.clients.iter_mut().find(find(instance));
                client.into_iter().for_each(|client| client.handle_repost(io));
            }
            Happening::Reply { side: Side::Client, log, request } => {
                if let Some(client) = self.clients.iter_mut().find(|client| client.end.log == log) {
                    client.end.reply(request, io);
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
        self.clients.iter_mut().for_each(|client| client.flush(&mut self.io));
        self.server.flush(&mut self.io);
    }

    fn check(&self) {
        self.clients.iter().for_each(|client| client.end.check(&self.io));
        if let Some(live) = &self.server.live {
            live.end.check(&self.io);
        }
    }

    /// The applications and accidents.
    fn act(&mut self) {
        let io = &mut self.io;
        let one = io.rng.below(self.clients.len() as u64) as usize;
        let client = &mut self.clients[one];
        match io.rng.below(1000) {
            0..580 => self.talk(),
            580..680 => {
                let kind = random_kind(io);
                if client.offline_until <= io.now {
                    client.connect(kind, io);
                }
            }
            680..830 => {
                if let Some(conn) = client.current_conn() {
                    io.cut(conn);
                }
            }
            830..860 => client.end.session.probe("probe".into()),
            860..890 => {
                if let Some(live) = &mut self.server.live {
                    io.stats.count(What::Dismissals);
                    live.end.session.dismiss(Close::new(CloseCode::DRAINING));
                }
            }
            890..915 => self.go_offline(one),
            915..925 => self.server.restart(io),
            925..930 => self.end_early(one),
            930..960 => self.reload(one),
            960..985 => self.duplicate(one),
            985..992 => self.clients[one].end.finish_set_up(io),
            992..999 => self.crash(),
            _ => {}
        }
    }

    /// The server's process is killed some time after it has stored its session. Until then the
    /// ends may have sent nothing, or much.
    fn crash(&mut self) {
        self.server.store(&mut self.io);
        for _ in 0..self.io.rng.below(3) {
            let pause = self.io.rng.below(2 * self.pace);
            self.run_for(Duration::from_millis(pause));
            if self.io.rng.chance(30) {
                self.talk();
            }
        }
        self.server.crash(&mut self.io);
    }

    fn talk(&mut self) {
        let io = &mut self.io;
        for _ in 0..io.rng.between(1, 6) {
            let one = io.rng.below(self.clients.len() as u64) as usize;
            let end = match &mut self.server.live {
                Some(live) if io.rng.chance(50) => &mut live.end,
                _ => &mut self.clients[one].end,
            };
            match io.rng.below(20) {
                0..10 => end.emit(io),
                10..16 => end.request(io),
                16 => end.forget_one(io),
                _ => end.emit_volatile(io),
            }
        }
    }

    /// A tunnel or a ride in a lift: sometimes longer than the server waits.
    fn go_offline(&mut self, one: usize) {
        let away = Duration::from_millis(self.io.rng.below(10_000));
        let client = &mut self.clients[one];
        client.offline_until = self.io.now + away;
        if let Some(conn) = client.current_conn() {
            self.io.cut(conn);
        }
    }

    fn end_early(&mut self, one: usize) {
        let io = &mut self.io;
        let abort = io.rng.chance(50);
        io.stats.count(if abort { What::Aborts } else { What::Closes });
        let end = match &mut self.server.live {
            Some(live) if io.rng.chance(70) => &mut live.end,
            _ => &mut self.clients[one].end,
        };
        let close = Close::new(CloseCode::NORMAL);
        if abort { end.abort(close, io) } else { end.close(close, io) }
    }

    /// The page is loaded again, from its stored state: its last packets may still be on their way.
    fn reload(&mut self, one: usize) {
        if self.clients[one].is_over() {
            return;
        }
        let io = &mut self.io;
        let unwelcomed = self.clients[one].is_unwelcomed();
        io.stats.count(if unwelcomed { What::UnwelcomedReloads } else { What::Reloads });
        let next = self.clients[one].copy(io);
        io.trace(|| format!("Client {} is loaded again as {}", one, next.instance));
        std::mem::replace(&mut self.clients[one], next).vanish(io);
    }

    /// A second tab continues from the stored state of the first one, which does not know of it.
    fn duplicate(&mut self, one: usize) {
        if self.clients[one].is_over() || self.clients.len() > 2 || self.io.healed {
            return;
        }
        let io = &mut self.io;
        io.stats.count(What::SecondTabs);
        let next = self.clients[one].copy(io);
        io.trace(|| format!("Client {} has a copy, {}", one, next.instance));
        self.clients.push(next);
        if io.rng.chance(40) {
            let away = if io.rng.chance(50) { one } else { self.clients.len() - 1 };
            self.go_offline(away);
        }
    }
}
