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

use std::cell::{RefCell, RefMut};

use bowline_client::engine::{Engine, EngineConfig, Verdict};
use bowline_protocol::Time;

use values::{Line, Values};

/// The client of one page.
struct Core {
    engine: Engine<Values>,
    /// Packets of an earlier page, until it is restored.
    kept: Vec<Line>,
}

type Place = RefCell<Option<Core>>;

thread_local! {
    /// Every client has a place; a place that is free is used again.
    static PLACES: RefCell<Vec<&'static Place>> = const { RefCell::new(Vec::new()) };
}

impl Core {
    /// Returns what names the new client.
    fn create(config: EngineConfig, believed: Option<Verdict>, instance: u64, now: Time) -> usize {
        let mut engine = Engine::new(config, instance, now);
        if let Some(verdict) = believed {
            engine.believe(verdict, now);
        }
        let core = Self { engine, kept: Vec::new() };
        PLACES.with_borrow_mut(|places| {
            let free = places.iter().position(|place| place.borrow().is_none());
            let id = free.unwrap_or(places.len());
            if free.is_none() {
                places.push(Box::leak(Box::default()));
            }
            *places[id].borrow_mut() = Some(core);
            id
        })
    }

    fn release(id: usize) {
        PLACES.with_borrow(|places| places[id].take());
    }
}

fn core(id: usize) -> RefMut<'static, Core> {
    let place = PLACES.with_borrow(|places| places[id]);
    RefMut::map(place.borrow_mut(), |core| core.as_mut().expect("a released client is not used"))
}
