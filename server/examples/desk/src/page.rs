//! Serves the page, and the client package that it uses.

use std::path::Path;

use actix_files::Files;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY};
use actix_web::middleware::DefaultHeaders;
use actix_web::web;

pub(crate) fn routes(app: &mut web::ServiceConfig, package: &Path) {
    let headers = DefaultHeaders::new()
        .add((CACHE_CONTROL, "no-cache"))
        .add((CONTENT_SECURITY_POLICY, POLICY));
    let files = web::scope("")
        .wrap(headers)
        .service(Files::new("/bowline-client", package))
        .service(Files::new("/", FOLDER).index_file("index.html"));
    app.service(files);
}

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/page");

/// Nothing from anywhere else.
const POLICY: &str =
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; base-uri 'none'; form-action 'self'";
