//! Connected streams, through the proxies of the environment.
//!
//! WebSockets always request a tunnel with CONNECT from a proxy, also without TLS: most proxies
//! that forward plain requests cannot forward an upgrade.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::rustls::ClientConfig;
use tokio_tungstenite::tungstenite::http::Uri;

use super::refused::explain;
use super::{HostError, tls};
use crate::engine::Cause;

/// A byte stream of any kind.
pub(crate) type Stream = Box<dyn Duplex>;

/// Both directions of a byte stream.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// The proxies of `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`, in either case of
/// letters.
pub(crate) struct Proxies(Matcher);

impl Proxies {
    pub(crate) fn from_env() -> Self {
        Self(Matcher::from_env())
    }

    /// A stream to the host of a `ws` or `wss` URL, TLS included.
    pub(crate) async fn connect(
        &self,
        url: &Uri,
        tls: &Arc<ClientConfig>,
    ) -> Result<Stream, HostError> {
        let secure = url.scheme_str() == Some("wss");
        let host = url.host().ok_or_else(|| HostError::Failed("the URL has no host".to_owned()))?;
        let port = url.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let stream = match self.intercept(secure, host, port) {
            Some(proxy) => tunnel(&proxy, host, port, tls).await?,
            None => open(host, port).await?,
        };
        if secure { tls::connect(stream, host, tls).await } else { Ok(stream) }
    }

    /// Whether the host of this URL, which has no TLS, supports it. `None` if that is unknown: the
    /// host cannot be reached, or a proxy is on the way.
    pub(crate) async fn speaks_tls(&self, url: &Uri, tls: &Arc<ClientConfig>) -> Option<bool> {
        let host = url.host().filter(|_| matches!(url.scheme_str(), Some("http" | "ws")))?;
        let port = url.port_u16().unwrap_or(80);
        if self.intercept(false, host, port).is_some() {
            return None;
        }
        let stream = open(host, port).await.ok()?;
        Some(match tls::connect(stream, host, tls).await {
            // A server with a certificate supports TLS, whether the certificate is trusted or not.
            Ok(_) | Err(HostError::Refused(Cause::UntrustedCertificate, _)) => true,
            Err(_) => false,
        })
    }

    /// The environment configures proxies for `http` and `https`; `ws` and `wss` use the same.
    fn intercept(&self, secure: bool, host: &str, port: u16) -> Option<Intercept> {
        let scheme = if secure { "https" } else { "http" };
        self.0.intercept(&format!("{scheme}://{host}:{port}/").parse().ok()?)
    }
}

impl fmt::Debug for Proxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxies").finish_non_exhaustive()
    }
}

async fn open(host: &str, port: u16) -> Result<Stream, HostError> {
    let what = format!("cannot connect to {host}:{port}");
    let failed = |error: std::io::Error| explain(Some(&what), &error);
    let unknown = |error| HostError::Refused(Cause::UnknownHost, format!("{what}: {error}"));
    let addresses = lookup_host((host.trim_matches(['[', ']']), port)).await.map_err(unknown)?;
    let addresses: Vec<SocketAddr> = addresses.collect();
    let stream = TcpStream::connect(addresses.as_slice()).await.map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    Ok(Box::new(stream))
}

/// Connects to a proxy and requests a tunnel.
async fn tunnel(
    proxy: &Intercept,
    host: &str,
    port: u16,
    tls: &Arc<ClientConfig>,
) -> Result<Stream, HostError> {
    let proxy_host = proxy
        .uri()
        .host()
        .ok_or_else(|| HostError::Failed("the URL of the proxy has no host".to_owned()))?;
    let mut stream = match proxy.uri().scheme_str() {
        Some("http") => open(proxy_host, proxy.uri().port_u16().unwrap_or(80)).await?,
        Some("https") => {
            let plain = open(proxy_host, proxy.uri().port_u16().unwrap_or(443)).await?;
            tls::connect(plain, proxy_host, tls).await?
        }
        _ => return Err(HostError::Failed("only http and https proxies are spoken".to_owned())),
    };
    let request = connect_request(proxy, host, port);
    let failed = |error| HostError::from_display("the proxy cannot be reached", error);
    stream.write_all(&request).await.map_err(failed)?;
    stream.flush().await.map_err(failed)?;
    let head = read_head(&mut stream).await.map_err(failed)?;
    if is_success(&head) {
        return Ok(stream);
    }
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let words = format!("the proxy refused the tunnel: {}", String::from_utf8_lossy(line));
    Err(match head.get(9..12) {
        Some(b"407") => HostError::Refused(Cause::ProxyAuthentication, words),
        _ => HostError::Failed(words),
    })
}

fn connect_request(proxy: &Intercept, host: &str, port: u16) -> Vec<u8> {
    let mut request =
        format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n").into_bytes();
    if let Some(auth) = proxy.basic_auth() {
        request.extend_from_slice(b"Proxy-Authorization: ");
        request.extend_from_slice(auth.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    request
}

/// Reads the proxy's response byte by byte, because the bytes after it belong to the server.
async fn read_head(stream: &mut Stream) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == LONGEST_HEAD {
            return Err(std::io::Error::other("its answer does not end"));
        }
        head.push(stream.read_u8().await?);
    }
    Ok(head)
}

fn is_success(head: &[u8]) -> bool {
    head.starts_with(b"HTTP/1.") && head.get(8..11).is_some_and(|part| part[..2] == *b" 2")
}

const LONGEST_HEAD: usize = 16 * 1024;
