//! The demo, listening.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use actix_web::web;
use tokio::net::TcpListener;

use crate::network::Network;
use crate::{chat, pages};

/// The demo, listening.
#[derive(Debug)]
pub struct Demo {
    address: SocketAddr,
    network: Network,
}

impl Demo {
    /// Listens on a port of 127.0.0.1; without one, on 8080 or any other that is free. `package` is
    /// the folder of the client under test, with its `index.js`. Must be called in actix's
    /// runtime.
    ///
    /// # Errors
    /// When the port cannot be had.
    pub async fn start(port: Option<u16>, package: PathBuf) -> io::Result<Self> {
        let listener = match port {
            Some(port) => bind(port).await?,
            None => match bind(USUAL_PORT).await {
                Ok(listener) => listener,
                Err(_) => bind(0).await?,
            },
        };
        let address = listener.local_addr()?;
        let chat = web::Data::new(chat::Chat::default());
        let network = Network::start(listener, chat, web::Data::new(pages::Pages { package }))?;
        Ok(Self { address, network })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Obeys the buttons of the page, for ever.
    ///
    /// # Errors
    /// When no port is left for the next version of the server.
    pub async fn run(self) -> io::Result<()> {
        self.network.run().await
    }
}

async fn bind(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind(("127.0.0.1", port)).await
}

const USUAL_PORT: u16 = 8080;
