//! `hot_path NAME COUNT`: takes one path through the server so many times, with nothing of the
//! system in between, and prints what one step of it took. `hot_path` alone lists the paths.
//!
//! Run it under callgrind with two counts and the difference is what the steps cost, whatever the
//! machine is busy with: `cargo xtask instructions` does that and compares with `baseline.json`.

mod core;
mod server;
mod wire;

use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let Some(path) = words.first().and_then(|name| PATHS.iter().find(|path| path.name == name))
    else {
        PATHS.iter().for_each(|path| println!("{}", path.name));
        return ExitCode::SUCCESS;
    };
    let count = words.get(1).and_then(|count| count.parse().ok()).unwrap_or(10_000);
    let begin = Instant::now();
    (path.take)(count);
    let time = begin.elapsed().as_nanos() / u128::from(count.max(1));
    println!("{}: {time} ns for {}", path.name, path.step);
    ExitCode::SUCCESS
}

/// A path that is measured.
struct Path {
    name: &'static str,
    /// What one step is.
    step: &'static str,
    take: fn(u32),
}

const PATHS: &[Path] = &[
    Path { name: "read", step: "a batch of 16 requests", take: core::read },
    Path { name: "write", step: "16 encoded replies", take: core::write },
    Path { name: "session", step: "16 requests, replies and confirmations", take: core::session },
    Path {
        name: "echo",
        step: "a message of 16 requests of 64 B",
        take: |count| server::echo(count, 16, 64),
    },
    Path {
        name: "echo-1",
        step: "a message of one request of 64 B",
        take: |count| server::echo(count, 1, 64),
    },
    Path {
        name: "echo-1k",
        step: "a message of 16 requests of 1 KiB",
        take: |count| server::echo(count, 16, 1024),
    },
    Path {
        name: "echo-apart",
        step: "16 messages of a request of 64 B each",
        take: |count| server::echo_apart(count, 16, 64),
    },
    Path {
        name: "fanout",
        step: "16 events to 100 members",
        take: |count| server::fan_out(count, 16),
    },
    Path {
        name: "fanout-1",
        step: "an event to 100 members",
        take: |count| server::fan_out(count, 1),
    },
    Path { name: "rooms", step: "a session that joins and leaves a room", take: server::rooms },
    Path {
        name: "polling",
        step: "a POST of 8 requests and a poll",
        take: |count| server::polling(count, 8),
    },
    Path { name: "connect", step: "a session that opens and ends", take: server::connect },
];
