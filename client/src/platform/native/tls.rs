//! TLS with the certificate roots that the operating system trusts.

use std::sync::Arc;

use rustls_platform_verifier::ConfigVerifierExt;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use super::HostError;
use super::proxy::Stream;

pub(crate) fn config() -> Result<Arc<ClientConfig>, HostError> {
    ClientConfig::with_platform_verifier()
        .map(Arc::new)
        .map_err(|error| HostError::from_display("TLS cannot be set up", error))
}

/// Wraps a connected stream.
pub(crate) async fn connect(
    stream: Stream,
    host: &str,
    config: &Arc<ClientConfig>,
) -> Result<Stream, HostError> {
    let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
        .map_err(|error| HostError::from_display("not a host name", error))?;
    let stream = TlsConnector::from(Arc::clone(config))
        .connect(name, stream)
        .await
        .map_err(|error| HostError::from_display("the TLS handshake failed", error))?;
    Ok(Box::new(stream))
}
