//! The signals that end a server.

use std::future::pending;
use std::io;

use actix_web::rt::signal;
use futures::future::BoxFuture;

/// How a server is asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Urgency {
    /// Requests under way are finished.
    Orderly,
    Now,
}

/// What asks the server to end.
pub(super) enum Stop {
    Process(Signals),
    /// The application's own signal, until it has come.
    Own(Option<BoxFuture<'static, ()>>),
}

impl Stop {
    /// Listens to the application's signal if it has one, else to those of the process.
    ///
    /// # Errors
    /// When the operating system does not let the process listen.
    pub(super) fn listen(own: Option<BoxFuture<'static, ()>>) -> io::Result<Self> {
        Ok(match own {
            Some(own) => Self::Own(Some(own)),
            None => Self::Process(Signals::listen()?),
        })
    }

    /// Waits for the next request to end. One that is dropped before has missed nothing.
    pub(super) async fn next(&mut self) -> Urgency {
        match self {
            Self::Process(signals) => signals.next().await,
            Self::Own(own) => {
                let Some(signal) = own else { return pending().await };
                signal.await;
                *own = None;
                Urgency::Orderly
            }
        }
    }
}

/// SIGTERM and SIGINT.
#[cfg(unix)]
pub(super) struct Signals {
    terminate: signal::unix::Signal,
    interrupt: signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn listen() -> io::Result<Self> {
        use signal::unix::{SignalKind, signal};
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> Urgency {
        tokio::select! {
            _ = self.interrupt.recv() => Urgency::Now,
            _ = self.terminate.recv() => Urgency::Orderly,
        }
    }
}

/// Ctrl-C.
#[cfg(not(unix))]
pub(super) struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> Urgency {
        if signal::ctrl_c().await.is_err() {
            // Nobody can press it.
            return pending().await;
        }
        Urgency::Now
    }
}
