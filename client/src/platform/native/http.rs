//! POSTs, through reqwest: connection pool, TLS and proxies are its own.

use bytes::Bytes;
use futures::StreamExt;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use tokio_rustls::rustls::ClientConfig;

use super::{HostError, Response, Target};

pub(crate) fn client(tls: &ClientConfig) -> Result<reqwest::Client, HostError> {
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls.clone())
        .redirect(Policy::none())
        .tcp_nodelay(true)
        .build()
        .map_err(|error| failed(&error))
}

pub(crate) async fn post(
    client: reqwest::Client,
    target: Target,
    body: Bytes,
) -> Result<Response, HostError> {
    let request = client
        .post(&target.url)
        .headers(headers(&target))
        .header(CONTENT_TYPE, "text/plain; charset=utf-8")
        .body(body);
    let response = request.send().await.map_err(|error| failed(&error))?;
    let status = response.status().as_u16();
    let body = response.bytes_stream().map(|chunk| chunk.map_err(|error| failed(&error)));
    Ok(Response { status, body: Box::pin(body) })
}

/// The builder has checked them.
pub(crate) fn headers(target: &Target) -> HeaderMap {
    target
        .headers
        .iter()
        .filter_map(|(name, value)| {
            Some((name.parse::<HeaderName>().ok()?, HeaderValue::from_str(value).ok()?))
        })
        .collect()
}

/// What went wrong, with its cause: reqwest's own words end before it.
fn failed(error: &reqwest::Error) -> HostError {
    let mut words = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    HostError::Failed(words)
}
