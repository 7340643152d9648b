//! What it costs to store sessions and to go on with them: `cargo run --release --example store --
//! [sessions] [bytes]`.
//!
//! Opens so many sessions (100,000 unless said), each of which has so many bytes for its client
//! (4,096), ends, and starts again in a process of its own. Prints times, the size of the file and
//! the peak of memory.
//!
//! With a URL behind the numbers, and `--features redis`, the sessions are stored in that Redis.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use actix_web::test::{TestRequest, call_and_read_body, init_service};
use actix_web::{App, rt};
use bowline_server::{Bowline, FileStore, SessionId, Store};

fn main() {
    env_logger::init();
    let mut words = std::env::args().skip(1);
    let first = words.next();
    if first.as_deref() == Some("read") {
        return read(&words.next().expect("a folder or a URL follows"));
    }
    let number = |word: Option<String>, or: usize| {
        word.map_or(or, |word| word.parse().expect("it is a number"))
    };
    let (sessions, bytes) = (number(first, 100_000), number(words.next(), 4096));
    let folder = std::env::temp_dir().join(format!("bowline-example-{}", std::process::id()));
    let folder = folder.to_str().expect("a temporary path is UTF-8");
    let place = words.next().unwrap_or_else(|| folder.to_owned());
    rt::System::new().block_on(write(&place, sessions, bytes));
    let program = std::env::current_exe().expect("this program has a path");
    let status = Command::new(program).arg("read").arg(&place).status();
    assert!(status.expect("it starts").success());
    // Nothing is there if the sessions are in Redis.
    let _ = std::fs::remove_dir_all(folder);
}

fn store(place: &str) -> Store {
    if place.contains("://") { in_redis(place) } else { FileStore::new(place).into() }
}

#[cfg(feature = "redis")]
fn in_redis(url: &str) -> Store {
    bowline_server::RedisStore::new(url).expect("it is a URL of Redis").into()
}

#[cfg(not(feature = "redis"))]
fn in_redis(_: &str) -> Store {
    panic!("build the example with --features redis")
}

async fn write(place: &str, sessions: usize, bytes: usize) {
    let bowline = Bowline::builder().store(store(place)).build();
    let app = init_service(App::new().service(bowline.service())).await;
    for number in 0..sessions {
        let open = format!("open v=1 key=AAAAAAAA{number:0>13}A n=1");
        let request = TestRequest::post().uri("/bowline/poll").set_payload(open).to_request();
        let answer = call_and_read_body(&app, request).await;
        let welcome = std::str::from_utf8(&answer).expect("a welcome is text");
        let session = welcome.split(' ').find_map(|word| word.strip_prefix("sid="));
        let session: SessionId = session.expect(welcome).parse().expect("it is an id");
        let said = "x".repeat(bytes);
        bowline.to_session(session).emit("said", &said).expect("there is room");
    }
    let before = peak();
    println!("{sessions} sessions with {bytes} bytes each take {before} MiB");
    let begun = Instant::now();
    bowline.shutdown(std::time::Duration::from_secs(60)).await;
    let (took, size) = (begun.elapsed(), size(Path::new(place)));
    println!(
        "stored in {took:?}, {} MiB on disk; the peak of memory is {} MiB",
        size >> 20,
        peak()
    );
}

/// Bytes of what is stored in a folder.
fn size(folder: &Path) -> u64 {
    let file = std::fs::read_dir(folder).ok().and_then(|mut files| files.next()?.ok());
    file.and_then(|file| file.metadata().ok()).map_or(0, |data| data.len())
}

fn read(place: &str) {
    let begun = Instant::now();
    let bowline = Bowline::builder().store(store(place)).build();
    let (sessions, took) = (bowline.session_count(), begun.elapsed());
    println!("{sessions} sessions go on after {took:?}; the peak of memory is {} MiB", peak());
}

/// The most memory that this process has had, in MiB. Only Linux says it.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    kib.unwrap_or(0) >> 10
}
