//! TLS with the certificate roots that the operating system trusts.

use std::sync::Arc;

use rustls_platform_verifier::ConfigVerifierExt;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::HostError;
use super::proxy::Stream;
use super::refused::explain;

/// A machine without any roots, for example a small container, can still connect to servers without
/// TLS; connections with TLS then fail with an unknown issuer, which the client's last failure
/// states.
pub(crate) fn config() -> Arc<ClientConfig> {
    Arc::new(ClientConfig::with_platform_verifier().unwrap_or_else(|_| {
        ClientConfig::builder().with_root_certificates(RootCertStore::empty()).with_no_client_auth()
    }))
}

/// Wraps a connected stream.
pub(crate) async fn connect(
    stream: Stream,
    host: &str,
    config: &Arc<ClientConfig>,
) -> Result<Stream, HostError> {
    let mut config = ClientConfig::clone(config);
    // A WebSocket starts in HTTP/1.1, and so does a tunnel.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
        .map_err(|error| HostError::from_display("not a host name", error))?;
    let stream = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .map_err(|error| explain(Some("the TLS handshake failed"), &error))?;
    Ok(Box::new(stream))
}
