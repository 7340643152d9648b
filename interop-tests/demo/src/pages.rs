//! Serves the page and the package under test.

use std::path::{Path, PathBuf};

use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY};
use actix_web::{HttpResponse, web};

/// Where the files are.
#[derive(Debug)]
pub(crate) struct Pages {
    /// The folder of the client package.
    pub(crate) package: PathBuf,
}

pub(crate) fn routes(app: &mut web::ServiceConfig) {
    app.route("/", web::get().to(async || file(Path::new(FOLDER), "index.html")))
        .route("/demo/{file}", web::get().to(page))
        .route("/bowline-client/{file}", web::get().to(package));
}

async fn page(name: web::Path<String>) -> HttpResponse {
    file(Path::new(FOLDER), &name)
}

async fn package(pages: web::Data<Pages>, name: web::Path<String>) -> HttpResponse {
    file(&pages.package, &name)
}

fn file(folder: &Path, name: &str) -> HttpResponse {
    let kind = name.rsplit_once('.').and_then(|(_, ending)| match ending {
        "html" => Some("text/html; charset=utf-8"),
        "css" => Some("text/css; charset=utf-8"),
        "js" => Some("text/javascript; charset=utf-8"),
        "svg" => Some("image/svg+xml"),
        "wasm" => Some("application/wasm"),
        _ => None,
    });
    // A name from a single segment of a path; it could still hold a separator that was escaped.
    let is_plain = !name.contains(['/', '\\']);
    let content = kind.filter(|_| is_plain).zip(std::fs::read(folder.join(name)).ok());
    let Some((kind, content)) = content else { return HttpResponse::NotFound().finish() };
    HttpResponse::Ok()
        .content_type(kind)
        .insert_header((CACHE_CONTROL, "no-cache"))
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .body(content)
}

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/page");

/// Nothing from anywhere else. `blob:` are the pictures that people send.
const POLICY: &str = "default-src 'self'; img-src 'self' blob:; base-uri 'none'; \
                      script-src 'self' 'wasm-unsafe-eval'; form-action 'none'";
