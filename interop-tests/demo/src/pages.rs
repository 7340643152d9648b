//! Serves the page and the package under test.

use std::path::PathBuf;

use actix_files::{Files, NamedFile};
use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY};
use actix_web::middleware::DefaultHeaders;
use actix_web::web;

/// Where the files are.
#[derive(Debug)]
pub(crate) struct Pages {
    /// The folder of the client package.
    pub(crate) package: PathBuf,
}

pub(crate) fn routes(app: &mut web::ServiceConfig, pages: &Pages) {
    let headers = DefaultHeaders::new()
        .add((CACHE_CONTROL, "no-cache"))
        .add((CONTENT_SECURITY_POLICY, POLICY));
    let page = async || {
        NamedFile::open_async(concat!(env!("CARGO_MANIFEST_DIR"), "/page/index.html")).await
    };
    let files = web::scope("")
        .wrap(headers)
        .route("/", web::get().to(page))
        .service(Files::new("/demo", FOLDER))
        .service(Files::new("/bowline-client", &pages.package));
    app.service(files);
}

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/page");

/// Nothing from anywhere else. `blob:` are the pictures that people send.
const POLICY: &str = "default-src 'self'; img-src 'self' blob:; base-uri 'none'; \
                      script-src 'self' 'wasm-unsafe-eval'; form-action 'none'";
