//! What a story happens in: a world, and a client that uses one transport.

use std::error::Error;
use std::fmt;

use bowline_client_wasm::client::{Client, ClientBuilder, Events, Status, StatusStream, Transport};
use bowline_client_wasm::{BuildInBrowser, builder};
use futures::StreamExt;
use js_sys::futures::JsFuture;
use js_sys::{Array, Object, Promise, Reflect};
use wasm_bindgen::prelude::*;

use bowline_contract::Down;

#[wasm_bindgen]
extern "C" {
    /// The class `World` of the browser tests: a server behind a network that can be broken.
    pub type World;

    #[wasm_bindgen(method, js_name = do)]
    fn act(this: &World, deed: &str, details: &JsValue) -> Promise;

    #[wasm_bindgen(method)]
    fn cut(this: &World, finish: bool) -> Promise;

    #[wasm_bindgen(method, js_name = emitDown)]
    fn emit_down(this: &World, session: &str, from: f64, through: f64) -> Promise;

    #[wasm_bindgen(method)]
    fn numbers(this: &World, session: &str, count: f64) -> Promise;
}

/// How a story ends: an error says what broke.
pub(crate) type Told<T = ()> = Result<T, Box<dyn Error>>;

pub(crate) struct Scene {
    world: World,
    pub(crate) transport: Transport,
}

impl Scene {
    pub(crate) fn new(world: World, transport: &str) -> Told<Self> {
        let known = [Transport::WebSocket, Transport::Sse, Transport::Polling];
        let transport = known.into_iter().find(|known| known.to_string() == transport);
        Ok(Self { world, transport: transport.ok_or("there is no such transport")? })
    }

    /// The server that the page came from.
    pub(crate) fn builder(&self) -> ClientBuilder {
        builder("/bowline").transports([self.transport])
    }

    /// A client that is not connected yet.
    pub(crate) fn client(&self) -> Told<Client> {
        Ok(self.builder().build_in_browser()?)
    }

    /// A client that is connected, and the events [`Down`] that it gets.
    pub(crate) async fn connected(&self) -> Told<(Client, Events<u64>)> {
        let client = self.client()?;
        let downs = client.on(Down);
        client.connect().await?;
        Ok((client, downs))
    }

    /// Does what `Deed` of the browser host lists.
    pub(crate) async fn act(&self, deed: &str, details: &[(&str, JsValue)]) -> Told<JsValue> {
        let object = Object::new();
        for (name, value) in details {
            Reflect::set(&object, &(*name).into(), value).map_err(thrown)?;
        }
        done(self.world.act(deed, &object)).await
    }

    pub(crate) async fn cut(&self, finish: bool) -> Told {
        done(self.world.cut(finish)).await.map(drop)
    }

    /// Has the server emit numbers to the client.
    pub(crate) async fn emit_down(&self, client: &Client, from: u64, through: u64) -> Told {
        let said = self.world.emit_down(&session(client)?, from as f64, through as f64);
        done(said).await.map(drop)
    }

    /// What the server has received from a session, once there are so many.
    pub(crate) async fn numbers(&self, session: &str, count: u64) -> Told<Vec<u64>> {
        let numbers = done(self.world.numbers(session, count as f64)).await?;
        Ok(Array::from(&numbers).iter().filter_map(|n| n.as_f64()).map(|n| n as u64).collect())
    }
}

pub(crate) fn session(client: &Client) -> Told<String> {
    Ok(client.session_id().ok_or("there is no session")?.to_string())
}

/// The next numbers.
pub(crate) async fn take(downs: &mut Events<u64>, count: u64) -> Told<Vec<u64>> {
    let mut taken = Vec::new();
    for _ in 0..count {
        taken.push(downs.next().await.ok_or("the client was closed")??.payload);
    }
    Ok(taken)
}

/// The next status of this kind.
pub(crate) async fn until(
    statuses: &mut StatusStream,
    wanted: impl Fn(&Status) -> bool,
) -> Told<Status> {
    while let Some(status) = statuses.next().await {
        if wanted(&status) {
            return Ok(status);
        }
    }
    Err("the client was closed".into())
}

pub(crate) fn equal<T: PartialEq<U> + fmt::Debug, U: fmt::Debug>(left: T, right: U) -> Told {
    if left == right {
        return Ok(());
    }
    let words = format!("{left:?} instead of {right:?}");
    Err(words.chars().take(400).collect::<String>().into())
}

/// What was thrown, as an error.
pub(crate) fn thrown(value: JsValue) -> Box<dyn Error> {
    format!("{value:?}").into()
}

async fn done(promise: Promise) -> Told<JsValue> {
    JsFuture::from(promise).await.map_err(thrown)
}
