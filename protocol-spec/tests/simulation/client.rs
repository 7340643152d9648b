//! The client's driver: connects, switches, posts, polls and reopens.

use bowline_protocol::{
    Attach, Attachment, CarrierId, Close, CloseCode, Limits, Open, OpenKey, Packet, Retry, Secret,
    SessionId, SseDecoder, Take, Time, Token, Welcome,
};

use crate::endpoint::Endpoint;
use crate::network::{ConnId, Happening, Kind, Network, Side, What};
use crate::wire::{Wire, Writer, number, read};

#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) end: Endpoint,
    /// Distinguishes it from other instances of the same client.
    pub(crate) instance: u64,
    /// The instance that it continues, until its welcome.
    take: Option<Take>,
    /// It has lost a session, and has opened another one.
    pub(crate) has_lost: bool,
    key: OpenKey,
    identity: Option<(SessionId, Secret)>,
    counter: u64,
    current: Option<Current>,
    /// Every connection that may still bring packets, older carriers included.
    inbound: Vec<Inbound>,
    posting: Option<Posting>,
    /// The next POST is sent even if it contains only a confirmation.
    must_post: bool,
    reconnecting: bool,
    /// It opens no carrier before this time.
    pub(crate) offline_until: Time,
}

/// The carrier that serves the session.
#[derive(Debug)]
struct Current {
    kind: Kind,
    id: CarrierId,
    /// `None` between two polls.
    conn: Option<ConnId>,
    writer: Option<Writer>,
}

#[derive(Debug)]
struct Inbound {
    conn: ConnId,
    welcomed: bool,
    /// The number of the next tracked packet on it.
    next: u64,
    decoder: SseDecoder,
}

#[derive(Debug)]
enum Posting {
    /// Waits for the response; the body contained packets up to the number.
    Waiting(ConnId, u64),
    /// Waits before it sends again.
    Pausing,
}

impl Client {
    pub(crate) fn new(io: &mut Network) -> Self {
        let mut end = Endpoint::new(Side::Client, io);
        end.require_set_up(io);
        let instance = draw_instance(io);
        let key = draw_key(&end, instance, io);
        Self::with(end, instance, key)
    }

    /// Another page that continues from the stored state of this one, which may still live.
    pub(crate) fn copy(&self, io: &mut Network) -> Self {
        let end = self.end.copy(io);
        let instance = draw_instance(io);
        io.truth.add_writer(self.key, instance, end.log);
        // Before its welcome, a page has sent nothing, and its stored state has the numbers of
        // another one.
        let (from, last) = (self.instance, io.truth.logs[self.end.log].transmitted);
        let kept = io.truth.logs[end.log].len();
        Self {
            take: Some(Take { kept, ..self.take.unwrap_or(Take { from, last, kept }) }),
            identity: self.identity,
            counter: self.counter + COUNTERS,
            ..Self::with(end, instance, self.key)
        }
    }

    const fn with(end: Endpoint, instance: u64, key: OpenKey) -> Self {
        Self {
            end,
            instance,
            take: None,
            has_lost: false,
            key,
            identity: None,
            counter: 0,
            current: None,
            inbound: Vec::new(),
            posting: None,
            must_post: false,
            reconnecting: false,
            offline_until: Time::ZERO,
        }
    }

    pub(crate) const fn session_id(&self) -> Option<SessionId> {
        match self.identity {
            Some((session, _)) => Some(session),
            None => None,
        }
    }

    /// The carrier or exchange in use, to be cut.
    pub(crate) fn current_conn(&self) -> Option<ConnId> {
        self.current.as_ref()?.conn
    }

    /// True if its session has ended, and it opens no other.
    pub(crate) const fn is_over(&self) -> bool {
        self.end.ended.is_some()
    }

    /// True until the server has accepted that it continues the session of another instance.
    pub(crate) const fn is_unwelcomed(&self) -> bool {
        self.take.is_some()
    }

    /// The page is gone, perhaps without closing its carriers.
    pub(crate) fn vanish(self, io: &mut Network) {
        for inbound in self.inbound {
            if io.rng.chance(50) {
                io.close(inbound.conn, Side::Client);
            }
        }
    }

    /// Opens a new carrier, beside or instead of the present one.
    pub(crate) fn connect(&mut self, kind: Kind, io: &mut Network) {
        if self.end.session.is_finished(io.now) || !self.has_peer() {
            return;
        }
        if self.current.is_some() {
            io.stats.count(What::Switches);
        }
        for at in (0..self.inbound.len()).rev() {
            if io.rng.chance(50) {
                let inbound = self.inbound.swap_remove(at);
                io.close(inbound.conn, Side::Client);
            }
        }
        self.attach(kind, io);
    }

    /// Sends everything that is due on the present carriers.
    pub(crate) fn flush(&mut self, io: &mut Network) {
        if self.end.session.is_finished(io.now) {
            return self.leave(io);
        }
        let Some(current) = &self.current else { return self.reconnect(io) };
        if !self.end.session.is_attached() {
            return self.lose(io);
        }
        match (current.kind, current.conn) {
            (Kind::Poll, None) if !self.has_peer() => {}
            (Kind::WebSocket, _) => self.flush_websocket(io),
            (Kind::Poll, None) => {
                if io.rng.chance(50) || self.identity.is_none() {
                    self.attach(Kind::Poll, io);
                } else {
                    self.poll(io);
                }
            }
            _ => {}
        }
        if self.current.as_ref().is_some_and(|current| current.kind != Kind::WebSocket) {
            self.post(io);
        }
    }

    /// The client has received a message, a piece of a stream or a response.
    pub(crate) fn receive(&mut self, conn: ConnId, wire: &Wire, io: &mut Network) {
        if io.is_cut(conn) {
            return;
        }
        if io.kind(conn) == Kind::Post {
            return self.receive_post(conn, wire, io);
        }
        let Some(at) = self.inbound.iter().position(|inbound| inbound.conn == conn) else { return };
        match io.kind(conn) {
            Kind::Sse => {
                let Wire::Text(piece) = wire else { panic!("a stream is text") };
                self.inbound[at].decoder.push(piece);
                while let Some(event) = self.next_event(conn) {
                    let last: u64 = event.id.parse().expect("the id is a number");
                    self.take(conn, &Wire::Text(event.data.into()), io);
                    if let Some(inbound) = self.inbound.iter().find(|inbound| inbound.conn == conn)
                    {
                        assert_eq!(inbound.next, last + 1, "the id is the last tracked number");
                    }
                }
            }
            Kind::Poll => {
                self.take(conn, wire, io);
                self.inbound.retain(|inbound| inbound.conn != conn);
                if let Some(current) = self.current.as_mut().filter(|c| c.conn == Some(conn)) {
                    current.conn = None;
                }
            }
            _ => self.take(conn, wire, io),
        }
    }

    /// A carrier or exchange has ended.
    pub(crate) fn gone(&mut self, conn: ConnId, io: &mut Network) {
        io.give_up(conn);
        self.inbound.retain(|inbound| inbound.conn != conn);
        if matches!(self.posting, Some(Posting::Waiting(posted, _)) if posted == conn) {
            self.pause_posting(io);
        }
        if self.current_conn() == Some(conn) {
            self.lose(io);
        }
    }

    pub(crate) fn handle_reconnect(&mut self, io: &mut Network) {
        self.reconnecting = false;
        if self.current.is_none() {
            let kind = random_kind(io);
            self.connect(kind, io);
        }
    }

    pub(crate) fn handle_repost(&mut self, io: &mut Network) {
        if !matches!(self.posting, Some(Posting::Pausing)) {
            return;
        }
        self.posting = None;
        // On a WebSocket numbers are implicit, so nothing may be sent twice there.
        if self.current.as_ref().is_some_and(|current| current.kind != Kind::WebSocket) {
            io.stats.count(What::Retransmissions);
            self.end.session.retransmit();
            self.must_post = true;
        }
    }

    /// False when the session ended before the server's welcome: there is no peer to notify.
    fn has_peer(&self) -> bool {
        self.identity.is_some() || self.end.ended.is_none()
    }

    fn attach(&mut self, kind: Kind, io: &mut Network) {
        self.counter += 1;
        let confirmed = self.end.session.confirmed();
        let counter = self.counter;
        let attachment = Attachment { counter, peer_received: confirmed, ..Attachment::default() };
        let id = self.end.session.attach(attachment, io.now).expect("our own counter rises");
        let conn = io.open(kind, (self.instance, self.counter));
        let first = self.first_line(true);
        let mut writer = Writer::new(self.end.session.next_number());
        writer.line(&first);
        io.stats.count(match kind {
            Kind::WebSocket => What::WebSockets,
            Kind::Sse => What::Streams,
            _ => What::Polls,
        });
        if kind != Kind::WebSocket {
            let most = if io.rng.chance(50) && self.posting.is_none() { 4 } else { 0 };
            for transmit in self.end.drain(id, most, io).unwrap_or_default() {
                writer.text_line(&transmit, io);
            }
            io.request(conn, writer.into_body());
            self.current = Some(Current { kind, id, conn: Some(conn), writer: None });
        } else {
            self.current = Some(Current { kind, id, conn: Some(conn), writer: Some(writer) });
        }
        let decoder = SseDecoder::new(&Limits::default());
        self.inbound.push(Inbound { conn, welcomed: false, next: 1, decoder });
    }

    /// A poll that only renews the attachment on the wire, not in the session.
    fn poll(&mut self, io: &mut Network) {
        self.counter += 1;
        let conn = io.open(Kind::Poll, (self.instance, self.counter));
        let mut writer = Writer::new(1);
        writer.line(&self.first_line(false));
        io.request(conn, writer.into_body());
        io.stats.count(What::Polls);
        self.current.as_mut().expect("a poll is current").conn = Some(conn);
        let decoder = SseDecoder::new(&Limits::default());
        self.inbound.push(Inbound { conn, welcomed: true, next: 1, decoder });
    }

    fn first_line(&mut self, greet: bool) -> Packet {
        let next = self.end.session.next_number();
        let Some((session, secret)) = self.identity else {
            assert_eq!(next, 1, "the packets of an open begin with the first");
            let auth = "{\"user\":1}".into();
            let Self { key, counter, instance, take, .. } = *self;
            return Packet::Open(Open { key, counter, instance, take, auth });
        };
        let received = self.end.session.state_received();
        let last = self.end.session.transmitted();
        let Self { counter, instance, take, .. } = *self;
        Packet::Attach(Attach {
            session,
            secret,
            counter,
            received,
            next,
            last,
            instance,
            take,
            greet,
        })
    }

    fn flush_websocket(&mut self, io: &mut Network) {
        // A slow socket accepts a few packets now and the others later.
        let most = if io.fault(30) { io.rng.below(4) as usize } else { usize::MAX };
        let current = self.current.as_mut().expect("a WebSocket is current");
        let Ok(transmits) = self.end.drain(current.id, most, io) else { return self.lose(io) };
        let mut writer = current.writer.take().expect("a WebSocket has a writer");
        for transmit in &transmits {
            writer.message(transmit, io);
        }
        let conn = current.conn.expect("a WebSocket has a connection");
        current.writer = Some(Writer::new(writer.next()));
        for wire in writer.into_messages() {
            io.send_up(conn, wire);
        }
    }

    fn post(&mut self, io: &mut Network) {
        let wanted = self.end.session.wants_transmit(io.now) || self.must_post;
        let (Some(current), Some((session, secret))) = (&self.current, self.identity) else {
            return;
        };
        // Before the welcome it is unknown whether the server refuses the carrier, and its packets.
        let welcomed = self.inbound.iter().any(|h| Some(h.conn) == current.conn && h.welcomed);
        if !wanted || self.posting.is_some() || !welcomed {
            return;
        }
        let (id, next) = (current.id, self.end.session.next_number());
        let received = self.end.session.state_received();
        let mut writer = Writer::new(next);
        let attach = Attach {
            session,
            secret,
            counter: 0,
            received,
            next,
            last: 0,
            instance: self.instance,
            take: None,
            greet: false,
        };
        writer.line(&Packet::Attach(attach));
        let most = io.rng.between(1, 12) as usize;
        for transmit in self.end.drain(id, most, io).unwrap_or_default() {
            writer.text_line(&transmit, io);
        }
        let conn = io.open(Kind::Post, (self.instance, self.counter));
        io.stats.count(What::Posts);
        self.posting = Some(Posting::Waiting(conn, writer.next() - 1));
        self.must_post = false;
        io.request(conn, writer.into_body());
    }

    fn receive_post(&mut self, conn: ConnId, wire: &Wire, io: &mut Network) {
        let Some(Posting::Waiting(posted, last)) = self.posting else { return };
        if posted != conn {
            return;
        }
        self.posting = None;
        for packet in read(wire) {
            match packet {
                Packet::Confirm(through) => {
                    self.end.feed(0, packet, true, io);
                    if through < last {
                        self.pause_posting(io);
                    }
                }
                Packet::Close(close) => self.close(close, io),
                other => panic!("{other:?} answers no POST"),
            }
        }
    }

    /// Handles the packets of one message, event or response.
    fn take(&mut self, conn: ConnId, wire: &Wire, io: &mut Network) {
        for packet in read(wire) {
            let Some(at) = self.inbound.iter().position(|inbound| inbound.conn == conn) else {
                return;
            };
            let inbound = &mut self.inbound[at];
            let current = self.current.as_ref().is_some_and(|current| current.conn == Some(conn));
            match packet {
                Packet::Welcome(welcome) => self.welcome(at, &welcome, io),
                Packet::Close(close) if current => return self.close(close, io),
                Packet::Close(_) => {
                    self.inbound.swap_remove(at);
                    return;
                }
                packet => {
                    let number = number(&mut inbound.next, &packet);
                    if !matches!(packet, Packet::Position(_)) {
                        assert!(inbound.welcomed, "the welcome comes first");
                        self.end.feed(number, packet, current, io);
                    }
                }
            }
        }
    }

    fn welcome(&mut self, at: usize, welcome: &Welcome, io: &mut Network) {
        let inbound = &mut self.inbound[at];
        let conn = inbound.conn;
        if self.identity.is_some_and(|(session, _)| session != welcome.session) {
            self.inbound.swap_remove(at);
            return;
        }
        (inbound.welcomed, inbound.next) = (true, welcome.next);
        self.take = None;
        if let Some(secret) = welcome.secret {
            self.identity = Some((welcome.session, secret));
        } else {
            io.stats.count(What::Resumes);
        }
        self.end.peer_log = Some(io.truth.log_of_session(welcome.session));
        io.trace(|| format!("Client is welcomed on {conn}: {welcome}"));
        self.end.session.handle_welcome(welcome, io.now).expect("an honest welcome");
        let by_post = self.current.as_ref().is_some_and(|current| current.kind != Kind::WebSocket);
        if by_post && self.posting.is_none() {
            self.end.session.retransmit();
        }
    }

    /// The server closes the current carrier or the session.
    fn close(&mut self, close: Close, io: &mut Network) {
        let retry = close.code.retry();
        let taken = close.code == CloseCode::SESSION_TAKEN;
        let taken = taken.then(|| close.last.expect("the server says what was taken"));
        self.end.feed(0, Packet::Close(close), true, io);
        if self.end.ended.is_some() {
            return;
        }
        if retry == Retry::Reopen { self.reopen(taken, io) } else { self.lose(io) }
    }

    fn reopen(&mut self, taken: Option<u64>, io: &mut Network) {
        io.trace(|| format!("Client {} reopens", self.instance));
        io.stats.count(if taken.is_some() { What::Losers } else { What::Reopens });
        for inbound in self.inbound.drain(..) {
            io.close(inbound.conn, Side::Client);
        }
        self.end.reopen(taken, io);
        self.end.require_set_up(io);
        self.key = draw_key(&self.end, self.instance, io);
        (self.take, self.has_lost) = (None, true);
        (self.identity, self.counter, self.current, self.posting) = (None, 0, None, None);
    }

    /// The current carrier is lost; the session is not.
    fn lose(&mut self, io: &mut Network) {
        let Some(current) = self.current.take() else { return };
        self.end.session.detach(current.id, io.now);
        if let Some(conn) = current.conn {
            self.inbound.retain(|inbound| inbound.conn != conn);
            io.close(conn, Side::Client);
        }
    }

    /// The session is over: the client receives nothing more.
    fn leave(&mut self, io: &mut Network) {
        self.lose(io);
        for inbound in self.inbound.drain(..) {
            io.close(inbound.conn, Side::Client);
        }
    }

    fn reconnect(&mut self, io: &mut Network) {
        if std::mem::replace(&mut self.reconnecting, true) {
            return;
        }
        let offline = (self.offline_until - io.now).as_millis() as u64;
        let pause = if io.healed { 20 } else { io.rng.between(1, 1500) };
        io.after(pause.max(offline), Happening::Reconnect(self.instance));
    }

    fn pause_posting(&mut self, io: &mut Network) {
        self.posting = Some(Posting::Pausing);
        let pause = if io.healed { 20 } else { io.rng.between(1, 500) };
        io.after(pause, Happening::Repost(self.instance));
    }

    fn next_event(&mut self, conn: ConnId) -> Option<bowline_protocol::SseEvent> {
        let inbound = self.inbound.iter_mut().find(|inbound| inbound.conn == conn)?;
        inbound.decoder.next_event().expect("a stream is readable")
    }
}

pub(crate) fn random_kind(io: &mut Network) -> Kind {
    [Kind::WebSocket, Kind::Sse, Kind::Poll][io.rng.below(3) as usize]
}

fn draw_key(end: &Endpoint, instance: u64, io: &mut Network) -> OpenKey {
    let key = draw_token(io);
    io.truth.add_writer(key, instance, end.log);
    key
}

fn draw_instance(io: &mut Network) -> u64 {
    io.rng.next() & Limits::NUMBER
}

/// More than the attachments of a page before it stores anything.
const COUNTERS: u64 = 1000;

pub(crate) fn draw_token(io: &mut Network) -> Token {
    let random = [io.rng.next().to_be_bytes(), io.rng.next().to_be_bytes()].concat();
    Token::from_bytes(random.try_into().expect("16 bytes"))
}
