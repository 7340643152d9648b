//! Checks and answers that are the same on every endpoint.
//!
//! Spec: 09-security, "Origin"; 02-carriers, "Errors".

use std::fmt::{self, Write as _};
use std::time::Duration;

use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{StatusCode, Version};
use actix_web::{HttpRequest, HttpResponse};
use bowline_protocol::{Close, CloseCode, Packet};

use super::host::Target;
use crate::complaints::Foreign;
use crate::config::Origins;
use crate::node::Node;

/// The value of `Access-Control-Allow-Origin` in the answer to a page of another origin.
pub(super) struct Cors(Option<HeaderValue>);

/// Accepts or refuses a request by the host that it names and the `Origin` that a browser states.
/// Other clients state none and are accepted: the check protects users of browsers, not the server.
pub(super) fn check_origin(
    node: &Node,
    endpoint: &str,
    request: &HttpRequest,
) -> Result<Cors, Close> {
    let config = &node.config;
    let mut origins = request.headers().get_all(header::ORIGIN);
    let origin = origins.next();
    if origin.is_none() && config.hosts.is_empty() {
        return Ok(Cors(None));
    }
    let client = config.proxies.client(request.head());
    let target = Target::of(request.head(), &client, request.app_config().secure());
    // A health check may use any host name.
    if !config.hosts.is_empty() && endpoint != "health" && !target.is_among(&config.hosts) {
        return refuse_page(
            node,
            format_args!("a request for {target} was refused; allow_host lets it in"),
        );
    }
    let Some(origin) = origin else { return Ok(Cors(None)) };
    let text = origin.to_str().unwrap_or_default();
    if origins.next().is_some() {
        let text = Foreign(text);
        let what = format_args!("a page of two origins was refused, one is {text}");
        return refuse_page(node, what);
    }
    if target.is_origin(text) {
        return Ok(Cors(None));
    }
    let allowed = match &config.origins {
        Origins::Any => true,
        Origins::SameHostAnd(listed) => listed.iter().any(|known| known == text),
    };
    if allowed {
        return Ok(Cors(Some(origin.clone())));
    }
    let text = Foreign(text);
    refuse_page(node, format_args!("a page of origin {text} was refused; allow_origin lets it in"))
}

fn refuse_page(node: &Node, what: fmt::Arguments<'_>) -> Result<Cors, Close> {
    node.complain("origin", what);
    Err(Close::new(CloseCode::ORIGIN_REFUSED))
}

/// Answers a request with a close: its HTTP status, and a body that contains the close for our
/// clients.
pub(super) fn refuse(close: &Close, request: &HttpRequest) -> HttpResponse {
    log::debug!("{} {}: {close}", request.method(), Path(request.path()));
    refusal(close)
}

/// Like [`refuse`], where the request is not known.
pub(super) fn refusal(close: &Close) -> HttpResponse {
    let status = StatusCode::from_u16(close.code.http_status()).unwrap_or(StatusCode::BAD_REQUEST);
    let mut line = String::new();
    write!(line, "{}", Shown(close)).expect("writing to memory cannot fail");
    let mut response = HttpResponse::build(status);
    if status == StatusCode::SERVICE_UNAVAILABLE {
        // For proxies; our clients read the line, which contains the exact time.
        let after = close.retry_after.unwrap_or_default().as_secs().max(1);
        response.insert_header((header::RETRY_AFTER, after.to_string()));
    }
    plain(&mut response).body(line)
}

/// The headers of every body that is not a stream.
pub(super) fn plain(
    response: &mut actix_web::HttpResponseBuilder,
) -> &mut actix_web::HttpResponseBuilder {
    response
        .insert_header((header::CONTENT_TYPE, "text/plain; charset=utf-8"))
        .insert_header(NO_STORE)
        .insert_header(UNCOMPRESSED)
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
}

/// Answers a request to the WebSocket endpoint that is no WebSocket request. A proxy may have
/// removed the header, so the answer is not a close: the client is not at fault, and other carriers
/// may work.
pub(super) fn no_websocket(why: &str, request: &HttpRequest) -> HttpResponse {
    let why = match request.version() {
        // HTTP/2 has no upgrades, so it cannot contain the header below either.
        Version::HTTP_2 => "over HTTP/2 there are none, only over HTTP/1.1",
        _ => why,
    };
    let mut response = HttpResponse::UpgradeRequired();
    response.insert_header((header::UPGRADE, "websocket"));
    plain(&mut response).body(format!(
        "This address is for WebSockets ({why}). If one was meant, a proxy in between does not \
            pass it on.\n"
    ))
}

/// Answers a load balancer that checks whether to send clients here.
pub(super) fn health(node: &Node) -> HttpResponse {
    if node.is_draining() {
        let mut response = HttpResponse::ServiceUnavailable();
        let spread = if node.stores_sessions() { Duration::ZERO } else { node.config.drain_spread };
        let after = spread.as_secs().max(1).to_string();
        return plain(response.insert_header((header::RETRY_AFTER, after))).body("draining\n");
    }
    plain(&mut HttpResponse::Ok()).body("ok\n")
}

/// Answers a request to an endpoint that does not exist.
pub(super) fn not_found() -> HttpResponse {
    HttpResponse::NotFound().insert_header(NO_STORE).finish()
}

/// Answers a request whose method the endpoint does not support.
pub(super) fn not_allowed(methods: &'static str) -> HttpResponse {
    HttpResponse::MethodNotAllowed()
        .insert_header((header::ALLOW, methods))
        .insert_header(NO_STORE)
        .finish()
}

/// Answers the preflight of a browser, which precedes anything but a plain POST of a page of
/// another origin.
pub(super) fn preflight(methods: &'static str) -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((header::ALLOW, methods))
        .insert_header(NO_STORE)
        .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, OPTIONS"))
        .insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, "content-type, authorization"))
        .insert_header((header::ACCESS_CONTROL_MAX_AGE, "86400"))
        .finish()
}

impl Cors {
    pub(super) fn apply(self, response: &mut HttpResponse) {
        let Some(origin) = self.0 else { return };
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        // Without this, pages cannot distinguish an answer that was cut off from one that a proxy
        // has compressed.
        let exposed = HeaderValue::from_static("content-encoding, retry-after");
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        headers.append(header::VARY, HeaderValue::from_static("origin"));
    }
}

/// Asks proxies not to buffer; every stream has this header.
pub(super) const NO_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Keeps middleware such as actix's `Compress` from compressing: the length of a compressed body
/// reveals secrets beside text that an attacker has chosen, and a stream would be held back until a
/// block is full.
pub(super) const UNCOMPRESSED: (HeaderName, &str) = (header::CONTENT_ENCODING, "identity");

const NO_STORE: (HeaderName, &str) = (header::CACHE_CONTROL, "no-store");

/// A path, escaped and cut for the log.
struct Path<'a>(&'a str);

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plain = self.0.len() <= PLAIN && self.0.bytes().all(|byte| byte.is_ascii_graphic());
        if is_plain { f.write_str(self.0) } else { Foreign(self.0).fmt(f) }
    }
}

/// The longest path that is logged without a cut.
const PLAIN: usize = 100;

struct Shown<'a>(&'a Close);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Packet::Close(self.0.clone()).write_line(f)
    }
}
