//! Timers.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bowline_client::platform::BoxFuture;
use futures::FutureExt;
use futures::channel::oneshot;
use wasm_bindgen::prelude::*;

/// Resolves after `duration`, not before.
pub(super) fn sleep(duration: Duration) -> BoxFuture<()> {
    Box::pin(async move {
        let mut left = duration.as_nanos().div_ceil(1_000_000);
        while left > 0 {
            let part = left.min(LONGEST);
            Alarm::set(part as f64).await;
            left -= part;
        }
    })
}

/// One timer of the browser. Dropping it clears it.
struct Alarm {
    id: JsValue,
    rung: oneshot::Receiver<()>,
    _ring: Closure<dyn FnMut()>,
}

impl Alarm {
    fn set(milliseconds: f64) -> Self {
        let (ring, rung) = oneshot::channel();
        let ring = Closure::once(move || _ = ring.send(()));
        Self { id: set_timeout(&ring, milliseconds), rung, _ring: ring }
    }
}

impl Future for Alarm {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.rung.poll_unpin(cx).map(drop)
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        clear_timeout(&self.id);
    }
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(ring: &Closure<dyn FnMut()>, milliseconds: f64) -> JsValue;

    #[wasm_bindgen(js_name = clearTimeout)]
    fn clear_timeout(id: &JsValue);
}

/// The most milliseconds that browsers accept; they treat larger values as 0.
const LONGEST: u128 = i32::MAX as u128;
