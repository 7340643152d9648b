//! The platform of native programs: tokio, reqwest, rustls.

mod clock;
mod http;
mod plain;
mod pool;
mod proxy;
mod refused;
mod tls;
mod websocket;

use std::sync::Arc;
use std::time::Duration;

use bowline_protocol::Time;
use bytes::Bytes;

use super::{BoxFuture, HostError, Platform, Response, Socket, Target};
use clock::Clock;
use plain::Plain;
use pool::Pool;
use proxy::Proxies;

/// Tasks, timers and sockets of the tokio runtime in which the client connects.
#[derive(Debug)]
pub(crate) struct Native {
    clock: Clock,
    http: Pool,
    proxies: Arc<Proxies>,
    tls: Arc<tokio_rustls::rustls::ClientConfig>,
    plain: Arc<Plain>,
}

impl Native {
    /// Reads the proxies from the environment and the certificate roots of the machine.
    pub(crate) fn new() -> Result<Self, HostError> {
        let tls = tls::config();
        Ok(Self {
            clock: Clock::new(),
            http: Pool::new(&tls)?,
            proxies: Arc::new(Proxies::from_env()),
            tls,
            plain: Arc::default(),
        })
    }
}

impl Platform for Native {
    fn now(&self) -> Time {
        self.clock.now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<()> {
        Box::pin(async move { tokio::time::sleep(duration).await })
    }

    fn spawn(&self, future: BoxFuture<()>) {
        tokio::spawn(future);
    }

    fn random(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).expect("the operating system has randomness");
        bytes
    }

    fn open_socket(
        &self,
        target: Target,
        max_message: usize,
    ) -> BoxFuture<Result<Socket, HostError>> {
        let (proxies, tls) = (Arc::clone(&self.proxies), Arc::clone(&self.tls));
        let plain = Arc::clone(&self.plain);
        Box::pin(async move {
            let opened = websocket::open(&target, max_message, &proxies, &tls).await;
            plain.explain(opened, &target.url, &proxies, &tls).await
        })
    }

    fn post(&self, target: Target, body: Bytes) -> BoxFuture<Result<Response, HostError>> {
        let (proxies, tls) = (Arc::clone(&self.proxies), Arc::clone(&self.tls));
        let (http, plain) = (self.http.lease(), Arc::clone(&self.plain));
        Box::pin(async move {
            let answer = http::post(http, &target, body).await;
            plain.explain(answer, &target.url, &proxies, &tls).await
        })
    }
}

impl HostError {
    fn from_display(what: &str, error: impl std::fmt::Display) -> Self {
        Self::Failed(format!("{what}: {error}"))
    }
}
