//! Serves the page, and the client package that it uses.

use std::path::{Path, PathBuf};

use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY};
use actix_web::{HttpResponse, web};

/// The folder of the client package.
#[derive(Debug)]
pub(crate) struct Package(pub(crate) PathBuf);

pub(crate) fn routes(app: &mut web::ServiceConfig) {
    app.route("/", web::get().to(async || file(Path::new(FOLDER), "index.html")))
        .route("/page/{file}", web::get().to(page))
        .route("/bowline-client/{file}", web::get().to(package));
}

async fn page(name: web::Path<String>) -> HttpResponse {
    file(Path::new(FOLDER), &name)
}

async fn package(package: web::Data<Package>, name: web::Path<String>) -> HttpResponse {
    file(&package.0, &name)
}

fn file(folder: &Path, name: &str) -> HttpResponse {
    let kind = match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("wasm") => "application/wasm",
        _ => return HttpResponse::NotFound().finish(),
    };
    // One segment of a path, which may still hold a separator that was escaped.
    let is_plain = !name.contains(['/', '\\']);
    let content = is_plain.then(|| std::fs::read(folder.join(name)).ok()).flatten();
    let Some(content) = content else { return HttpResponse::NotFound().finish() };
    HttpResponse::Ok()
        .content_type(kind)
        .insert_header((CACHE_CONTROL, "no-cache"))
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .body(content)
}

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/page");

/// Nothing from anywhere else.
const POLICY: &str =
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; base-uri 'none'; form-action 'self'";
