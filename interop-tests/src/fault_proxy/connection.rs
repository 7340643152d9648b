//! One connection through the proxy.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::faults::{Cut, Direction};
use super::line::{Entry, line};
use super::requests::{Head, Part, Requests};
use super::shared::{Shared, lock};

/// Takes connections for ever.
pub(super) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut number = 0;
    loop {
        let Ok((client, _)) = listener.accept().await else { continue };
        if shared.faults().refuse_connections {
            shared.count(|counters| counters.refused_connections += 1);
            end(Cut::Reset, client).await;
            continue;
        }
        number += 1;
        shared.spawn(serve(shared.clone(), number, client));
    }
}

/// Why a connection is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// Both peers ended it.
    Over,
    /// A peer broke it, or could not be reached.
    Broken,
    /// It was to be cut in the middle of a body.
    MidBody,
}

async fn serve(shared: Arc<Shared>, number: u64, mut client: TcpStream) {
    let ordered = shared.opened(number);
    let mut server = None;
    let how = tokio::select! {
        biased;
        Ok(how) = ordered => how,
        ending = relay(&shared, &mut client, &mut server) => {
            if ending == Ending::MidBody {
                shared.count(|counters| counters.cut += 1);
            }
            if ending == Ending::Broken { Cut::Reset } else { Cut::Finish }
        }
    };
    end(how, client).await;
    if let Some(server) = server {
        end(how, server).await;
    }
    shared.closed(number);
}

async fn end(how: Cut, mut stream: TcpStream) {
    // Either fails only when the peer was faster, and then the connection is over as well.
    let _ = match how {
        Cut::Reset => stream.set_zero_linger(),
        Cut::Finish => stream.shutdown().await,
    };
}

async fn relay(
    shared: &Arc<Shared>,
    client: &mut TcpStream,
    server: &mut Option<TcpStream>,
) -> Ending {
    let Ok(stream) = TcpStream::connect(shared.faults().target).await else {
        shared.count(|counters| counters.refused_connections += 1);
        return Ending::Broken;
    };
    let server = server.insert(stream);
    if client.set_nodelay(true).is_err() || server.set_nodelay(true).is_err() {
        return Ending::Broken;
    }
    let ((from_client, to_client), (from_server, to_server)) = (client.split(), server.split());
    let ((up, up_exit), (down, down_exit)) = (line(), line());
    let (body_cut, dead) = (Mutex::new(None), AtomicBool::new(false));
    let (body_cut, dead) = (&body_cut, &dead);
    let uplink = Uplink { shared, body_cut, dead, up, down: down.clone(), copy: None };
    let ended = tokio::try_join!(
        uplink.run(from_client),
        up_exit.deliver(
            to_server,
            |bytes| shared.count(|counters| counters.bytes_up += bytes),
            |request| shared.spawn(replay(shared.clone(), request)),
        ),
        downlink(shared, body_cut, dead, down, from_server),
        down_exit.deliver(
            to_client,
            |bytes| shared.count(|counters| counters.bytes_down += bytes),
            drop,
        ),
    );
    ended.err().unwrap_or(Ending::Over)
}

/// What a client sends, request by request.
struct Uplink<'a> {
    shared: &'a Shared,
    body_cut: &'a Mutex<Option<BodyCut>>,
    /// Set when nothing more shall pass but the answer to the request that is under way.
    dead: &'a AtomicBool,
    up: Entry,
    down: Entry,
    /// The request so far, if it is to be sent twice, and the bytes that are missing.
    copy: Option<(BytesMut, usize)>,
}

impl Uplink<'_> {
    async fn run(mut self, from_client: impl AsyncRead + Unpin) -> Result<(), Ending> {
        let mut requests = Requests::new();
        let mut source = Source::new(self.shared, Direction::Up, from_client);
        while let Some(bytes) = source.next().await? {
            requests.push(&bytes);
            while let Some(part) = requests.next_part() {
                match part {
                    Part::Head(head) => self.head(head, &mut requests).await,
                    Part::Body(bytes) => self.body(bytes).await,
                    Part::Raw(bytes) => self.up.send(self.shared.due(), bytes).await,
                }
                if self.dead.load(Ordering::Relaxed) {
                    source.has_a_hole = true;
                    drop(requests.rest());
                }
            }
        }
        self.up.send(self.shared.due(), requests.rest()).await;
        self.up.end(self.shared.due());
        Ok(())
    }

    async fn head(&mut self, head: Head, requests: &mut Requests) {
        let faults = self.shared.faults();
        match faults.refuse_upgrade {
            Some(status) if head.is_upgrade => return self.refuse(status).await,
            _ if head.is_upgrade => {
                requests.give_up();
                self.dead.store(faults.dead_upgrades, Ordering::Relaxed);
            }
            _ => {}
        }
        self.watch_body();
        let small = head.body.filter(|body| *body <= MAX_REPLAY);
        if let Some(body) = small.filter(|_| head.is_post && faults.replay_posts) {
            self.copy = Some((BytesMut::from(&*head.bytes), body));
        }
        self.up.send(self.shared.due(), head.bytes).await;
        self.finish_copy();
    }

    async fn body(&mut self, bytes: Bytes) {
        if let Some((request, missing)) = &mut self.copy {
            request.extend_from_slice(&bytes);
            *missing -= bytes.len();
        }
        self.up.send(self.shared.due(), bytes).await;
        self.finish_copy();
    }

    fn finish_copy(&mut self) {
        if let Some((request, _)) = self.copy.take_if(|copy| copy.1 == 0) {
            self.up.mark(self.shared.due(), request.freeze());
        }
    }

    async fn refuse(&self, status: u16) {
        self.shared.count(|counters| counters.refused_upgrades += 1);
        let answer = format!("HTTP/1.1 {status} Refused\r\nContent-Length: 0\r\n\r\n");
        self.down.send(self.shared.due(), answer.into()).await;
    }

    /// From here on, what the server sends is the answer to this request.
    fn watch_body(&self) {
        let mut body_cut = lock(self.body_cut);
        *body_cut = match &*body_cut {
            Some(unused) => Some(BodyCut::new(unused.after)),
            None => self.shared.change(|faults| faults.cut_mid_body.take()).map(BodyCut::new),
        };
    }
}

async fn downlink(
    shared: &Shared,
    body_cut: &Mutex<Option<BodyCut>>,
    dead: &AtomicBool,
    down: Entry,
    from_server: impl AsyncRead + Unpin,
) -> Result<(), Ending> {
    let mut source = Source::new(shared, Direction::Down, from_server);
    while let Some(mut bytes) = source.next().await? {
        let cut = lock(body_cut).as_mut().and_then(|body_cut| body_cut.place_in(&bytes));
        bytes.truncate(cut.unwrap_or(bytes.len()));
        down.send(shared.due(), bytes).await;
        source.has_a_hole |= dead.load(Ordering::Relaxed);
        if cut.is_some() {
            down.cut(shared.due());
            return Ok(());
        }
    }
    down.end(shared.due());
    Ok(())
}

/// Reads one peer, and forgets what it says while it is muted.
struct Source<'a, R> {
    shared: &'a Shared,
    direction: Direction,
    read: R,
    buffer: BytesMut,
    has_a_hole: bool,
}

impl<'a, R: AsyncRead + Unpin> Source<'a, R> {
    fn new(shared: &'a Shared, direction: Direction, read: R) -> Self {
        Self { shared, direction, read, buffer: BytesMut::new(), has_a_hole: false }
    }

    /// The next bytes, or `None` at the end. Never returns when that end is swallowed.
    async fn next(&mut self) -> Result<Option<Bytes>, Ending> {
        loop {
            self.buffer.reserve(READ);
            let read = self.read.read_buf(&mut self.buffer).await;
            let bytes = self.buffer.split().freeze();
            self.shared.count(|counters| counters.bytes_received += bytes.len());
            self.has_a_hole |= self.shared.is_muted(self.direction);
            match read {
                Ok(0) | Err(_) if self.has_a_hole => std::future::pending().await,
                Ok(read) if self.has_a_hole => {
                    self.shared.count(|counters| counters.bytes_muted += read);
                }
                Ok(0) => return Ok(None),
                Ok(_) => return Ok(Some(bytes)),
                Err(_) => return Err(Ending::Broken),
            }
        }
    }
}

/// Finds the place in an answer where it is to be cut.
struct BodyCut {
    after: usize,
    /// Bytes of the empty line after the head that were seen.
    matched: usize,
    missing: usize,
}

impl BodyCut {
    fn new(after: usize) -> Self {
        Self { after, matched: 0, missing: after }
    }

    fn place_in(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while self.matched < HEAD_END.len() {
            let byte = *bytes.get(at)?;
            self.matched = match byte {
                _ if byte == HEAD_END[self.matched] => self.matched + 1,
                b'\r' => 1,
                _ => 0,
            };
            at += 1;
        }
        let body = bytes.len() - at;
        if body < self.missing {
            self.missing -= body;
            return None;
        }
        Some(at + self.missing)
    }
}

/// Sends a request on a connection of its own, until the server begins to answer.
async fn replay(shared: Arc<Shared>, request: Bytes) {
    let Ok(mut server) = TcpStream::connect(shared.faults().target).await else { return };
    let mut answer = [0; 1024];
    if server.write_all(&request).await.is_ok()
        && server.read(&mut answer).await.is_ok_and(|read| read > 0)
    {
        shared.count(|counters| counters.replayed += 1);
    }
}

/// Bytes of a body that is sent twice at most.
const MAX_REPLAY: usize = 64 * 1024;

/// Bytes that are read at once.
const READ: usize = 16 * 1024;

const HEAD_END: &[u8] = b"\r\n\r\n";
