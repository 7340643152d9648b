//! One client of a fleet: a dialect on its connections.

use std::collections::VecDeque;
use std::net::SocketAddr;

use bowline_raw_client::{Frame, write_masked};
use mio::Registry;

use crate::dialect::{Dialect, Outgoing, Seen, Transport};
use crate::link::Link;
use crate::tally::Tally;
use crate::{clock, http};

#[derive(Debug)]
pub(crate) struct Client {
    transport: Transport,
    dialect: Box<dyn Dialect>,
    /// The connection for messages from the server.
    down: Link,
    /// The connection for messages to the server, where that is another one.
    up: Option<Link>,
    out: Outgoing,
    /// The head of the response has come.
    opened: bool,
    pub(crate) ready: bool,
    /// A POST is not answered yet.
    posting: bool,
    events: http::Events,
    /// When the requests that wait for an answer were sent, and how many bytes are to come back.
    asked: VecDeque<(u64, usize)>,
    /// Messages of the room that have come on these connections.
    pub(crate) deliveries: u64,
    /// How often something was read from them.
    pub(crate) reads: u64,
}

/// One of the connections of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Down,
    Up,
}

impl Client {
    pub(crate) fn connect(
        server: SocketAddr,
        registry: &Registry,
        number: usize,
        transport: Transport,
        dialect: Box<dyn Dialect>,
    ) -> Result<Self, String> {
        let up = (transport != Transport::WebSocket)
            .then(|| Link::connect(server, registry, number * 2 + 1))
            .transpose()?;
        let mut down = Link::connect(server, registry, number * 2)?;
        let mut dialect = dialect;
        match transport {
            Transport::WebSocket => http::upgrade(dialect.socket_path(), &mut down.output),
            Transport::Events | Transport::Polling => dialect.open(transport, &mut down.output),
        }
        let out = Outgoing::new(dialect.separator(transport));
        Ok(Self {
            transport,
            dialect,
            down,
            up,
            out,
            opened: false,
            ready: false,
            posting: false,
            events: http::Events::default(),
            asked: VecDeque::new(),
            deliveries: 0,
            reads: 0,
        })
    }

    /// The connections are gone; the session waits.
    pub(crate) fn disconnect(&mut self) {
        self.down.cut();
        self.up.iter_mut().for_each(Link::cut);
    }

    /// The same session on a new connection.
    pub(crate) fn reconnect(
        self,
        server: SocketAddr,
        registry: &Registry,
        number: usize,
    ) -> Result<Self, String> {
        let Self { transport, mut dialect, down, up, .. } = self;
        // Gone before the next ones come.
        drop((down, up));
        dialect.resume();
        Self::connect(server, registry, number, transport, dialect)
    }

    /// Something has come, or there is room to write.
    pub(crate) fn turn(
        &mut self,
        side: Side,
        buffer: &mut [u8],
        tally: &mut Tally,
    ) -> Result<(), String> {
        if let Some(size) = self.link(side).read(buffer)? {
            tally.reads += 1;
            self.reads += 1;
            let link = self.link(side);
            if link.input.is_empty() {
                let used = self.take(side, &buffer[..size], tally)?;
                self.link(side).input.extend_from_slice(&buffer[used..size]);
            } else {
                let mut input = std::mem::take(&mut link.input);
                input.extend_from_slice(&buffer[..size]);
                let used = self.take(side, &input, tally)?;
                input.drain(..used);
                self.link(side).input = input;
            }
        }
        Ok(())
    }

    /// Asks until so many requests wait for their answers.
    pub(crate) fn ask(&mut self, window: usize, payload: &[u8]) {
        while self.ready && self.asked.len() < window {
            self.asked.push_back((clock::now(), payload.len()));
            self.dialect.request(payload, &mut self.out);
        }
    }

    pub(crate) fn publish(&mut self, payload: &[u8]) {
        self.dialect.publish(payload, &mut self.out);
    }

    /// Sends what waits.
    pub(crate) fn flush(&mut self) -> Result<(), String> {
        match &mut self.up {
            None => self.out.send_to_socket(&mut self.down.output),
            Some(up) => {
                if !self.posting && !self.out.bytes.is_empty() {
                    self.posting = true;
                    self.dialect.post(&self.out.bytes, &mut up.output);
                    self.out.bytes.clear();
                }
                up.flush()?;
            }
        }
        self.down.flush()
    }

    fn link(&mut self, side: Side) -> &mut Link {
        match (side, &mut self.up) {
            (Side::Up, Some(up)) => up,
            _ => &mut self.down,
        }
    }

    /// Takes whole messages from the input and returns how many bytes they were.
    fn take(&mut self, side: Side, input: &[u8], tally: &mut Tally) -> Result<usize, String> {
        match (side, self.transport) {
            (Side::Up, _) => self.take_answer(input),
            (_, Transport::WebSocket) => self.take_frames(input, tally),
            (_, Transport::Events) => self.take_events(input, tally),
            (_, Transport::Polling) => self.take_polls(input, tally),
        }
    }

    fn take_frames(&mut self, input: &[u8], tally: &mut Tally) -> Result<usize, String> {
        let mut at = self.take_head(input, 101)?;
        if at > 0 {
            let Self { dialect, out, ready, .. } = self;
            dialect.opened(out, &mut |seen| *ready |= seen == Seen::Ready);
        }
        while self.opened
            && let Some((frame, size)) = Frame::parse(&input[at..])?
        {
            at += size;
            match frame.opcode {
                Frame::TEXT => self.take_message(frame.payload, tally)?,
                Frame::PING => {
                    let first = Frame::FIN | Frame::PONG;
                    write_masked(first, &[frame.payload], &mut self.down.output);
                }
                Frame::CLOSE => return Err("the server closed the websocket".into()),
                other => return Err(format!("a frame of opcode {other}")),
            }
        }
        Ok(at)
    }

    fn take_events(&mut self, input: &[u8], tally: &mut Tally) -> Result<usize, String> {
        let at = self.take_head(input, 200)?;
        if !self.opened {
            return Ok(0);
        }
        let mut events = std::mem::take(&mut self.events);
        let used = events.read(&input[at..], |data| self.take_message(data, tally))?;
        self.events = events;
        Ok(at + used)
    }

    fn take_polls(&mut self, input: &[u8], tally: &mut Tally) -> Result<usize, String> {
        let mut at = 0;
        while let Some(response) = http::read(&input[at..])? {
            check(response.status, 200, response.body)?;
            at += response.size;
            self.take_message(response.body, tally)?;
            self.dialect.poll(&mut self.down.output);
        }
        Ok(at)
    }

    /// The answer to a POST says at most what the polls say too.
    fn take_answer(&mut self, input: &[u8]) -> Result<usize, String> {
        let Some(response) = http::read(input)? else { return Ok(0) };
        check(response.status, 200, response.body)?;
        self.posting = false;
        Ok(response.size)
    }

    /// Returns the bytes of the head if it is first seen now.
    fn take_head(&mut self, input: &[u8], status: u16) -> Result<usize, String> {
        if self.opened {
            return Ok(0);
        }
        let Some(head) = http::head(input)? else { return Ok(0) };
        check(head.status, status, input)?;
        self.opened = true;
        Ok(head.size)
    }

    fn take_message(&mut self, message: &[u8], tally: &mut Tally) -> Result<(), String> {
        let Self { dialect, out, ready, asked, deliveries, .. } = self;
        let mut echoed = true;
        dialect.message(message, out, &mut |seen| match seen {
            Seen::Ready => *ready = true,
            Seen::Answer(answer) => {
                let request = asked.pop_front();
                echoed &= request.is_some_and(|(_, length)| answer.len() >= length);
                tally.count(request.map(|(sent, _)| sent));
            }
            Seen::Delivery(payload) => {
                *deliveries += 1;
                // Every sixteenth is as good as all, and what it costs is not to be measured.
                let sampled = tally.messages.is_multiple_of(16);
                tally.count(sampled.then(|| clock::stamped(payload)).flatten());
            }
        })?;
        if echoed { Ok(()) } else { Err("an answer that is no echo, or to nothing".into()) }
    }
}

fn check(status: u16, expected: u16, text: &[u8]) -> Result<(), String> {
    if status == expected {
        return Ok(());
    }
    Err(format!("the server answered {}", String::from_utf8_lossy(&text[..text.len().min(300)])))
}
