//! What actix-web allows without actix-ws: frames are read from the request's payload, the answers
//! of one chunk leave together, and what is said to the room is framed once and appended to each
//! member's queue. No session layer: this is the floor that Bowline stands on. Polling and streams
//! are as bare.

use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use actix_web::body::MessageBody as _;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, Result, rt, web};
use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _};
use tokio::sync::Notify;

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let room = web::Data::new(Room::default());
    let sessions = web::Data::new(Sessions::default());
    let app = move || {
        App::new()
            .app_data(room.clone())
            .app_data(sessions.clone())
            .route("/echo", web::get().to(connect))
            .route("/sub", web::get().to(connect))
            .route("/pub", web::get().to(connect))
            .route("/events", web::get().to(stream))
            .route("/socket.io/", web::get().to(poll))
            .route("/socket.io/", web::post().to(post))
    };
    let address = ("127.0.0.1", bowline_load_peers::port());
    HttpServer::new(app).workers(1).backlog(1024).tcp_nodelay(true).bind(address)?.run().await
}

/// Everyone who listens: WebSockets and streams.
#[derive(Default)]
struct Room {
    sockets: Mutex<Vec<Queue>>,
    streams: Mutex<Vec<Queue>>,
}

/// What waits to be written on one connection.
#[derive(Clone, Default)]
struct Queue(Arc<Mutex<Waiting>>);

#[derive(Default)]
struct Waiting {
    bytes: BytesMut,
    waker: Option<Waker>,
    closed: bool,
}

impl Queue {
    fn change(&self, change: impl FnOnce(&mut Waiting)) {
        let mut waiting = self.0.lock().expect("nobody panics");
        change(&mut waiting);
        let waker = waiting.waker.take();
        drop(waiting);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn push(&self, bytes: &[u8]) {
        self.change(|waiting| waiting.bytes.extend_from_slice(bytes));
    }
}

impl Stream for Queue {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut waiting = self.0.lock().expect("nobody panics");
        if !waiting.bytes.is_empty() {
            return Poll::Ready(Some(Ok(std::mem::take(&mut waiting.bytes).freeze())));
        }
        if waiting.closed {
            return Poll::Ready(None);
        }
        waiting.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

async fn connect(
    request: HttpRequest,
    mut body: web::Payload,
    room: web::Data<Room>,
) -> Result<HttpResponse> {
    let mut response = actix_http::ws::handshake(request.head())?;
    let queue = Queue::default();
    if request.path() == "/sub" {
        room.sockets.lock().expect("nobody panics").push(queue.clone());
    }
    let publishes = request.path() == "/pub";
    let own = queue.clone();
    rt::spawn(async move {
        let mut cut = Vec::new();
        while let Some(Ok(chunk)) = body.next().await {
            let mut frames = if cut.is_empty() {
                // The payload gives away a buffer that it no longer uses: unmask where it is.
                chunk.try_into_mut().unwrap_or_else(|chunk| BytesMut::from(&chunk[..]))
            } else {
                cut.extend_from_slice(&chunk);
                BytesMut::from(&std::mem::take(&mut cut)[..])
            };
            let mut answers = BytesMut::new();
            let mut messages = BytesMut::new();
            let used = read(&mut frames, |message| {
                frame(message, &mut answers);
                event(message, &mut messages);
            });
            cut.extend_from_slice(&frames[used..]);
            if publishes {
                for member in &*room.sockets.lock().expect("nobody panics") {
                    member.push(&answers);
                }
                for member in &*room.streams.lock().expect("nobody panics") {
                    member.push(&messages);
                }
            } else if !answers.is_empty() {
                own.push(&answers);
            }
        }
        own.change(|waiting| waiting.closed = true);
    });
    let body = actix_web::body::BodyStream::new(queue).boxed();
    Ok(response.message_body(body).expect("the head is valid").into())
}

async fn stream(room: web::Data<Room>) -> HttpResponse {
    let queue = Queue::default();
    queue.push(b"data: ready\n\n");
    room.streams.lock().expect("nobody panics").push(queue.clone());
    HttpResponse::Ok().insert_header(("content-type", "text/event-stream")).streaming(queue)
}

fn frame(message: &[u8], out: &mut BytesMut) {
    out.put_u8(0x81);
    match message.len() {
        short @ 0..=125 => out.put_u8(short as u8),
        long => {
            out.put_u8(126);
            out.put_u16(u16::try_from(long).expect("messages are short"));
        }
    }
    out.put_slice(message);
}

fn event(message: &[u8], out: &mut BytesMut) {
    out.put_slice(b"data: ");
    out.put_slice(message);
    out.put_slice(b"\n\n");
}

/// Hands on the text of whole frames, unmasked. Returns how many bytes they took.
fn read(bytes: &mut [u8], mut message: impl FnMut(&[u8])) -> usize {
    let mut at = 0;
    loop {
        let rest = &mut bytes[at..];
        let (header, length) = match *rest {
            [_, length, ..] if length & 0x7F < 126 => (2, usize::from(length & 0x7F)),
            [_, _, high, low, ..] => (4, usize::from(u16::from_be_bytes([high, low]))),
            _ => return at,
        };
        let end = header + 4 + length;
        if rest.len() < end {
            return at;
        }
        let (head, payload) = rest[..end].split_at_mut(header + 4);
        let key: [u8; 4] = head[header..].try_into().expect("four bytes");
        let wide = u64::from_ne_bytes([key, key].concat().try_into().expect("eight bytes"));
        let (words, left) = payload.as_chunks_mut();
        for word in words {
            *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
        }
        for (byte, key) in left.iter_mut().zip(key.iter().cycle()) {
            *byte ^= key;
        }
        if head[0] & 0x0F == 1 {
            message(payload);
        }
        at += end;
    }
}

/// Just enough of Engine.IO's polling and of Socket.IO to echo with acknowledgements, without a
/// check.
#[derive(Default)]
struct Sessions {
    next: AtomicU64,
    known: Mutex<HashMap<u64, Arc<Session>>>,
}

#[derive(Default)]
struct Session {
    out: Mutex<Vec<u8>>,
    ready: Notify,
}

impl Sessions {
    fn get(&self, request: &HttpRequest) -> Option<Arc<Session>> {
        let (_, id) = request.query_string().split_once("sid=")?;
        self.known.lock().expect("nobody panics").get(&id.parse().ok()?).cloned()
    }
}

async fn poll(request: HttpRequest, sessions: web::Data<Sessions>) -> HttpResponse {
    let Some(session) = sessions.get(&request) else {
        let id = sessions.next.fetch_add(1, Ordering::Relaxed);
        sessions.known.lock().expect("nobody panics").insert(id, Arc::default());
        return text(format!("0{{\"sid\":\"{id}\",\"pingInterval\":25000}}"));
    };
    loop {
        let out = std::mem::take(&mut *session.out.lock().expect("nobody panics"));
        if !out.is_empty() {
            return text(out);
        }
        session.ready.notified().await;
    }
}

async fn post(
    request: HttpRequest,
    body: web::Bytes,
    sessions: web::Data<Sessions>,
) -> HttpResponse {
    let Some(session) = sessions.get(&request) else { return HttpResponse::BadRequest().finish() };
    let mut out = session.out.lock().expect("nobody panics");
    for message in body.split(|byte| *byte == 0x1E) {
        if !out.is_empty() {
            out.push(0x1E);
        }
        if message == b"40" {
            out.extend_from_slice(b"40{\"sid\":\"x\"}");
        } else if let Some(at) = message.iter().position(|byte| *byte == b'[') {
            // 42<id>["echo",X] is answered with 43<id>[X].
            out.extend_from_slice(b"43");
            out.extend_from_slice(&message[2..at]);
            out.push(b'[');
            out.extend_from_slice(&message[(at + 8).min(message.len())..]);
        }
    }
    drop(out);
    session.ready.notify_one();
    text("ok")
}

fn text(body: impl Into<Bytes>) -> HttpResponse {
    let content_type = ("content-type", "text/plain; charset=UTF-8");
    HttpResponse::Ok().insert_header(content_type).body(body.into())
}
