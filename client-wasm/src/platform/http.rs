//! POSTs, through `fetch`.

use std::time::Duration;

use bowline_client::Cause;
use bowline_client::platform::{BoxStream, Head, HostError, Response, Target};
use bytes::Bytes;
use futures::stream::unfold;
use js_sys::futures::JsFuture;
use js_sys::{Date, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{
    AbortController, Headers, ReadableStreamDefaultReader, ReadableStreamReadResult, RequestCache,
    RequestCredentials, RequestInit, RequestRedirect, ResponseType,
};

use super::failed;

/// Sends a POST that may have to outlive the page.
pub(super) async fn post(
    target: Target,
    body: Bytes,
    outlive: bool,
) -> Result<Response, HostError> {
    let abort = Abort(AbortController::new().map_err(failed)?);
    let request = request(&body, &abort, outlive).map_err(failed)?;
    let answer = JsFuture::from(fetch(&target.url, &request).map_err(failed)?);
    let response: web_sys::Response = answer.await.map_err(failed)?.unchecked_into();
    if response.type_() == ResponseType::Opaqueredirect {
        // Browsers do not report the target.
        return Err(HostError::Refused(Cause::Redirected, "a redirect".to_owned()));
    }
    Ok(Response { head: head(&response), body: content(&response, abort)? })
}

/// A request that can be aborted. Dropping it aborts it.
struct Abort(AbortController);

impl Drop for Abort {
    fn drop(&mut self) {
        // Has no effect after the whole response was read.
        self.0.abort();
    }
}

fn request(body: &[u8], abort: &Abort, outlive: bool) -> Result<RequestInit, JsValue> {
    let headers = Headers::new()?;
    // The only suitable content type that needs no preflight.
    headers.set("content-type", "text/plain; charset=utf-8")?;
    let request = RequestInit::new();
    request.set_method("POST");
    request.set_headers_headers(&headers);
    request.set_body_opt_u8_array(Some(&Uint8Array::from(body)));
    request.set_credentials(RequestCredentials::Include);
    request.set_cache(RequestCache::NoStore);
    // The body, with its secrets, would be sent there.
    request.set_redirect(RequestRedirect::Manual);
    request.set_signal(Some(&abort.0.signal()));
    if outlive && body.len() <= OUTLIVING {
        Reflect::set(&request, &"keepalive".into(), &true.into())?;
    }
    Ok(request)
}

/// The parts that a page may read: of another origin, those that the response exposes.
fn head(response: &web_sys::Response) -> Head {
    let get = |name: &str| response.headers().get(name).ok().flatten();
    Head {
        status: response.status(),
        content_type: get("content-type"),
        location: None,
        retry_after: get("retry-after").and_then(|value| retry_after(&value)),
    }
}

/// Seconds, or a date.
fn retry_after(value: &str) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let left = Date::parse(value) - Date::now();
    (!left.is_nan()).then(|| Duration::from_millis(left.max(0.0) as u64))
}

/// The body as it arrives.
fn content(
    response: &web_sys::Response,
    abort: Abort,
) -> Result<BoxStream<Result<Bytes, HostError>>, HostError> {
    let Some(stream) = response.body() else { return Ok(Box::pin(futures::stream::empty())) };
    let reader = ReadableStreamDefaultReader::new(&stream).map_err(failed)?;
    Ok(Box::pin(unfold(Some((reader, abort, length(response))), |state| async {
        let (reader, abort, missing) = state?;
        match next_chunk(&reader).await {
            // Firefox may treat a response that was cut off as complete.
            Ok(None) if missing > 0 => Some((Err(cut_off()), None)),
            Ok(None) => None,
            Ok(Some(chunk)) => {
                let missing = missing.saturating_sub(chunk.len() as u64);
                Some((Ok(chunk), Some((reader, abort, missing))))
            }
            Err(error) => Some((Err(failed(error)), None)),
        }
    })))
}

/// The length that the response states; 0 without a length, or for a compressed body.
fn length(response: &web_sys::Response) -> u64 {
    let get = |name: &str| response.headers().get(name).ok().flatten();
    let header =
        get("content-length").filter(|_| get("content-encoding").as_deref() == Some("identity"));
    header.and_then(|length| length.parse().ok()).unwrap_or_default()
}

fn cut_off() -> HostError {
    failed("the answer was cut off".into())
}

async fn next_chunk(reader: &ReadableStreamDefaultReader) -> Result<Option<Bytes>, JsValue> {
    let read = JsFuture::from(reader.read()).await?.unchecked_into::<ReadableStreamReadResult>();
    if read.get_done().unwrap_or_default() {
        return Ok(None);
    }
    let chunk = read.get_value().dyn_into::<Uint8Array>()?;
    Ok(Some(Bytes::from(chunk.to_vec())))
}

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(catch)]
    fn fetch(url: &str, request: &RequestInit) -> Result<js_sys::Promise, JsValue>;
}

/// The most bytes that browsers accept in all requests that outlive their page.
const OUTLIVING: usize = 64 * 1024;
