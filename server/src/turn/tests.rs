use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use actix_http::{BoxedPayloadStream, Request};
use actix_web::body::{BoxBody, MessageBody as _, to_bytes};
use actix_web::dev::{Payload, Service, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::{App, Error, test};
use bytes::Bytes;
use futures::{FutureExt as _, Stream};

use super::{Pause, REQUESTS, UNITS, UNITS_PER_LOOK, begin_request};
use crate::{Bowline, Socket};

#[actix_web::test]
async fn a_message_of_many_packets_is_taken_in_turns_and_in_order() {
    let (server, heard) = server(1).await;
    let mut client = Client::open(&server).await;
    client.say(&numbers(0..2_000));
    in_turns(&mut client, &heard, 2_000, UNITS).await;
    assert_all_heard(&heard, 2_000).await;
}

#[actix_web::test]
async fn messages_in_many_frames_are_received_in_turns_and_in_order() {
    let (server, heard) = server(1).await;
    let mut client = Client::open(&server).await;
    let frames: Vec<u8> = (0..2_000).flat_map(|n| text(&numbers(n..n + 1))).collect();
    client.send(frames);
    in_turns(&mut client, &heard, 2_000, UNITS / 2).await;
    assert_all_heard(&heard, 2_000).await;
}

#[actix_web::test]
async fn pings_are_answered_in_turns() {
    let (server, _) = server(1).await;
    let mut client = Client::open(&server).await;
    client.send([0x89, 0x80, 0, 0, 0, 0].repeat(2_000));
    let mut pongs = 0;
    while pongs < 2_000 {
        let said = client.poll().expect("there are pongs to come");
        assert!(said.len() <= UNITS * 2, "{} bytes of pongs in one turn", said.len());
        pongs += said.len() / 2;
        assert!(client.poll().is_none(), "the others are next");
        round().await;
    }
    assert_eq!(pongs, 2_000);
}

#[actix_web::test]
async fn messages_before_a_session_are_answered_in_turns() {
    let (server, _) = server(1).await;
    let mut client = Client::upgrade(&server).await;
    client.send(text("h a").repeat(2_000));
    let (mut answers, mut turns) = (0, 0);
    while answers < 2_000 {
        let said = client.poll().expect("there are answers to come");
        let answered = said.windows(3).filter(|line| line == b"a a").count();
        assert!(answered <= UNITS, "{answered} answers in one turn");
        answers += answered;
        turns += 1;
        assert!(client.poll().is_none(), "the others are next");
        round().await;
    }
    assert_eq!((answers, turns), (2_000, 2_000_usize.div_ceil(UNITS)));
}

#[actix_web::test]
async fn a_body_of_many_packets_is_taken_in_turns_and_its_answer_counts_all() {
    let (server, heard) = server(1).await;
    let welcome = post(&server, "/bowline/poll", OPEN.to_owned()).await;
    let session = credentials(&welcome);
    let body = format!("attach v=1 {session} recv=0 next=1\n{}", numbers(0..2_000));
    let mut answer = Box::pin(post(&server, "/bowline/post", body));
    let mut turns = 0;
    let answer = loop {
        let before = heard.lock().unwrap().len();
        let polled = answer.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let taken = heard.lock().unwrap().len() - before;
        assert!(taken <= UNITS, "{taken} packets in one turn");
        turns += 1;
        match polled {
            Poll::Ready(answer) => break answer,
            Poll::Pending => round().await,
        }
    };
    assert!(turns >= 2_000 / UNITS, "{turns} turns");
    assert_eq!(answer, "c 2000");
    assert_all_heard(&heard, 2_000).await;
}

#[actix_web::test]
async fn a_poll_that_brings_many_packets_is_taken_in_turns() {
    let (server, heard) = server(1).await;
    let opened = format!("{OPEN}\n{}", numbers(0..1_000));
    let mut answer = Box::pin(post(&server, "/bowline/poll", opened));
    let (mut before, mut turns) = (0, 1);
    while answer.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending() {
        let taken = heard.lock().unwrap().len() - before;
        assert!(taken <= UNITS, "{taken} packets in one turn");
        before += taken;
        turns += 1;
        round().await;
    }
    assert!(turns >= 1_000 / UNITS, "{turns} turns");
    assert_all_heard(&heard, 1_000).await;
}

#[actix_web::test]
async fn handlers_that_could_not_run_before_catch_up_in_turns() {
    for concurrency in [1, 4, 1_000] {
        let (begin, begun) = tokio::sync::watch::channel(false);
        let heard = Heard::default();
        let hears = Arc::clone(&heard);
        let bowline = Bowline::builder()
            .concurrency(concurrency)
            .connect_inbox_limit(1 << 20)
            .on_connect(move |_: Socket| {
                let mut begun = begun.clone();
                async move { drop(begun.wait_for(|begun| *begun).await) }
            })
            .on("n", move |n: u64| {
                hears.lock().unwrap().push(n);
                async {}
            })
            .build();
        let server = test::init_service(App::new().service(bowline.service())).await;
        let mut client = Client::upgrade(&server).await;
        client.say(&format!("{OPEN}\n{}", numbers(0..2_000)));
        for _ in 0..20 {
            client.poll();
            round().await;
        }
        assert_eq!(heard.lock().unwrap().len(), 0, "the hook has not decided");
        begin.send_replace(true);
        let mut before = 0;
        for _ in 0..2_000 {
            round().await;
            let taken = heard.lock().unwrap().len() - before;
            assert!(taken <= 2 * UNITS.max(concurrency), "{taken} messages in one round");
            before += taken;
        }
        assert_eq!(before, 2_000);
    }
}

#[actix_web::test]
async fn handlers_that_take_long_have_short_turns() {
    let heard = Heard::default();
    let hears = Arc::clone(&heard);
    let bowline = Bowline::builder()
        .on("n", move |n: u64| {
            let end = Instant::now() + Duration::from_micros(400);
            while Instant::now() < end {
                std::hint::spin_loop();
            }
            hears.lock().unwrap().push(n);
            async {}
        })
        .build();
    let server = test::init_service(App::new().service(bowline.service())).await;
    let mut client = Client::open(&server).await;
    client.say(&numbers(0..64));
    in_turns(&mut client, &heard, 64, UNITS_PER_LOOK).await;
}

#[actix_web::test]
async fn packets_that_wait_for_a_client_are_written_in_turns() {
    let bowline = Bowline::builder().build();
    let server = test::init_service(App::new().service(bowline.service())).await;
    let mut client = Client::open(&server).await;
    for _ in 0..10_000 {
        bowline.to_all().emit("n", &()).unwrap();
    }
    let (mut lines, mut turns) = (0, 0);
    while let Some(said) = client.poll() {
        let said = said.iter().filter(|byte| **byte == b'n').count();
        assert!(said <= 4 * 1024, "{said} packets in one turn");
        lines += said;
        turns += 1;
        if lines < 10_000 {
            assert!(client.poll().is_none(), "the others are next");
        }
        round().await;
    }
    assert_eq!((lines, turns), (10_000, 3));
}

#[actix_web::test]
async fn one_of_many_requests_waits_for_the_others() {
    let waited = (0..3 * REQUESTS).filter(|_| begin_request().now_or_never().is_none());
    assert_eq!(waited.count(), 3);
}

#[actix_web::test]
async fn a_pause_lasts_until_the_others_were_served_however_often_it_is_polled() {
    let mut pause = Pause::default();
    let mut cx = Context::from_waker(Waker::noop());
    assert!(pause.poll(&mut cx).is_ready(), "it was not set");
    pause.set();
    for _ in 0..10 {
        assert!(pause.poll(&mut cx).is_pending());
    }
    round().await;
    assert!(pause.poll(&mut cx).is_ready());
    assert!(pause.poll(&mut cx).is_ready(), "it is over");
}

/// Polls a client until so many messages were handled; never more at once than a turn allows.
async fn in_turns(client: &mut Client, heard: &Heard, all: usize, at_once: usize) {
    let (mut before, mut polls) = (0, 0);
    let mut taken = |at_most| {
        let now = heard.lock().unwrap().len();
        let taken = now - std::mem::replace(&mut before, now);
        assert!(taken <= at_most, "{taken} messages in one turn");
        now
    };
    loop {
        client.poll();
        if taken(at_once) == all {
            break;
        }
        polls += 1;
        assert!(polls <= 10 * all, "it goes on");
        // The others are next, however often it is polled.
        client.poll();
        taken(0);
        // Handlers that have become a task go on, perhaps before and after everything else.
        round().await;
        taken(2 * at_once);
    }
    assert!(polls >= all / at_once / 3, "{polls} turns");
}

/// All numbers reach the handler, in order.
async fn assert_all_heard(heard: &Heard, all: u64) {
    for _ in 0..all {
        if heard.lock().unwrap().len() as u64 == all {
            break;
        }
        round().await;
    }
    assert!(heard.lock().unwrap().iter().copied().eq(0..all), "one is missing, or out of order");
}

/// Lets the worker do everything else once.
async fn round() {
    tokio::task::yield_now().await;
}

type Heard = Arc<Mutex<Vec<u64>>>;

trait Serves: Service<Request, Response = ServiceResponse<BoxBody>, Error = Error> {}

impl<S: Service<Request, Response = ServiceResponse<BoxBody>, Error = Error>> Serves for S {}

async fn server(concurrency: usize) -> (impl Serves, Heard) {
    let heard = Heard::default();
    let hears = Arc::clone(&heard);
    let bowline = Bowline::builder()
        .concurrency(concurrency)
        .on("n", move |n: u64| {
            hears.lock().unwrap().push(n);
            async {}
        })
        .build();
    (test::init_service(App::new().service(bowline.service())).await, heard)
}

/// Events of these numbers, one a line.
fn numbers(numbers: std::ops::Range<u64>) -> String {
    let mut lines = String::new();
    for number in numbers {
        let newline = if lines.is_empty() { "" } else { "\n" };
        write!(lines, "{newline}e n {number}").expect("writing to memory cannot fail");
    }
    lines
}

async fn post(server: &impl Serves, path: &str, body: String) -> String {
    let request = test::TestRequest::post().uri(path).set_payload(body).to_request();
    let response = server.call(request).await.expect("the server answers");
    let body = to_bytes(response.into_body()).await.unwrap_or_default();
    String::from_utf8_lossy(&body).into_owned()
}

fn credentials(welcome: &str) -> String {
    let field = |name| {
        welcome
            .split(' ')
            .find(|field| field.starts_with(name))
            .expect("a welcome has it")
            .trim()
            .to_owned()
    };
    format!("{} {}", field("sid="), field("secret="))
}

/// A client's end of a WebSocket without a socket.
struct Client {
    inbound: Rc<RefCell<VecDeque<Bytes>>>,
    body: BoxBody,
}

impl Client {
    async fn upgrade(server: &impl Serves) -> Self {
        let inbound = Rc::<RefCell<VecDeque<Bytes>>>::default();
        let request = test::TestRequest::get()
            .uri("/bowline/ws")
            .insert_header(("connection", "upgrade"))
            .insert_header(("upgrade", "websocket"))
            .insert_header(("sec-websocket-version", "13"))
            .insert_header(("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="))
            .to_request();
        let chunks: BoxedPayloadStream = Box::pin(Chunks(Rc::clone(&inbound)));
        let (request, _) = request.replace_payload(Payload::Stream { payload: chunks });
        let response = server.call(request).await.expect("the server answers");
        Self { inbound, body: response.into_body() }
    }

    async fn open(server: &impl Serves) -> Self {
        let mut client = Self::upgrade(server).await;
        client.say(OPEN);
        assert!(client.poll().is_some(), "the server says welcome");
        client
    }

    fn say(&mut self, message: &str) {
        self.send(text(message));
    }

    fn send(&mut self, frames: Vec<u8>) {
        self.inbound.borrow_mut().push_back(frames.into());
    }

    /// Lets the server read and write once. What it wrote, if it did.
    fn poll(&mut self) -> Option<Bytes> {
        let mut cx = Context::from_waker(Waker::noop());
        match Pin::new(&mut self.body).poll_next(&mut cx) {
            Poll::Ready(said) => said?.ok(),
            Poll::Pending => None,
        }
    }
}

/// A frame whose masking key changes nothing.
fn text(message: &str) -> Vec<u8> {
    let length = message.len();
    let mut frame = match u16::try_from(length) {
        Ok(short) if short <= 125 => vec![0x81, 0x80 | length as u8],
        Ok(medium) => [&[0x81, 0x80 | 126][..], &medium.to_be_bytes()].concat(),
        Err(_) => [&[0x81, 0x80 | 127][..], &(length as u64).to_be_bytes()].concat(),
    };
    frame.extend([0; 4]);
    frame.extend(message.bytes());
    frame
}

struct Chunks(Rc<RefCell<VecDeque<Bytes>>>);

impl Stream for Chunks {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.borrow_mut().pop_front().map_or(Poll::Pending, |chunk| Poll::Ready(Some(Ok(chunk))))
    }
}

const OPEN: &str = "open v=1 key=000000000000000000000A n=1";
