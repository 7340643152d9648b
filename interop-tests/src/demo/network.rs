//! The buttons of the page, and what they do to the network and the server.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use actix_web::{rt, web};
use bowline_server::FileStore;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::chat::{Chat, Member};
use super::pages::Pages;
use super::server::{Server, Shared};
use crate::fault_proxy::{Cut, Direction, FaultProxy};

/// What a person can do to the network of everyone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Button {
    /// From now on, no WebSocket gets through, and what is open is cut.
    RefuseWebsocket,
    /// WebSockets get through again.
    AllowWebsocket,
    /// Whatever the server says is swallowed for a while. Nobody is told.
    Mute,
    /// Every connection is cut, and no other can be made for a while.
    Cut,
    /// The server ends, and its next version takes its place after a moment.
    Deploy,
}

/// What the handlers know of the buttons.
#[derive(Debug)]
pub(super) struct Buttons {
    orders: mpsc::UnboundedSender<(Button, Member)>,
    is_busy: AtomicBool,
    refuses_websocket: AtomicBool,
}

/// How the network is at the moment, for those who come later.
#[derive(Debug, Serialize)]
pub(super) struct Pressed {
    #[serde(rename = "refusesWebsocket")]
    refuses_websocket: bool,
}

/// Tells everyone what is about to happen.
#[derive(Debug, Serialize)]
struct Notice<'a> {
    button: Button,
    by: &'a Member,
    /// How long it lasts, in milliseconds; zero if it has no end.
    lasts: u128,
}

impl Buttons {
    /// Has a button take effect in a moment. Fails while another still does.
    pub(super) fn press(&self, button: Button, by: Member) -> Result<(), ()> {
        if self.is_busy.swap(true, Ordering::Relaxed) {
            return Err(());
        }
        self.orders.send((button, by)).map_err(drop)
    }

    pub(super) fn pressed(&self) -> Pressed {
        Pressed { refuses_websocket: self.refuses_websocket.load(Ordering::Relaxed) }
    }
}

/// The proxy that everyone comes through, and the server behind it.
#[derive(Debug)]
pub(super) struct Network {
    proxy: FaultProxy,
    server: Server,
    shared: Shared,
    orders: mpsc::UnboundedReceiver<(Button, Member)>,
}

impl Network {
    pub(super) fn start(
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

    pub(super) async fn run(mut self) -> io::Result<()> {
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

impl Button {
    /// Long enough to write something meanwhile, short enough to wait for the end.
    const fn lasts(self) -> Duration {
        match self {
            Self::RefuseWebsocket | Self::AllowWebsocket => Duration::ZERO,
            Self::Mute | Self::Cut => Duration::from_secs(5),
            Self::Deploy => Duration::from_secs(2),
        }
    }
}

/// How long before something breaks everyone is told, and whoever pressed the button is answered.
const NOTICE: Duration = Duration::from_millis(150);
