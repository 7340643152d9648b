//! A client whose page is left, comes back or goes offline: driven from outside.

use std::cell::RefCell;
use std::rc::Rc;

use bowline_client_wasm::client::{Client, Events};
use js_sys::Promise;
use js_sys::futures::future_to_promise;
use wasm_bindgen::prelude::*;

use crate::scene::{Scene, World, session, take};
use bowline_contract::{Down, Up};

/// A page's numbered messages.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Talk {
    client: Client,
    downs: Rc<RefCell<Option<Events<u64>>>>,
    said: u64,
}

#[wasm_bindgen]
impl Talk {
    /// Connects over one transport.
    #[wasm_bindgen(constructor)]
    pub fn new(transport: &str, world: World) -> Result<Self, JsValue> {
        let client = Scene::new(world, transport).and_then(|scene| scene.client());
        let client = client.map_err(|error| error.to_string())?;
        let downs = Rc::new(RefCell::new(Some(client.on(Down))));
        Ok(Self { client, downs, said: 0 })
    }

    /// Resolves with the session's id.
    pub fn connect(&self) -> Promise {
        let client = self.client.clone();
        future_to_promise(async move {
            client.connect().await.map_err(|error| error.to_string())?;
            Ok(session(&client).map_err(|error| error.to_string())?.into())
        })
    }

    /// Emits the next numbers, and returns the last.
    #[wasm_bindgen(js_name = sayUp)]
    pub fn say_up(&mut self, count: u32) -> Result<f64, JsValue> {
        for _ in 0..count {
            self.said += 1;
            self.client.emit(Up, &self.said).map_err(|error| error.to_string())?;
        }
        Ok(self.said as f64)
    }

    /// Resolves with the next numbers as text. Only one such wait at a time.
    pub fn downs(&self, count: u32) -> Promise {
        let place = Rc::clone(&self.downs);
        future_to_promise(async move {
            let downs = place.borrow_mut().take();
            let mut downs = downs.ok_or("somebody else waits already")?;
            let taken = take(&mut downs, u64::from(count)).await;
            *place.borrow_mut() = Some(downs);
            Ok(format!("{:?}", taken.map_err(|error| error.to_string())?).into())
        })
    }

    /// Where the client stands, for people.
    #[must_use]
    pub fn situation(&self) -> String {
        format!("{:?} {:?}", self.client, self.client.stats())
    }
}
