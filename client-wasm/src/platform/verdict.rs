//! A page's verdict on its network, for the next page of its origin. The npm package stores it in
//! the same place and form (`js/verdict.js`).

use std::time::Duration;

use bowline_client::{Transport, Verdict};
use js_sys::{Date, Reflect};
use wasm_bindgen::JsCast;
use web_sys::Storage;

pub(super) fn recall(url: &str) -> Option<Verdict> {
    let kept = storage()?.get_item(&place(url)).ok()??;
    let (digit, until) = kept.split_once(' ')?;
    let transport = TRANSPORTS[digit.parse::<usize>().ok()?.checked_sub(1).filter(|at| *at < 3)?];
    let left = until.parse::<f64>().ok()? - Date::now();
    // A clock that was set back must not extend a verdict.
    let valid = left > 0.0 && left < LONGEST;
    valid.then(|| Verdict { transport, valid_for: Duration::from_secs_f64(left / 1000.0) })
}

/// If the storage is absent, forbidden or full, the next page finds out by itself.
pub(super) fn remember(url: &str, verdict: Option<Verdict>) {
    let Some(storage) = storage() else { return };
    _ = match verdict {
        Some(Verdict { transport, valid_for }) => {
            let digit =
                TRANSPORTS.iter().position(|other| *other == transport).map_or(1, |at| at + 1);
            let until = Date::now() + (valid_for.as_secs() * 1000) as f64;
            storage.set_item(&place(url), &format!("{digit} {until}"))
        }
        None => storage.remove_item(&place(url)),
    };
}

/// Workers have no storage.
fn storage() -> Option<Storage> {
    Reflect::get(&js_sys::global(), &"localStorage".into()).ok()?.dyn_into().ok()
}

fn place(url: &str) -> String {
    format!("bowline {url}")
}

const TRANSPORTS: [Transport; 3] = [Transport::WebSocket, Transport::Sse, Transport::Polling];
/// An hour, in milliseconds.
const LONGEST: f64 = 3_600_000.0;
