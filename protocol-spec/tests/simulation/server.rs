//! The server's driver: one node that holds at most one session, and its responses.

use bowline_protocol::{
    Attach, AttachError, Attachment, CarrierGone, CarrierId, Close, CloseCode, Limits, NodeId,
    Open, OpenKey, Ownership, Packet, Secret, SessionId, Welcome,
};
use bytes::Bytes;

use crate::checkpoint::{self, Checkpoint, Stored};
use crate::client::draw_token;
use crate::endpoint::{Endpoint, GRACE, HEARTBEAT, WINDOW};
use crate::network::{ConnId, Kind, Network, Side, What};
use crate::wire::{Wire, Writer, number, read};

#[derive(Debug)]
pub(crate) struct Server {
    node: NodeId,
    pub(crate) live: Option<Live>,
    /// The keys of ended sessions: a late `open` must not repeat their effects.
    spent: Vec<OpenKey>,
    /// The last stored state.
    checkpoint: Option<Checkpoint>,
    /// A poll is detached when it is answered; otherwise only silence shows that none follows.
    detaches_polls: bool,
}

/// The session that the node holds.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) end: Endpoint,
    pub(crate) id: SessionId,
    secret: Secret,
    key: OpenKey,
    downs: Vec<Down>,
}

/// A carrier that was accepted and is still open.
#[derive(Debug)]
struct Down {
    conn: ConnId,
    id: CarrierId,
    /// The welcome is yet to be sent; true if it contains the secret.
    greeting: Option<bool>,
    /// The count of the client's packets on it.
    next_up: u64,
    /// The count of the server's packets on it.
    next_down: u64,
}

impl Server {
    pub(crate) fn new(io: &mut Network) -> Self {
        Self {
            node: draw_node(io),
            live: None,
            spent: Vec::new(),
            checkpoint: None,
            detaches_polls: io.rng.chance(50),
        }
    }

    /// The process ends and another takes its place.
    pub(crate) fn restart(&mut self, io: &mut Network) {
        io.trace(|| "Server restarts".into());
        io.stats.count(What::Restarts);
        io.cut_all();
        io.truth.restart();
        (self.node, self.live, self.spent) = (draw_node(io), None, Vec::new());
        self.checkpoint = None;
    }

    /// Stores the session in its present state.
    pub(crate) fn store(&mut self, io: &mut Network) {
        let Some(live) = self.live.as_ref().filter(|live| live.end.is_settled(io)) else { return };
        // A later checkpoint is of a session that was attached since.
        if live.end.session.is_stale() {
            return;
        }
        io.stats.count(What::Checkpoints);
        self.checkpoint = live.end.peer_log.map(|peer_log| Checkpoint {
            identity: (live.id, live.secret, live.key),
            state: Stored::of(&live.end.session),
            logs: (live.end.log, peer_log),
            limit: live.end.limit(),
        });
    }

    /// The process is killed, and the next one continues from the checkpoint.
    pub(crate) fn crash(&mut self, io: &mut Network) {
        let Some(checkpoint) = self.checkpoint.take() else { return };
        io.trace(|| "Server crashes".into());
        io.stats.count(What::Crashes);
        io.cut_all();
        io.drop_answers_of_server();
        io.truth.restart();
        (self.node, self.spent) = (draw_node(io), Vec::new());
        self.live = checkpoint::revived(checkpoint, io);
    }

    /// A WebSocket message.
    pub(crate) fn receive(&mut self, conn: ConnId, wire: &Wire, io: &mut Network) {
        if io.is_cut(conn) {
            return;
        }
        let mut packets = read(wire).into_iter();
        let known = self.live.as_mut().is_some_and(|live| live.down(conn).is_some());
        if !known {
            let first = packets.next().expect("a message is not empty");
            // The server does not read on a connection that was refused or closed.
            if !matches!(first, Packet::Open(_) | Packet::Attach(_)) {
                return;
            }
            if let Err(close) = self.attach(conn, &first, io) {
                return self.refuse(conn, close, io);
            }
        }
        let live = self.live.as_mut().expect("the carrier belongs to the session");
        live.take(conn, packets, io);
    }

    /// An HTTP request, perhaps a copy of an earlier one.
    pub(crate) fn request(&mut self, conn: ConnId, body: Bytes, io: &mut Network) {
        let repeated = io.arrive(conn);
        if repeated {
            io.stats.count(What::LateCopies);
        }
        let mut packets = read(&Wire::Text(body)).into_iter();
        let first = packets.next().expect("a body is not empty");
        if io.kind(conn) == Kind::Post {
            let Packet::Attach(attach) = first else { panic!("a POST begins with attach") };
            let posted = self
                .find(&attach)
                .and_then(|live| live.take_post(&attach, packets, conn, repeated, io));
            let answer = posted.map_or_else(Packet::Close, Packet::Confirm);
            let answer = line(&answer);
            if !repeated {
                io.answer(conn, answer);
            }
            return;
        }
        match self.attach(conn, &first, io) {
            // The client reads the response to the first arrival.
            Err(_) if repeated => {}
            Err(close) => self.refuse(conn, close, io),
            Ok(()) => self.live.as_mut().expect("it was just attached").take(conn, packets, io),
        }
    }

    /// A carrier has ended.
    pub(crate) fn gone(&mut self, conn: ConnId, io: &Network) {
        let Some(live) = &mut self.live else { return };
        let Some(at) = live.downs.iter().position(|down| down.conn == conn) else { return };
        let down = live.downs.swap_remove(at);
        live.end.session.detach(down.id, io.now);
    }

    /// Sends everything that is due, and forgets the session when it is over.
    pub(crate) fn flush(&mut self, io: &mut Network) {
        let detaches_polls = self.detaches_polls;
        let Some(live) = &mut self.live else { return };
        let mut at = 0;
        while at < live.downs.len() {
            let done = match io.kind(live.downs[at].conn) {
                Kind::Poll => live.flush_poll(at, detaches_polls, io),
                _ => live.flush_stream(at, io),
            };
            if done {
                live.downs.swap_remove(at);
            } else {
                at += 1;
            }
        }
        if live.end.session.is_finished(io.now) {
            let live = self.live.take().expect("it is there");
            live.end.check(io);
            self.spent.push(live.key);
            for down in live.downs {
                io.close(down.conn, Side::Server);
            }
        }
    }

    fn find(&mut self, attach: &Attach) -> Result<&mut Live, Close> {
        if !checkpoint::is_revived(self.live.as_ref(), attach.session, self.node) {
            return Err(Close::new(CloseCode::SESSION_RESTARTED));
        }
        self.live
            .as_mut()
            .filter(|live| live.id == attach.session && live.secret == attach.secret)
            .ok_or_else(|| Close::new(CloseCode::SESSION_EXPIRED))
    }

    fn attach(&mut self, conn: ConnId, first: &Packet, io: &mut Network) -> Result<(), Close> {
        let (live, attachment, next_up, greeting) = match first {
            Packet::Open(open) => {
                let Open { counter, instance, take, .. } = *open;
                let attachment = Attachment { counter, instance, take, ..Attachment::default() };
                (self.open(open, io)?, attachment, 1, Some(true))
            }
            Packet::Attach(attach) => {
                let Attach { counter, received, last, instance, take, .. } = *attach;
                let attachment = Attachment {
                    counter,
                    peer_received: received,
                    peer_sent: last,
                    instance,
                    take,
                };
                let greeting = (attach.greet || io.kind(conn) != Kind::Poll).then_some(false);
                (self.find(attach)?, attachment, attach.next, greeting)
            }
            other => panic!("{other:?} begins nothing"),
        };
        io.trace(|| format!("Server attaches {conn}: {attachment:?}"));
        let before = live.end.session.ownership().clone();
        let is_stale = live.end.session.is_stale();
        let attached = live.end.session.attach(attachment, io.now);
        let id = attached.inspect_err(|error| io.trace(|| format!("refused: {error}"))).map_err(
            |error| {
                io.stats.count(match error {
                    AttachError::Replaced | AttachError::Over(_) => What::RefusedAttachments,
                    AttachError::Taken { .. } => What::TakenAttachments,
                    AttachError::Gap => What::TakeOverGaps,
                    AttachError::Stale => What::StaleCheckpoints,
                    AttachError::Violation => panic!("an honest client is blamed"),
                });
                if error == AttachError::Stale {
                    live.end.abort(error.close(), io);
                }
                error.close()
            },
        )?;
        let is_lost = |close: &Close| close.code == CloseCode::SESSION_RESTARTED;
        if is_stale && !live.end.ended.as_ref().is_some_and(is_lost) {
            live.revive(attachment, io);
        }
        live.hand_on(before, attachment, io);
        let next_down = live.end.session.next_number();
        live.downs.push(Down { conn, id, greeting, next_up, next_down });
        Ok(())
    }

    /// The session of the key, or a new one.
    fn open(&mut self, open: &Open, io: &mut Network) -> Result<&mut Live, Close> {
        if self.spent.contains(&open.key) {
            return Err(Close::new(CloseCode::SESSION_EXPIRED));
        }
        let is_it = |live: &Live| live.key == open.key && !live.end.session.is_stale();
        if !self.live.as_ref().is_some_and(is_it) {
            let local = [io.rng.next().to_be_bytes(), io.rng.next().to_be_bytes()].concat();
            let id = SessionId::new(self.node, local[..12].try_into().expect("12 bytes"));
            let mut end = Endpoint::new(Side::Server, io);
            end.peer_log = Some(io.truth.log_of(open.key, open.instance));
            io.truth.add_session(id, end.log);
            let (secret, key) = (draw_token(io), open.key);
            let live = Live { end, id, secret, key, downs: Vec::new() };
            let before = self.live.replace(live).map(|before| before.key);
            self.spent.extend(before.filter(|before| *before != key));
        }
        Ok(self.live.as_mut().expect("it was just made"))
    }

    fn refuse(&self, conn: ConnId, close: Close, io: &mut Network) {
        let replaced = close.code == CloseCode::REPLACED;
        let body = line(&Packet::Close(close));
        match io.kind(conn) {
            Kind::Poll if replaced => io.answer(conn, Bytes::new()),
            Kind::Sse => {
                io.stream(conn, 0, &body);
                io.close(conn, Side::Server);
            }
            Kind::WebSocket => {
                io.send_down(conn, Wire::Text(body));
                io.close(conn, Side::Server);
            }
            _ => io.answer(conn, body),
        }
    }
}

impl Live {
    pub(crate) const fn new(
        end: Endpoint,
        (id, secret, key): (SessionId, Secret, OpenKey),
    ) -> Self {
        Self { end, id, secret, key, downs: Vec::new() }
    }

    fn down(&mut self, conn: ConnId) -> Option<&mut Down> {
        self.downs.iter_mut().find(|down| down.conn == conn)
    }

    /// Handles the packets of a message or of the body that attached.
    fn take(&mut self, conn: ConnId, packets: impl Iterator<Item = Packet>, io: &mut Network) {
        for packet in packets {
            // A body that attaches and a POST may overtake each other.
            let in_order = io.kind(conn) == Kind::WebSocket && !io.is_overtaken(conn);
            let Some(down) = self.downs.iter_mut().find(|down| down.conn == conn) else { return };
            if !self.end.session.hears(down.id) {
                return;
            }
            let number = number(&mut down.next_up, &packet);
            if !matches!(packet, Packet::Position(_)) {
                self.end.feed(number, packet, in_order, io);
            }
        }
    }

    /// Handles the packets of a POST and returns the number received so far.
    fn take_post(
        &mut self,
        attach: &Attach,
        packets: impl Iterator<Item = Packet>,
        conn: ConnId,
        repeated: bool,
        io: &mut Network,
    ) -> Result<u64, Close> {
        self.end.session.check_owner(attach.instance).map_err(|error| match error {
            AttachError::Stale => {
                io.stats.count(What::StalePosts);
                checkpoint::come_back()
            }
            error => {
                io.stats.count(What::ForeignPosts);
                error.close()
            }
        })?;
        let in_order = !repeated && !io.is_overtaken(conn);
        self.end.feed(0, Packet::Confirm(attach.received), in_order, io);
        if attach.next > self.end.session.received() + 1 {
            return Ok(self.end.session.state_received());
        }
        let packets: Vec<Packet> = packets.collect();
        self.try_gap(attach.next + 1, &packets, io);
        let mut next = attach.next;
        for packet in packets {
            if io.fault(5) {
                io.stats.count(What::CutBodies);
                break;
            }
            let number = number(&mut next, &packet);
            if !matches!(packet, Packet::Position(_)) {
                self.end.feed(number, packet, in_order, io);
            }
        }
        Ok(self.end.session.state_received())
    }

    /// Another instance of the client may own the session now.
    fn hand_on(&mut self, before: Ownership, attachment: Attachment, io: &mut Network) {
        let log = io.truth.log_of(self.key, attachment.instance);
        if self.end.peer_log == Some(log) {
            return;
        }
        let owner = attachment.take.map(|take| take.from);
        io.stats.count(if before.owner == owner { What::TakeOvers } else { What::Successions });
        self.end.hand_on(log, io);
    }

    /// No correct client leaves a number out, so the simulation does it now and then.
    fn try_gap(&mut self, second: u64, packets: &[Packet], io: &mut Network) {
        let packet = packets.iter().filter(|packet| packet.is_tracked()).nth(1);
        if let Some(packet) = packet.filter(|_| second > self.end.session.received() + 1) {
            io.stats.count(What::Gaps);
            self.end.refuse(second, packet.clone(), io);
        }
    }

    /// Returns true when the carrier has ended.
    fn flush_stream(&mut self, at: usize, io: &mut Network) -> bool {
        let most = if io.fault(30) { io.rng.below(4) as usize } else { usize::MAX };
        let (transmits, gone) = match self.end.drain(self.downs[at].id, most, io) {
            Ok(transmits) => (transmits, None),
            Err(gone) => (Vec::new(), Some(gone)),
        };
        let conn = self.downs[at].conn;
        let mut writer = Writer::new(self.downs[at].next_down);
        let binary = io.kind(conn) == Kind::WebSocket;
        if let Some(close) = gone.and_then(CarrierGone::close) {
            writer.line(&Packet::Close(close));
        } else if let Some(secret) = self.downs[at].greeting.take() {
            writer.line(&self.welcome(secret, self.downs[at].next_down));
        }
        for transmit in &transmits {
            if binary { writer.message(transmit, io) } else { writer.text_line(transmit, io) }
        }
        self.downs[at].next_down = writer.next();
        if binary {
            writer.into_messages().into_iter().for_each(|wire| io.send_down(conn, wire));
        } else {
            let last = writer.next() - 1;
            let batch = writer.into_body();
            if !batch.is_empty() {
                io.stream(conn, last, &batch);
            }
        }
        if gone.is_some() {
            io.close(conn, Side::Server);
        }
        gone.is_some()
    }

    /// Answers a poll if there is something to send. Returns true if it was answered.
    fn flush_poll(&mut self, at: usize, detach: bool, io: &mut Network) -> bool {
        let (conn, id, next) = {
            let down = &self.downs[at];
            (down.conn, down.id, self.end.session.next_number())
        };
        let most = io.rng.between(1, 10) as usize;
        let transmits = match self.end.drain(id, most, io) {
            Ok(transmits) if transmits.is_empty() && self.downs[at].greeting.is_none() => {
                return false;
            }
            Ok(transmits) => transmits,
            Err(gone) => {
                let close = gone.close().filter(|close| close.code != CloseCode::REPLACED);
                let body = close.map(|close| line(&Packet::Close(close)));
                io.answer(conn, body.unwrap_or_default());
                return true;
            }
        };
        let mut writer = Writer::new(next);
        match self.downs[at].greeting {
            Some(secret) => writer.line(&self.welcome(secret, next)),
            None => writer.line(&Packet::Position(next)),
        }
        transmits.iter().for_each(|transmit| writer.text_line(transmit, io));
        io.answer(conn, writer.into_body());
        if detach {
            self.end.session.detach(id, io.now);
        }
        true
    }

    fn welcome(&mut self, secret: bool, next: u64) -> Packet {
        Packet::Welcome(Box::new(Welcome {
            session: self.id,
            secret: secret.then_some(self.secret),
            received: self.end.session.state_received(),
            next,
            heartbeat: HEARTBEAT,
            grace: GRACE,
            window: WINDOW,
            limits: Limits::default(),
        }))
    }
}

fn line(packet: &Packet) -> Bytes {
    let mut line = String::new();
    packet.write_line(&mut line).expect("control packets can be written");
    line.into()
}

fn draw_node(io: &mut Network) -> NodeId {
    NodeId::from_bytes(io.rng.next().to_be_bytes()[..6].try_into().expect("6 bytes"))
}
