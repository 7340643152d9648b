//! The server between actix's socket and back.

use actix_web::body::to_bytes;
use actix_web::{App, rt, test};
use bowline_server::{Bowline, Failure, Json, Socket};

use crate::wire::{Serves, Wire};

/// A client asks, the server answers, the client confirms.
pub(crate) fn echo(count: u32, requests: usize, size: usize) {
    rt::System::new().block_on(async {
        let server = start().await;
        let mut client = open(&server, 1).await;
        let request = format!("q echo \"{}\"", "x".repeat(size));
        let mut received = 0_usize;
        for _ in 0..count {
            let mut batch = vec![&*request; requests].join("\n");
            if received.is_multiple_of(32) {
                batch = format!("c {received}\n{batch}");
            }
            client.send(&batch);
            assert!(client.poll() > size * requests, "it answers all at once");
            received += requests;
        }
    });
}

/// As [`echo`], of a client that joins nothing: each request is a message of its own.
pub(crate) fn echo_apart(count: u32, requests: usize, size: usize) {
    rt::System::new().block_on(async {
        let server = start().await;
        let mut client = open(&server, 1).await;
        let request = format!("q echo \"{}\"", "x".repeat(size));
        for step in 0..count as usize {
            let received = step * requests;
            let confirmation = format!("c {received}");
            let mut messages = vec![&*request; requests];
            if received.is_multiple_of(32) {
                messages.insert(0, &confirmation);
            }
            client.send_together(&messages);
            assert!(client.poll() > size * requests, "it answers all at once");
        }
    });
}

/// A client speaks to a room, and all members hear it.
pub(crate) fn fan_out(count: u32, events: usize) {
    rt::System::new().block_on(async {
        let server = start().await;
        let mut members = Vec::new();
        for number in 1..=100 {
            let mut member = open(&server, number).await;
            member.send("q join");
            assert!(member.poll() > 0, "it has joined");
            members.push(member);
        }
        let mut publisher = open(&server, 0).await;
        let batch = vec![format!("e pub \"{}\"", "x".repeat(64)); events].join("\n");
        let mut received = 1;
        for step in 0..count {
            publisher.send(&batch);
            publisher.poll();
            received += events;
            for member in &mut members {
                assert!(member.poll() > 64 * events, "it hears all");
            }
            if ((step + 1) as usize * events).is_multiple_of(32) {
                for member in &mut members {
                    member.send(&format!("c {received}"));
                    member.poll();
                }
            }
        }
    });
}

pub(crate) fn rooms(count: u32) {
    rt::System::new().block_on(async {
        let server = start().await;
        let mut clients = Vec::new();
        for number in 0..100 {
            clients.push(open(&server, number).await);
        }
        for step in 0..count as usize {
            let client = &mut clients[step % 100];
            client.send("q join\nq leave");
            assert!(client.poll() > 0, "it is answered");
        }
    });
}

pub(crate) fn polling(count: u32, requests: usize) {
    rt::System::new().block_on(async {
        let server = start().await;
        let welcome = post(&server, "/bowline/poll", OPEN.to_owned()).await;
        let fields = |name| {
            welcome
                .split(' ')
                .find(|field| field.starts_with(name))
                .expect("a welcome has it")
                .to_owned()
        };
        let session = format!("{} {}", fields("sid="), fields("secret="));
        let batch = vec![format!("q echo \"{}\"", "x".repeat(64)); requests].join("\n");
        for step in 0..count as usize {
            let (received, n) = (step * requests, step + 2);
            let line = format!("attach v=1 {session} recv={received} next={}", received + 1);
            post(&server, "/bowline/post", format!("{line}\n{batch}")).await;
            let next = received + requests + 1;
            let line = format!("attach v=1 {session} n={n} recv={received} next={next}");
            let answers = post(&server, "/bowline/poll", line).await;
            assert!(answers.len() > 64 * requests, "it answers all");
        }
    });
}

pub(crate) fn connect(count: u32) {
    rt::System::new().block_on(async {
        let server = start().await;
        for number in 0..count {
            let mut client = open(&server, number as usize).await;
            client.send("x 1000");
            assert!(client.poll() > 0, "the server says good-bye");
        }
    });
}

async fn start() -> impl Serves {
    let bowline = Bowline::builder()
        .on("echo", |payload: String| async move { Json(payload) })
        .on("join", |socket: Socket, (): ()| async move { socket.join("room").map_err(failure) })
        .on("leave", |socket: Socket, (): ()| async move { socket.leave("room") })
        .on("pub", |bowline: Bowline, payload: String| async move {
            bowline.to("room").emit("msg", &payload).map(drop).map_err(failure)
        })
        .build();
    test::init_service(App::new().service(bowline.service())).await
}

fn failure(error: impl std::fmt::Display) -> Failure {
    Failure::new("internal").with(&error.to_string())
}

async fn open(server: &impl Serves, number: usize) -> Wire {
    let mut wire = Wire::upgrade(server).await;
    wire.send(&format!("open v=1 key={number:021}A n=1"));
    assert!(wire.poll() > 0, "the server says welcome");
    wire
}

async fn post(server: &impl Serves, path: &str, body: String) -> String {
    let request = test::TestRequest::post().uri(path).set_payload(body).to_request();
    let response = server.call(request).await.expect("the server answers");
    let body = to_bytes(response.into_body()).await.unwrap_or_default();
    String::from_utf8_lossy(&body).into_owned()
}

const OPEN: &str = "open v=1 key=000000000000000000000A n=1";
