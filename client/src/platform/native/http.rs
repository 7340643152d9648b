//! POSTs, through reqwest, which has the connection pool, TLS and proxies.

use bytes::Bytes;
use futures::{StreamExt, stream};
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use tokio_rustls::rustls::ClientConfig;

use super::pool::Lease;
use super::refused::{self, explain};
use super::{HostError, Response, Target};

pub(crate) fn client(tls: &ClientConfig) -> Result<reqwest::Client, HostError> {
    let mut tls = tls.clone();
    tls.alpn_protocols = SPOKEN.iter().map(|name| name.to_vec()).collect();
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(Policy::none())
        .tcp_nodelay(true)
        .build()
        .map_err(|error| explain(None, &error))
}

pub(crate) async fn post(
    lease: Lease,
    target: &Target,
    body: Bytes,
) -> Result<Response, HostError> {
    let request = lease
        .client()
        .post(&target.url)
        .headers(headers(target))
        .header(CONTENT_TYPE, "text/plain; charset=utf-8")
        .body(body);
    let response = request.send().await.map_err(|error| explain(None, &error))?;
    let status = response.status();
    let head = refused::head(status.as_u16(), response.headers());
    let chunks = response.bytes_stream();
    let body = stream::unfold((chunks, lease), move |(mut chunks, lease)| async move {
        match chunks.next().await {
            Some(chunk) => Some((chunk.map_err(|error| explain(None, &error)), (chunks, lease))),
            // A server that is shutting down would respond the same way again on the same
            // connection.
            None if status == StatusCode::SERVICE_UNAVAILABLE => None,
            None => {
                lease.end_well();
                None
            }
        }
    });
    Ok(Response { head, body: Box::pin(body) })
}

/// The builder has validated them.
pub(crate) fn headers(target: &Target) -> HeaderMap {
    target
        .headers
        .iter()
        .filter_map(|(name, value)| {
            let mut value = HeaderValue::from_str(value).ok()?;
            value.set_sensitive(true);
            Some((name.parse::<HeaderName>().ok()?, value))
        })
        .collect()
}

/// The protocols that the TLS handshake offers, the preferred one first.
const SPOKEN: &[&[u8]] =
    if cfg!(feature = "http2") { &[b"h2", b"http/1.1"] } else { &[b"http/1.1"] };
