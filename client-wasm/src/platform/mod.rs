//! The browser as a platform, in pages and in workers: uses only globals of both.

mod clock;
mod http;
mod lifecycle;
mod timer;
mod verdict;
mod websocket;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bowline_client::Verdict;
use bowline_client::platform::{
    BoxFuture, BoxStream, HostError, Lifecycle, Platform, Response, Socket, Target,
};
use bowline_protocol::Time;
use bytes::Bytes;
use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::prelude::*;

use clock::Clock;

/// Tasks, timers and network of the page or worker.
#[derive(Debug, Default)]
struct Browser {
    clock: Clock,
    /// The page is being unloaded, and requests have to outlive it.
    leaving: Rc<Cell<bool>>,
}

/// The URL, completed by the page's own. A URL that cannot be completed stays as it is, and the
/// builder refuses it.
pub(crate) fn absolute(url: &str) -> String {
    let global = js_sys::global();
    let get = |object: &JsValue, name: &str| Reflect::get(object, &name.into()).ok();
    let base = get(&global, "document")
        .filter(JsValue::is_object)
        .and_then(|document| get(&document, "baseURI"))
        .or_else(|| get(&global, "location").and_then(|location| get(&location, "href")))
        .and_then(|base| base.as_string());
    let whole = match base {
        Some(base) => web_sys::Url::new_with_base(url, &base),
        None => web_sys::Url::new(url),
    };
    whole.map_or_else(|_| url.to_owned(), |whole| whole.href())
}

pub(crate) fn new() -> Result<Arc<dyn Platform>, HostError> {
    // If this succeeds, later random numbers of the engine cannot fail.
    random().map_err(failed)?;
    Ok(Arc::new(Browser::default()))
}

impl Platform for Browser {
    fn now(&self) -> Time {
        self.clock.now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<()> {
        timer::sleep(duration)
    }

    fn spawn(&self, future: BoxFuture<()>) {
        js_sys::futures::spawn_local(future);
    }

    fn random(&self) -> [u8; 16] {
        random().expect("the browser had randomness when the client was built")
    }

    fn sends_headers(&self) -> bool {
        false
    }

    fn open_socket(
        &self,
        target: Target,
        max_message: usize,
    ) -> BoxFuture<Result<Socket, HostError>> {
        Box::pin(websocket::open(target, max_message))
    }

    fn lifecycle(&self) -> BoxStream<Lifecycle> {
        lifecycle::watch(Rc::clone(&self.leaving))
    }

    fn recall(&self, url: &str) -> Option<Verdict> {
        verdict::recall(url)
    }

    fn remember(&self, url: &str, verdict: Option<Verdict>) {
        verdict::remember(url, verdict);
    }

    fn post(&self, target: Target, body: Bytes) -> BoxFuture<Result<Response, HostError>> {
        Box::pin(http::post(target, body, self.leaving.get()))
    }
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch, js_namespace = crypto, js_name = getRandomValues)]
    fn get_random_values(array: &Uint8Array) -> Result<(), JsValue>;
}

fn random() -> Result<[u8; 16], JsValue> {
    let array = Uint8Array::new_with_length(16);
    get_random_values(&array)?;
    let mut bytes = [0; 16];
    array.copy_to(&mut bytes);
    Ok(bytes)
}

/// The text of a thrown value.
fn failed(thrown: JsValue) -> HostError {
    let error = thrown.dyn_ref::<js_sys::Error>();
    let words = error.map(|error| String::from(error.to_string()));
    HostError::Failed(words.unwrap_or_else(|| format!("{thrown:?}")))
}
