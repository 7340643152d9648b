#![expect(clippy::disallowed_methods, reason = "a test may wait")]
use std::future::IntoFuture as _;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::task::{Context, Waker};

use actix_web::rt;
use actix_web::test::TestRequest;
use bowline_protocol::{Attachment, Transmit};
use futures::StreamExt as _;
use tokio::sync::Notify;

use crate::config::Config;
use crate::failure::Failure;
use crate::node::{Handlers, Hooks, Node};
use crate::session::tests::{batch, open};
use crate::session::{Delivery, Downlink, Greeting, Lent, LiveSession, Sink, Worker};
use crate::turn::Turn;
use crate::{Bowline, Socket};
use bowline_protocol::Transport;

#[actix_web::test]
async fn a_request_that_waits_for_a_handler_that_waits_for_it_is_refused() {
    let mut talk = Talk::new(1);
    assert_eq!(talk.send("q ask", 1).await, "q down");
    assert_eq!(talk.send("q bowline.within.1.echo", 1).await, "f 2 would-deadlock");
    assert_eq!(talk.send("q bowline.within.1.echo", 1).await, "f 3 would-deadlock");
    assert_eq!(talk.send("r 1 5", 1).await, "r 1 5");
    assert_eq!(talk.send("q bowline.within.1.echo", 1).await, "r 5", "the handler is over");
}

#[actix_web::test]
async fn a_request_that_no_handler_waits_for_is_handled_in_order() {
    let mut talk = Talk::new(1);
    talk.send("q ask", 1).await;
    talk.send("q echo\nq bowline.within.9.echo\nq bowline.within.x.echo", 0).await;
    assert_eq!(talk.send("r 1 5", 4).await, "r 1 5\nr 2\nr 3\nf 4 no-handler");
}

#[actix_web::test]
async fn an_answer_in_the_same_batch_frees_the_handler() {
    let mut talk = Talk::new(1);
    talk.send("q ask", 1).await;
    assert_eq!(talk.send("q bowline.within.1.echo\nr 1 5", 2).await, "r 1 5\nr 2");
}

#[actix_web::test]
async fn a_handler_does_not_wait_while_another_task_awaits_the_answer() {
    let mut talk = Talk::new(1);
    assert_eq!(talk.send("q aside", 1).await, "q down");
    talk.send("q bowline.within.1.echo", 0).await;
    talk.gate.notify_one();
    assert_eq!(talk.receive(2).await, "r 1\nr 2");
}

#[actix_web::test]
async fn a_handler_that_sends_a_request_to_a_room_waits_for_its_own_client_too() {
    let mut talk = Talk::new(1);
    talk.node.rooms.join("all", &talk.session).unwrap();
    assert_eq!(talk.send("q ask-room", 1).await, "q down");
    assert_eq!(talk.send("q bowline.within.1.echo", 1).await, "f 2 would-deadlock");
    assert_eq!(talk.send("r 1", 1).await, "r 1");
}

#[actix_web::test]
async fn a_chain_of_requests_is_refused_when_no_handler_is_free() {
    let mut talk = Talk::new(2);
    talk.send("q ask", 1).await;
    assert_eq!(talk.send("q bowline.within.1.echo", 1).await, "r 2", "there is room for it");
    assert_eq!(talk.send("q bowline.within.1.ask", 1).await, "q down");
    assert_eq!(talk.send("q bowline.within.3.echo", 1).await, "f 4 would-deadlock");
    assert_eq!(talk.send("r 3 6", 1).await, "r 3 6");
    assert_eq!(talk.send("r 1 5", 1).await, "r 1 5");
}

#[actix_web::test]
async fn a_request_waits_for_a_handler_that_can_continue_by_itself() {
    let mut talk = Talk::new(2);
    talk.send("q ask\nq busy", 1).await;
    talk.send("q bowline.within.1.echo", 0).await;
    talk.gate.notify_one();
    assert_eq!(talk.receive(2).await, "r 2\nr 3");
}

#[actix_web::test]
async fn the_last_of_several_requests_that_wait_for_each_other_is_refused_and_the_others_continue()
{
    let mut talk = Talk::new(2);
    assert_eq!(talk.send("q ask\nq ask", 2).await, "q down\nq down");
    talk.send("q bowline.within.1.echo", 0).await;
    assert_eq!(talk.send("q bowline.within.2.echo", 1).await, "f 4 would-deadlock");
    assert_eq!(talk.send("r 2 6", 2).await, "r 2 6\nr 3");
    assert_eq!(talk.send("r 1 5", 1).await, "r 1 5");
}

#[actix_web::test]
async fn a_hook_that_waits_for_its_client_counts_as_a_handler() {
    let mut talk = Talk::new(1);
    talk.session.with(|state, _| state.inbox.push_back(Delivery::Away(false)));
    assert_eq!(talk.receive(1).await, "q down");
    assert_eq!(talk.send("q bowline.within.1.echo", 1).await, "f 1 would-deadlock");
}

/// A client whose lines are written by hand. The server's answers have numbers as its requests do.
struct Talk {
    node: Arc<Node>,
    session: Arc<LiveSession>,
    downlink: Downlink,
    next: u64,
    /// The gate that `busy` and `aside` wait for.
    gate: Arc<Notify>,
}

impl Talk {
    fn new(concurrency: usize) -> Self {
        let gate = Arc::new(Notify::new());
        let mut hooks = Hooks::default();
        hooks.back(async |socket: Socket| {
            let _: Result<(), _> = socket.request("down", &()).await;
        });
        let config = Config { concurrency, ..Config::default() };
        let node = Node::new(config, handlers(&gate), hooks);
        Worker::enter(&node.common, &TestRequest::default().to_http_request());
        let session = open(&node);
        let greeting = Greeting::Sent;
        let attachment = Attachment { counter: 1, ..Attachment::default() };
        let downlink = session.attach(attachment, Transport::WebSocket, greeting).unwrap();
        Self { node, session, downlink, next: 1, gate }
    }

    /// Sends these lines, and returns the given number of answers.
    async fn send(&mut self, lines: &'static str, messages: usize) -> String {
        let mut batch = batch(lines);
        self.downlink.receive(&mut self.next, &Turn::new(), || batch.next_packet()).unwrap();
        self.receive(messages).await
    }

    async fn receive(&mut self, messages: usize) -> String {
        let mut answers = Answers::default();
        for _ in 0..20 {
            rt::task::yield_now().await;
            let mut context = Context::from_waker(Waker::noop());
            let _ = self.downlink.poll_drain(&mut context, &mut answers).map(Result::unwrap);
        }
        assert_eq!(answers.0.len(), messages, "up to message {}: {:?}", self.next, answers.0);
        answers.0.join("\n")
    }
}

fn handlers(gate: &Arc<Notify>) -> Handlers {
    let mut handlers = Handlers::default();
    let (busy, aside) = (Arc::clone(gate), Arc::clone(gate));
    handlers.on::<&str, _>("echo", async |(): ()| {});
    handlers.on::<&str, _>("ask", async |socket: Socket, (): ()| {
        let answer = socket.request::<_, u64>("down", &()).await?;
        Ok::<_, Failure>(crate::Json(answer))
    });
    handlers.on::<&str, _>("ask-room", async |bowline: Bowline, (): ()| {
        let replies = bowline.to("all").request::<_, ()>("down", &()).await?;
        replies.for_each(|_| std::future::ready(())).await;
        Ok::<_, Failure>(())
    });
    handlers.on::<&str, _>("busy", move |(): ()| {
        let gate = Arc::clone(&busy);
        async move { gate.notified().await }
    });
    handlers.on::<&str, _>("aside", move |socket: Socket, (): ()| {
        let gate = Arc::clone(&aside);
        rt::spawn(socket.request::<_, ()>("down", &()).into_future());
        async move { gate.notified().await }
    });
    handlers
}

/// The messages, without the details of failures.
#[derive(Default)]
struct Answers(Vec<String>);

impl Sink for Answers {
    fn write(&mut self, transmit: &Lent<'_>) -> ControlFlow<()> {
        if let Transmit::Tracked { packet, .. } = transmit {
            let line = String::from_utf8_lossy(packet.text_line());
            let words: Vec<&str> = line.split(' ').take(3).collect();
            self.0.push(words.join(" "));
        }
        ControlFlow::Continue(())
    }
}
