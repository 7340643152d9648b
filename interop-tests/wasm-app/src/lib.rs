//! An application in Rust for browsers: it compiles the same contract as the server of the tests,
//! and tells in stories whether the client keeps its promises there.
//! `interop-tests/browser/rust.mjs` runs it.

#![cfg(target_arch = "wasm32")]

mod scene;
mod stories;
mod talk;

use js_sys::Promise;
use js_sys::futures::future_to_promise;
use wasm_bindgen::prelude::*;

use scene::Scene;

pub use scene::World;
pub use talk::Talk;

/// The names of all stories, separated by newlines.
#[wasm_bindgen]
#[must_use]
pub fn stories() -> String {
    stories::ALL.map(|(name, _)| name).join("\n")
}

/// Tells a story in a world of its own over one transport. Resolves with what broke, or `null`.
#[wasm_bindgen]
pub fn play(story: &str, transport: &str, world: World) -> Promise {
    let scene = Scene::new(world, transport);
    let story = stories::ALL.iter().find(|(name, _)| *name == story).map(|(_, tell)| *tell);
    future_to_promise(async move {
        let told = match (scene, story) {
            (Ok(scene), Some(tell)) => tell(scene).await,
            (Err(broken), _) => Err(broken),
            (_, None) => Err("there is no such story".into()),
        };
        Ok(told.map_or_else(|broken| broken.to_string().into(), |()| JsValue::NULL))
    })
}
