//! What the buttons do to the network and the server.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use actix_web::{rt, web};
use bowline_server::FileStore;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::buttons::{Button, Buttons};
use crate::chat::{Chat, Member};
use crate::pages::Pages;
use crate::server::{Server, Shared};
use bowline_fault_proxy::{Cut, Direction, FaultProxy};

/// Tells everyone what is about to happen.
#[derive(Debug, Serialize)]
struct Notice<'a> {
    button: Button,
    by: &'a Member,
    /// How long it lasts, in milliseconds; zero if it has no end.
    lasts: u128,
}

/// The proxy that everyone comes through, and the server behind it.
#[derive(Debug)]
pub(crate) struct Network {
    proxy: FaultProxy,
    server: Server,
    shared: Shared,
    orders: mpsc::UnboundedReceiver<(Button, Member)>,
}

impl Network {
    pub(crate) fn start(
        listener: TcpListener,
        chat: web::Data<Chat>,
        pages: web::Data<Pages>,
    ) -> io::Result<Self> {
        let folder = format!("bowline-demo-{}", std::process::id());
        let store = FileStore::new(std::env::temp_dir().join(folder));
        let (sender, orders) = mpsc::unbounded_channel();
        let buttons = web::Data::new(Buttons {
            orders: sender,
            is_busy: AtomicBool::new(false),
            refuses_websocket: AtomicBool::new(false),
        });
        let shared = Shared { chat, pages, buttons, store };
        let server = Server::start(shared.clone())?;
        let proxy = FaultProxy::start_on(listener, server.address)?;
        Ok(Self { proxy, server, shared, orders })
    }

    pub(crate) async fn run(mut self) -> io::Result<()> {
        while let Some((button, by)) = self.orders.recv().await {
            if button == Button::AllowWebsocket {
                // Whoever is told may try it at once.
                self.refuse_websocket(false);
                self.tell(button, &by);
            } else {
                self.tell(button, &by);
                rt::time::sleep(NOTICE).await;
                self = self.obey(button).await?;
            }
            self.shared.buttons.is_busy.store(false, Ordering::Relaxed);
        }
        Ok(())
    }

    fn tell(&self, button: Button, by: &Member) {
        let notice = Notice { button, by, lasts: button.lasts().as_millis() };
        if let Err(error) = self.server.bowline.emit("network", &notice) {
            log::error!("nobody is told of {button:?}: {error}");
        }
    }

    async fn obey(self, button: Button) -> io::Result<Self> {
        match button {
            Button::RefuseWebsocket => self.refuse_websocket(true),
            Button::AllowWebsocket => self.refuse_websocket(false),
            Button::Mute => {
                self.proxy.mute(Some(Direction::Down));
                rt::time::sleep(button.lasts()).await;
                self.proxy.mute(None);
            }
            Button::Cut => {
                self.proxy.refuse_connections(true);
                self.proxy.cut_all(Cut::Reset);
                rt::time::sleep(button.lasts()).await;
                self.proxy.refuse_connections(false);
            }
            Button::Deploy => return self.deploy(button.lasts()).await,
        }
        Ok(self)
    }

    fn refuse_websocket(&self, refuse: bool) {
        self.shared.buttons.refuses_websocket.store(refuse, Ordering::Relaxed);
        self.proxy.refuse_upgrade(refuse.then_some(403));
        if refuse {
            self.proxy.cut_all(Cut::Reset);
        }
    }

    async fn deploy(self, takes: Duration) -> io::Result<Self> {
        let Self { proxy, server, shared, orders } = self;
        let begun = Instant::now();
        server.end().await;
        // Nobody listens until the next version has started.
        proxy.refuse_connections(true);
        rt::time::sleep(takes.saturating_sub(begun.elapsed())).await;
        let server = Server::start(shared.clone())?;
        proxy.set_target(server.address);
        proxy.refuse_connections(false);
        Ok(Self { proxy, server, shared, orders })
    }
}

/// How long before something breaks everyone is told, and whoever pressed the button is answered.
const NOTICE: Duration = Duration::from_millis(150);
