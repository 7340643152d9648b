//! The connections for POSTs, and when they are closed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use reqwest::Client;
use tokio_rustls::rustls::ClientConfig;

use super::{HostError, http};

/// The connections of reqwest, which uses one HTTP/2 connection for all requests as long as it
/// looks alive. The next request would wait on a dead connection as the last one did, or reach a
/// server again that is shutting down. So a request that is given up closes the connections as
/// well.
#[derive(Debug, Clone)]
pub(crate) struct Pool {
    tls: Arc<ClientConfig>,
    current: Arc<Mutex<Current>>,
}

#[derive(Debug)]
struct Current {
    client: Client,
    /// How many pools there were before.
    number: u64,
}

/// The connections for one request, which are closed with it unless it ends well.
#[derive(Debug)]
pub(crate) struct Lease {
    pool: Pool,
    client: Client,
    number: u64,
    ended_well: bool,
}

impl Pool {
    pub(crate) fn new(tls: &Arc<ClientConfig>) -> Result<Self, HostError> {
        let current = Current { client: http::client(tls)?, number: 0 };
        Ok(Self { tls: Arc::clone(tls), current: Arc::new(Mutex::new(current)) })
    }

    pub(crate) fn lease(&self) -> Lease {
        let Current { client, number } = &*self.lock();
        Lease { pool: self.clone(), client: client.clone(), number: *number, ended_well: false }
    }

    /// Opens new connections from now on, unless another request has caused that since.
    fn renew(&self, number: u64) {
        let mut current = self.lock();
        if current.number == number
            && let Ok(client) = http::client(&self.tls)
        {
            *current = Current { client, number: number + 1 };
        }
    }

    fn lock(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lease {
    pub(crate) const fn client(&self) -> &Client {
        &self.client
    }

    /// The response was read to its end.
    pub(crate) fn end_well(mut self) {
        self.ended_well = true;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.ended_well {
            self.pool.renew(self.number);
        }
    }
}
