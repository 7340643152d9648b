//! Tests of an application's handlers, without a port, a client or waiting: feature `test-util`.
//!
//! [`TestApp`] serves an actix application within the process. A [`TestSession`] is a client of it:
//! it sends events and requests, and expects events. Everything that the application has runs as in
//! production: middleware, hooks with their extractors, handlers, rooms, topics, histories.
//!
//! ```
//! use std::time::Duration;
//!
//! use actix_web::App;
//! use bowline_server::test_util::TestApp;
//! use bowline_server::{Bowline, EmitError, JoinError, Socket};
//!
//! async fn join(socket: Socket, room: String) -> Result<(), JoinError> {
//!     socket.join(room)
//! }
//!
//! async fn say(socket: Socket, (room, text): (String, String)) -> Result<(), EmitError> {
//!     socket.to(room).emit("said", &text).map(drop)
//! }
//!
//! # fn main() {
//! # actix_web::rt::System::new().block_on(async {
//! // In your project: #[actix_web::test] async fn the_others_in_a_room_receive_what_one_says()
//! let bowline = Bowline::builder().on("join", join).on("say", say).build();
//! let app = TestApp::new(&bowline, App::new().service(bowline.service())).await;
//! let (mut anna, mut ben) = (app.connect().await.unwrap(), app.connect().await.unwrap());
//! for session in [&mut anna, &mut ben] {
//!     let () = session.request("join", "lobby").await.unwrap();
//! }
//! anna.emit("say", &("lobby", "hello")).await;
//! assert_eq!(ben.expect::<String>("said").await, "hello");
//! anna.expect_nothing().await;
//!
//! // Ben's network is gone for a while, and he misses nothing.
//! ben.cut().await;
//! app.advance(Duration::from_secs(60)).await;
//! anna.emit("say", &("lobby", "still there?")).await;
//! ben.resume().await.unwrap();
//! assert_eq!(ben.expect::<String>("said").await, "still there?");
//! # });
//! # }
//! ```
//!
//! A test has to run on actix's runtime (`#[actix_web::test]`), as the application does.

mod app;
mod carrier;
mod layers;
mod session;

pub use app::{TestApp, TestConnect};
pub use session::{Asked, Question, TestEvent, TestSession};
