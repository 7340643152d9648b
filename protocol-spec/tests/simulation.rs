//! A pair of sessions over a network that loses, delays, repeats, reorders and cuts.
//!
//! Every schedule follows from its seed. When one fails, the test prints its seed. Run that
//! schedule alone, with a trace of every step, with `BOWLINE_SEED=<seed> cargo test -p
//! bowline-protocol --test simulation -- --nocapture`. `BOWLINE_SCHEDULES=<count>` runs more or
//! fewer of them.

#[path = "simulation/checkpoint.rs"]
mod checkpoint;
#[path = "simulation/client.rs"]
mod client;
#[path = "simulation/endpoint.rs"]
mod endpoint;
#[path = "simulation/messages.rs"]
mod messages;
#[path = "simulation/network.rs"]
mod network;
#[path = "simulation/rng.rs"]
mod rng;
#[path = "simulation/server.rs"]
mod server;
#[path = "simulation/streams.rs"]
mod streams;
#[path = "simulation/truth.rs"]
mod truth;
#[path = "simulation/wire.rs"]
mod wire;
#[path = "simulation/world.rs"]
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use network::{Stats, What};

#[test]
fn nothing_is_lost_repeated_or_reordered_in_any_schedule() {
    if let Some(seed) = number_of("BOWLINE_SEED") {
        world::run(seed, true);
        return;
    }
    let schedules = number_of("BOWLINE_SCHEDULES").unwrap_or(SCHEDULES);
    let stats = run_all(schedules);
    for what in What::ALL {
        println!("{:>12} {what:?}", stats.0[*what as usize]);
    }
    for what in What::ALL {
        let count = stats.0[*what as usize];
        // A jump needs a slow carrier and a confirmation that overtakes it, a stale POST one that
        // survives a crash.
        let one_in = if matches!(what, What::Jumps | What::StalePosts) { 400 } else { 40 };
        let enough = count * one_in >= schedules || schedules < SCHEDULES;
        assert!(enough, "{what:?} happened only {count} times");
    }
}

#[test]
fn no_stream_exceeds_its_window_and_none_gets_stuck() {
    let mut seen = streams::Seen::default();
    for seed in 0..SCHEDULES {
        let run = AssertUnwindSafe(|| streams::run(seed, &mut seen));
        if let Err(panic) = catch_unwind(run) {
            eprintln!("the stream of seed {seed} failed");
            std::panic::resume_unwind(panic);
        }
    }
    println!("{seen:?}");
    assert!(seen.waits_for_items > SCHEDULES && seen.waits_for_bytes > SCHEDULES);
    assert!(seen.items > 20 * SCHEDULES && seen.false_credits > SCHEDULES);
}

#[test]
fn a_seed_is_the_same_schedule_every_time() {
    for seed in 0..20 {
        assert_eq!(world::run(seed, false).0, world::run(seed, false).0, "seed {seed}");
    }
}

/// Runs the schedules on all processors. The order in which they run changes nothing.
fn run_all(schedules: u64) -> Stats {
    let (next, sum) = (AtomicU64::new(0), Mutex::new(Stats::default()));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= schedules {
                return;
            }
            let stats = catch_unwind(AssertUnwindSafe(|| world::run(seed, false))).unwrap_or_else(
                |panic| {
                    next.store(schedules, Ordering::Relaxed);
                    eprintln!("the schedule of seed {seed} failed; BOWLINE_SEED={seed} traces it");
                    std::panic::resume_unwind(panic)
                },
            );
            sum.lock().expect("no thread panics while it adds").add(&stats);
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    sum.into_inner().expect("no thread panics while it adds")
}

fn number_of(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|value| value.parse().expect("a number"))
}

/// Enough to reach faults that need three accidents at once, and done in seconds.
const SCHEDULES: u64 = 10_000;
