//! The buttons of the page, as the handlers see them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::chat::Member;

/// What a person can do to the network of everyone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Button {
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
pub(crate) struct Buttons {
    pub(crate) orders: mpsc::UnboundedSender<(Button, Member)>,
    pub(crate) is_busy: AtomicBool,
    pub(crate) refuses_websocket: AtomicBool,
}

/// How the network is at the moment, for those who come later.
#[derive(Debug, Serialize)]
pub(crate) struct Pressed {
    #[serde(rename = "refusesWebsocket")]
    refuses_websocket: bool,
}

impl Buttons {
    /// Has a button take effect in a moment. Fails while another still does.
    pub(crate) fn press(&self, button: Button, by: Member) -> Result<(), ()> {
        if self.is_busy.swap(true, Ordering::Relaxed) {
            return Err(());
        }
        self.orders.send((button, by)).map_err(drop)
    }

    pub(crate) fn pressed(&self) -> Pressed {
        Pressed { refuses_websocket: self.refuses_websocket.load(Ordering::Relaxed) }
    }
}

impl Button {
    /// How long it lasts: long enough to write something meanwhile, short enough to wait for the
    /// end.
    pub(crate) const fn lasts(self) -> Duration {
        match self {
            Self::RefuseWebsocket | Self::AllowWebsocket => Duration::ZERO,
            Self::Mute | Self::Cut => Duration::from_secs(5),
            Self::Deploy => Duration::from_secs(2),
        }
    }
}
