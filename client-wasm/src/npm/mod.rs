//! The engine as JavaScript sees it: numbers across the border, packets and payloads by number, and short
//! text through the desk.
//!
//! Nothing here calls back into code of the application, because that may call the engine again: the
//! engine leaves what it has to say on the desk (`js/desk.js`), and the class of the package looks there.

#![expect(
    unreachable_pub,
    reason = "what is public here is exported to JavaScript, and to nobody else"
)]

mod acts;
mod desk;
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
    /// Packets of an earlier page, until it is restored.
    kept: Vec<Line>,
}

thread_local! {
    /// Every client has a place, four bytes that it never gives back. A client that is at work is not in it.
    static PLACES: RefCell<Vec<Option<Box<Core>>>> = const { RefCell::new(Vec::new()) };
}

impl Core {
    /// Returns what names the new client.
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

/// Takes a client out of its place, or puts it back. One whose work has trapped stays away, and the others go on.
fn exchange(id: usize, core: Option<Box<Core>>) -> Option<Box<Core>> {
    PLACES.with_borrow_mut(|places| std::mem::replace(&mut places[id], core))
}
