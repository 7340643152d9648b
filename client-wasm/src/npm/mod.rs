//! The engine for JavaScript: numbers cross the border, packets and payloads are referred to by
//! number, and the desk passes short texts.
//!
//! Nothing here calls code of the application, because that may call the engine again: the engine
//! leaves its outputs on the desk (`js/desk.js`), where the class of the package reads them.

#![expect(
    unreachable_pub,
    reason = "what is public here is exported to JavaScript, and to nobody else"
)]

mod acts;
mod desk;
mod lines;
#[cfg(target_arch = "wasm32")]
mod memory;
mod numbers;
mod outputs;
mod values;

use std::cell::RefCell;

use bowline_client::engine::{Engine, EngineConfig, Verdict};
use bowline_protocol::Time;

use values::{Line, Values};

/// The client of one page.
struct Core {
    engine: Engine<Values>,
    /// Packets that an earlier page has stored, until the session is restored.
    kept: Vec<Line>,
}

thread_local! {
    /// Every client has a place of four bytes, which is never freed. A client that is running is
    /// not in its place.
    static PLACES: RefCell<Vec<Option<Box<Core>>>> = const { RefCell::new(Vec::new()) };
}

impl Core {
    /// Returns the id of the new client.
    fn create(config: EngineConfig, believed: Option<Verdict>, instance: u64, now: Time) -> usize {
        let mut engine = Engine::new(config, instance, now);
        if let Some(verdict) = believed {
            engine.believe(verdict, now);
        }
        let core = Box::new(Self { engine, kept: Vec::new() });
        PLACES.with_borrow_mut(|places| {
            places.push(Some(core));
            places.len() - 1
        })
    }
}

/// Takes a client out of its place, or puts it back. A client that has trapped stays outside, and
/// the others continue.
fn exchange(id: usize, core: Option<Box<Core>>) -> Option<Box<Core>> {
    PLACES.with_borrow_mut(|places| std::mem::replace(&mut places[id], core))
}
