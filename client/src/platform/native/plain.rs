//! Plain requests to servers that expect TLS: some servers close the connection, some respond in
//! TLS, and neither reports the cause.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio_rustls::rustls::ClientConfig;
use tokio_tungstenite::tungstenite::http::Uri;

use super::HostError;
use super::proxy::Proxies;
use crate::engine::Cause;

/// What the client knows about the server behind a URL without TLS.
#[derive(Debug, Default)]
pub(crate) struct Plain {
    /// The server has responded in HTTP, or was found not to speak TLS.
    settled: AtomicBool,
}

impl Plain {
    /// Finds out whether a request failed because the server expects TLS. Not needed once a server
    /// has responded in HTTP.
    pub(crate) async fn explain<T>(
        &self,
        outcome: Result<T, HostError>,
        url: &str,
        proxies: &Proxies,
        tls: &Arc<ClientConfig>,
    ) -> Result<T, HostError> {
        let words = match outcome {
            Err(HostError::Failed(words)) if !self.settled.load(Ordering::Relaxed) => words,
            Ok(_) | Err(HostError::Status(..)) => {
                self.settled.store(true, Ordering::Relaxed);
                return outcome;
            }
            failed => return failed,
        };
        let asked = async { proxies.speaks_tls(&url.parse::<Uri>().ok()?, tls).await };
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Some(true)) => Err(HostError::Refused(Cause::TlsExpected, words)),
            Ok(Some(false)) => {
                self.settled.store(true, Ordering::Relaxed);
                Err(HostError::Failed(words))
            }
            _ => Err(HostError::Failed(words)),
        }
    }
}

/// Much shorter than the head start of a transport.
const PATIENCE: Duration = Duration::from_millis(750);
