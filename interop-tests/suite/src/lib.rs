//! The tests of the whole system, from outside. [`stories`] tell what a user may rely on; one story
//! runs over every transport. The rest is in `tests/`.

pub mod stories;

/// Compiles the examples of the pages that newcomers read: only this crate sees server and client.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../../../README.md")]
    mod readme {}
    #[doc = include_str!("../../../server/README.md")]
    mod server_crate {}
    #[doc = include_str!("../../../client/README.md")]
    mod client_crate {}
    #[doc = include_str!("../../../docs/authentication.md")]
    mod authentication {}
    #[doc = include_str!("../../../docs/browser.md")]
    mod browser {}
    #[doc = include_str!("../../../docs/concepts.md")]
    mod concepts {}
    #[doc = include_str!("../../../docs/errors.md")]
    mod errors {}
    #[doc = include_str!("../../../docs/from-centrifugo.md")]
    mod from_centrifugo {}
    #[doc = include_str!("../../../docs/from-signalr.md")]
    mod from_signalr {}
    #[doc = include_str!("../../../docs/from-socketio.md")]
    mod from_socketio {}
    #[doc = include_str!("../../../docs/history.md")]
    mod history {}
    #[doc = include_str!("../../../docs/hooks.md")]
    mod hooks {}
    #[doc = include_str!("../../../docs/limits.md")]
    mod limits {}
    #[doc = include_str!("../../../docs/namespaces.md")]
    mod namespaces {}
    #[doc = include_str!("../../../docs/native.md")]
    mod native {}
    #[doc = include_str!("../../../docs/nodes.md")]
    mod nodes {}
    #[doc = include_str!("../../../docs/quick-start.md")]
    mod quick_start {}
    #[doc = include_str!("../../../docs/rooms.md")]
    mod rooms {}
    #[doc = include_str!("../../../docs/server.md")]
    mod server {}
    #[doc = include_str!("../../../docs/shutdown.md")]
    mod shutdown {}
    #[doc = include_str!("../../../docs/testing.md")]
    mod testing {}
    #[doc = include_str!("../../../docs/streams.md")]
    mod streams {}
    #[doc = include_str!("../../../docs/topics.md")]
    mod topics {}
}
