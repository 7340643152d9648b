//! Static files for pages.
//!
//! Not `actix-files`: a page's query chooses its Content-Security-Policy, and several worlds share
//! the folders, each on a port of its own.

use std::path::{Component, Path, PathBuf};

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use clap::Parser;
use serde::Deserialize;

/// The folders that every world serves.
#[derive(Debug, Clone, Parser)]
pub struct Folders {
    /// The package under test, at `/package/`.
    #[arg(long)]
    pub package: PathBuf,
    /// The pages of the tests, at `/pages/`.
    #[arg(long)]
    pub pages: PathBuf,
}

/// What a page asks for beside its file.
#[derive(Deserialize)]
struct Wish {
    /// The content security policy that it shall be served with.
    csp: Option<String>,
}

/// Serves both folders, each under its own name.
pub(crate) fn serve(app: &mut web::ServiceConfig, folders: &Folders) {
    for (name, folder) in [("package", &folders.package), ("pages", &folders.pages)] {
        let folder = folder.clone();
        let handler = move |request: HttpRequest, wish: web::Query<Wish>| {
            let answer = file(&folder, request.match_info().query("file"), &wish);
            async move { answer }
        };
        app.route(&format!("/{name}/{{file:.*}}"), web::get().to(handler));
    }
}

fn file(folder: &Path, name: &str, wish: &Wish) -> HttpResponse {
    let relative = PathBuf::from(name);
    let is_below = relative.components().all(|part| matches!(part, Component::Normal(_)));
    let Some(content) = is_below.then(|| std::fs::read(folder.join(&relative)).ok()).flatten()
    else {
        return HttpResponse::NotFound().finish();
    };
    let mut response = HttpResponse::Ok();
    // Not `no-store`, which keeps a page out of the back/forward cache.
    response.insert_header((header::CACHE_CONTROL, "no-cache"));
    response.insert_header((header::CONTENT_TYPE, kind(&relative)));
    if let Some(policy) = &wish.csp {
        response.insert_header((header::CONTENT_SECURITY_POLICY, policy.as_str()));
    }
    response.body(content)
}

fn kind(file: &Path) -> &'static str {
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs" | "cjs") => "text/javascript; charset=utf-8",
        Some("wasm") => "application/wasm",
        Some("json" | "map") => "application/json",
        _ => "application/octet-stream",
    }
}
