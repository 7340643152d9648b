//! Where a `Bowline` can be mounted, and what it leaves to the application around it.

use std::sync::atomic::{AtomicU64, Ordering};

use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::http::header::CONTENT_ENCODING;
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::{NormalizePath, TrailingSlash};
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::{App, Error, guard, web};
use bowline_server::Bowline;

/// Each session has a key of its own.
static OPENED: AtomicU64 = AtomicU64::new(0);

/// Asserts that a session opens below this path, and that the endpoints are all there.
async fn assert_serves<S, B>(app: &S, mount: &str)
where
    S: Service<actix_http::Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    let health = TestRequest::get().uri(&format!("{mount}/health")).to_request();
    assert_eq!(call_service(app, health).await.status(), StatusCode::OK, "{mount}");
    let open = format!("open v=1 key=key{:018}A n=1", OPENED.fetch_add(1, Ordering::Relaxed));
    let poll = TestRequest::post().uri(&format!("{mount}/poll")).set_payload(open).to_request();
    let response = call_service(app, poll).await;
    assert_eq!(response.status(), StatusCode::OK, "{mount}");
    assert!(read_body(response).await.starts_with(b"welcome "), "{mount}");
    let socket = TestRequest::get().uri(&format!("{mount}/ws")).to_request();
    assert_eq!(call_service(app, socket).await.status(), StatusCode::UPGRADE_REQUIRED, "{mount}");
}

async fn status<S, B>(app: &S, method: Method, path: &str) -> StatusCode
where
    S: Service<actix_http::Request, Response = ServiceResponse<B>, Error = Error>,
{
    call_service(app, TestRequest::default().method(method).uri(path).to_request()).await.status()
}

#[actix_web::test]
async fn it_is_served_below_any_path_as_service_and_as_middleware() {
    for (path, mount) in
        [("/", ""), ("", ""), ("live", "/live"), ("/a//b/", "/a/b"), ("/bowline", "/bowline")]
    {
        let bowline = || Bowline::builder().path(path).build();
        let page = web::get().to(async || "page");
        let app = App::new().service(bowline().service()).route("/{page}", page);
        let app = init_service(app).await;
        assert_serves(&app, mount).await;
        assert_eq!(status(&app, Method::GET, "/page").await, StatusCode::OK, "{path:?}");

        let page = web::get().to(async || "page");
        let app = App::new().wrap(bowline().middleware()).route("/{page}", page);
        let app = init_service(app).await;
        assert_serves(&app, mount).await;
        assert_eq!(status(&app, Method::GET, "/page").await, StatusCode::OK, "{path:?}");
    }
}

#[actix_web::test]
async fn it_is_served_within_scopes_with_parameters_and_guards() {
    for (path, mount) in [("/bowline", "/api/7/bowline"), ("/", "/api/7")] {
        let bowline = || Bowline::builder().path(path).build();
        let inner = web::scope("/{tenant}").service(bowline().service());
        let app = App::new().service(web::scope("/api").service(inner));
        assert_serves(&init_service(app).await, mount).await;

        let inner = web::scope("/{tenant}").wrap(bowline().middleware());
        let app = App::new().service(web::scope("/api").service(inner));
        assert_serves(&init_service(app).await, mount).await;

        let guarded = web::scope("/api/{tenant}").guard(guard::Header("x-tenant", "7"));
        let app = init_service(App::new().service(guarded.service(bowline().service()))).await;
        let health = format!("{mount}/health");
        assert_eq!(status(&app, Method::GET, &health).await, StatusCode::NOT_FOUND);
        let let_in = TestRequest::get().uri(&health).insert_header(("x-tenant", "7")).to_request();
        assert_eq!(call_service(&app, let_in).await.status(), StatusCode::OK);
    }
}

#[actix_web::test]
async fn paths_may_be_normalized_in_every_way() {
    for slash in [TrailingSlash::Always, TrailingSlash::Trim, TrailingSlash::MergeOnly] {
        for path in ["/bowline", "/"] {
            let bowline = || Bowline::builder().path(path).build();
            let mount = path.trim_end_matches('/');
            let normalize = || NormalizePath::new(slash);
            let app = App::new().service(bowline().service()).wrap(normalize());
            assert_serves(&init_service(app).await, mount).await;
            let app = App::new().wrap(bowline().middleware()).wrap(normalize());
            assert_serves(&init_service(app).await, mount).await;
            let app = App::new().wrap(normalize()).wrap(bowline().middleware());
            assert_serves(&init_service(app).await, mount).await;
        }
        let app = App::new().service(Bowline::builder().build().service());
        let app = init_service(app.wrap(NormalizePath::new(slash))).await;
        assert_eq!(status(&app, Method::GET, "//bowline//health").await, StatusCode::OK);
    }
}

#[actix_web::test]
async fn no_answer_is_compressed() {
    let app = init_service(App::new().service(Bowline::builder().build().service())).await;
    let open = "open v=1 key=keykeykeykeykeykeykeyA n=1";
    for (endpoint, body) in [("poll", open), ("ticket", open), ("sse", open), ("post", "nonsense")]
    {
        let path = format!("/bowline/{endpoint}");
        let request = TestRequest::post().uri(&path).set_payload(body).to_request();
        let response = call_service(&app, request).await;
        // actix's `Compress` leaves alone what says its encoding already.
        let encoding = response.headers().get(CONTENT_ENCODING);
        assert_eq!(encoding.map(|value| value.as_bytes()), Some(&b"identity"[..]), "{endpoint}");
    }
}

/// Answers with what an ordinary handler has extracted.
async fn which(bowline: Bowline) -> String {
    format!("{bowline:?}")
}

/// What an ordinary handler of this application extracts, `None` for an error.
async fn extracted<S, B>(app: &S) -> Option<String>
where
    S: Service<actix_http::Request, Response = ServiceResponse<B>, Error = Error>,
    B: MessageBody,
{
    let response = call_service(app, TestRequest::get().uri("/which").to_request()).await;
    let found = response.status().is_success();
    let body = read_body(response).await;
    found.then(|| String::from_utf8_lossy(&body).into_owned())
}

#[actix_web::test]
async fn an_ordinary_handler_finds_the_only_one() {
    let bowline = Bowline::builder().build();
    let own = Some(format!("{bowline:?}"));
    let which = || web::get().to(which);
    {
        let app = App::new().service(bowline.service()).route("/which", which());
        assert_eq!(extracted(&init_service(app).await).await, own);
    }
    let app = App::new().wrap(bowline.middleware()).route("/which", which());
    assert_eq!(extracted(&init_service(app).await).await, own, "as service and as middleware");
}

#[actix_web::test]
async fn of_two_an_ordinary_handler_finds_the_one_that_the_application_names() {
    let one = Bowline::builder().path("/one").build();
    let two = Bowline::builder().path("/two").build();
    let which = || web::get().to(which);
    let apps = || {
        let services = App::new().service(one.service()).service(two.service());
        services.route("/which", which())
    };
    assert_eq!(extracted(&init_service(apps()).await).await, None);
    let named = init_service(apps().app_data(two.clone())).await;
    assert_eq!(extracted(&named).await, Some(format!("{two:?}")));
    assert_serves(&named, "/one").await;
    assert_serves(&named, "/two").await;
}

#[actix_web::test]
async fn of_two_middlewares_an_ordinary_handler_finds_the_one_that_the_application_names() {
    let one = Bowline::builder().path("/one").build();
    let two = Bowline::builder().path("/two").build();
    let which = || web::get().to(which);
    let app = || App::new().wrap(one.middleware()).wrap(two.middleware()).route("/which", which());
    let nobody = init_service(app()).await;
    assert_eq!(extracted(&nobody).await, None);
    assert_serves(&nobody, "/one").await;
    assert_serves(&nobody, "/two").await;
    let named = init_service(app().app_data(one.clone())).await;
    assert_eq!(extracted(&named).await, Some(format!("{one:?}")));
    let mixed = App::new().service(one.service()).wrap(two.middleware()).route("/which", which());
    let mixed = init_service(mixed).await;
    assert_eq!(extracted(&mixed).await, None);
    assert_serves(&mixed, "/one").await;
    assert_serves(&mixed, "/two").await;
}

#[test]
#[should_panic(expected = "allow_origin(\"*\") would never match: every origin is")]
fn an_origin_that_never_matches_is_told_when_it_is_allowed() {
    let _ = Bowline::builder().allow_origin("*");
}
