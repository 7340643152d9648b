//! Pages that sleep, wake and are unloaded.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bowline_client::platform::{BoxStream, Lifecycle};
use futures::channel::mpsc;
use futures::{Stream, StreamExt};
use js_sys::Reflect;
use wasm_bindgen::prelude::*;
use web_sys::{Document, Event, EventTarget, PageTransitionEvent};

/// The changes of the page or worker from now on. Dropping the stream ends the watch. `leaving`
/// becomes true before the last change.
pub(super) fn watch(leaving: Rc<Cell<bool>>) -> BoxStream<Lifecycle> {
    let (sender, changes) = mpsc::unbounded();
    let global = js_sys::global();
    let document = Reflect::get(&global, &"document".into()).ok();
    let mut listeners = Vec::new();
    // A worker has no document, and Node's global object sends no events.
    if let Ok(global) = global.dyn_into::<EventTarget>() {
        listeners.extend(WINDOW.map(|(name, read)| Listener::new(&global, name, read, &sender)));
    }
    if let Some(Ok(document)) = document.map(JsValue::dyn_into::<EventTarget>) {
        listeners
            .extend(DOCUMENT.map(|(name, read)| Listener::new(&document, name, read, &sender)));
    }
    Box::pin(Watch { changes, leaving, _sender: sender, _listeners: listeners })
}

struct Watch {
    changes: mpsc::UnboundedReceiver<Lifecycle>,
    leaving: Rc<Cell<bool>>,
    /// Keeps the stream open where there are no events.
    _sender: mpsc::UnboundedSender<Lifecycle>,
    _listeners: Vec<Listener>,
}

impl Stream for Watch {
    type Item = Lifecycle;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Lifecycle>> {
        let change = std::task::ready!(self.changes.poll_next_unpin(cx));
        if change == Some(Lifecycle::Leave) {
            self.leaving.set(true);
        }
        Poll::Ready(change)
    }
}

/// The change that an event means, if any.
type Read = fn(&Event) -> Option<Lifecycle>;

/// An event listener, removed when it is dropped.
struct Listener {
    target: EventTarget,
    name: &'static str,
    callback: Closure<dyn FnMut(Event)>,
}

impl Listener {
    fn new(
        target: &EventTarget,
        name: &'static str,
        read: Read,
        sender: &mpsc::UnboundedSender<Lifecycle>,
    ) -> Self {
        let sender = sender.clone();
        let callback = Closure::new(move |event: Event| {
            if let Some(change) = read(&event) {
                // An error means that the stream was dropped.
                _ = sender.unbounded_send(change);
            }
        });
        // An error means that the target has no such event.
        _ = target.add_event_listener_with_callback(name, callback.as_ref().unchecked_ref());
        Self { target: target.clone(), name, callback }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let callback = self.callback.as_ref().unchecked_ref();
        _ = self.target.remove_event_listener_with_callback(self.name, callback);
    }
}

const WINDOW: [(&str, Read); 3] = [
    ("online", |_| Some(Lifecycle::Wake)),
    ("pageshow", |event| persisted(event).then_some(Lifecycle::Wake)),
    // A page that may come back keeps its session; any other closes it.
    ("pagehide", |event| {
        Some(if persisted(event) { Lifecycle::Suspend } else { Lifecycle::Leave })
    }),
];

const DOCUMENT: [(&str, Read); 3] = [
    ("freeze", |_| Some(Lifecycle::Suspend)),
    ("resume", |_| Some(Lifecycle::Wake)),
    ("visibilitychange", |event| is_visible(event).then_some(Lifecycle::Wake)),
];

fn persisted(event: &Event) -> bool {
    event.dyn_ref::<PageTransitionEvent>().is_some_and(PageTransitionEvent::persisted)
}

fn is_visible(event: &Event) -> bool {
    let document = event.target().and_then(|target| target.dyn_into::<Document>().ok());
    document.is_some_and(|document| !document.hidden())
}
