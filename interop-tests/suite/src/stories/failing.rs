//! Stories in which someone is told no.

use std::future::IntoFuture as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bowline_client::{ConnectError, EmitError, Failure, RequestError, Status};
use bowline_protocol::CloseCode;
use futures::{FutureExt as _, StreamExt as _};
use tokio::sync::{mpsc, oneshot, watch};

use super::World;
use bowline_contract::{AskBack, Down, Echo, Fail, Hang, KickMe, Panic, SendAtMost, TrustFor, Up};
use bowline_fault_proxy::Cut;
use bowline_fixtures::app::Entry;

/// Whatever goes wrong in a handler is told to the caller, with a code to act on, and the session
/// goes on.
pub async fn failures_reach_the_caller(world: World) {
    let client = world.connected().await;
    let code = |error| match error {
        RequestError::Failed { code, payload } => {
            (code.to_string(), payload.json_or_null().to_owned())
        }
        other => panic!("{other:?}"),
    };
    let failed = client.request(Fail, &"not-today".to_owned()).await.unwrap_err();
    assert_eq!(code(failed), ("not-today".into(), "\"as you wished\"".into()));
    let unknown = client.request::<_, _, ()>("nobody-handles-this", &1).await.unwrap_err();
    assert_eq!(code(unknown).0, "no-handler");
    let invalid = client.request::<_, _, ()>("up", "not a number").await.unwrap_err();
    assert_eq!(code(invalid).0, "invalid-payload");
    let panicked = client.request(Panic, &()).await.unwrap_err();
    assert_eq!(code(panicked).0, "internal");
    assert_eq!(client.request(Echo, &"well".to_owned()).await.unwrap(), "well");
}

/// A request that nobody answers ends at its timeout.
pub async fn unanswered_requests_time_out(world: World) {
    let client = world.connected().await;
    let outcome = client.request(Hang, &()).timeout(Duration::from_millis(50)).await;
    assert!(matches!(outcome, Err(RequestError::TimedOut { .. })), "{outcome:?}");
}

/// A question that could only be handled once its own answer is there is refused at once, on both
/// ends, and the session goes on.
pub async fn a_question_that_waits_for_itself_is_refused(world: World) {
    let client = world.client();
    let asking = client.clone();
    client.handle(Down, move |asked| {
        let echo = asking.request(Echo, &"within".to_owned()).timeout(Duration::from_secs(5));
        async move {
            let refused = echo.await.unwrap_err();
            Err(Failure::new(refused.failure_code().unwrap_or("late").to_owned())
                .with(&asked.payload))
        }
    });
    client.connect().await.unwrap();
    let failed = client.request(AskBack, &7).await.unwrap_err();
    let RequestError::Failed { code, payload } = failed else { panic!("{failed:?}") };
    assert_eq!(code, "no-answer");
    assert!(payload.json_or_null().contains("would-deadlock: 7"), "{payload:?}");
    assert_eq!(client.request(Echo, &"well".to_owned()).await.unwrap(), "well");
}

/// The same where the question is asked while there is no carrier, and is sent on the next one.
pub async fn a_question_that_waits_for_itself_is_refused_after_a_cut(world: World) {
    let client = world.client();
    let (begun, mut has_begun) = mpsc::channel(1);
    let (ask, may_ask) = watch::channel(false);
    let asking = client.clone();
    client.handle(Down, move |_| {
        let (asking, begun, mut may_ask) = (asking.clone(), begun.clone(), may_ask.clone());
        async move {
            begun.send(()).await.map_err(|_| Failure::new("nobody-listens"))?;
            may_ask.wait_for(|may| *may).await.map_err(|_| Failure::new("never-asked"))?;
            let refused = asking.request(Echo, &"within".to_owned()).await.unwrap_err();
            Err(Failure::new(refused.failure_code().unwrap_or("late").to_owned()))
        }
    });
    client.connect().await.unwrap();
    let asked = tokio::spawn(client.request(AskBack, &7).into_future());
    has_begun.recv().await.unwrap();
    let mut changes = client.status_stream();
    world.proxy.refuse_connections(true);
    world.proxy.cut_all(Cut::Reset);
    while changes.next().await.unwrap().is_connected() {}
    ask.send(true).unwrap();
    world.proxy.refuse_connections(false);
    let failed = asked.await.unwrap().unwrap_err();
    let RequestError::Failed { payload, .. } = failed else { panic!("{failed:?}") };
    assert!(payload.json_or_null().contains("would-deadlock"), "{payload:?}");
    assert_eq!(client.request(Echo, &"well".to_owned()).await.unwrap(), "well");
}

/// What a client asks beside its handlers waits for its turn, although a handler of the server
/// waits for that client.
pub async fn a_question_beside_a_handler_waits_for_its_turn(world: World) {
    let client = world.client();
    let (begun, has_begun) = oneshot::channel();
    let (end, may_end) = oneshot::channel::<u64>();
    let once = Mutex::new(Some((begun, may_end)));
    client.handle(Down, move |_| {
        let once = once.lock().unwrap().take();
        async move {
            let (begun, may_end) = once.ok_or_else(|| Failure::new("asked-twice"))?;
            begun.send(()).map_err(|()| Failure::new("nobody-listens"))?;
            may_end.await.map_err(|_| Failure::new("never-ended"))
        }
    });
    client.connect().await.unwrap();
    let asked = tokio::spawn(client.request(AskBack, &7).into_future());
    has_begun.await.unwrap();
    let mut beside = client.request(Echo, &"beside".to_owned()).into_future();
    assert!((&mut beside).now_or_never().is_none());
    client.emit(Up, &1).unwrap();
    end.send(42).unwrap();
    assert_eq!(asked.await.unwrap().unwrap(), 42);
    assert_eq!(beside.await.unwrap(), "beside");
}

/// A client that the application does not let in learns why, and does not try again.
pub async fn a_refused_client_learns_the_reason(world: World) {
    let client = world.builder().auth("wrong").build().unwrap();
    let refused = client.connect().await.unwrap_err();
    let reason = "\"the password is wrong\"".into();
    assert_eq!(refused, ConnectError::Closed { code: CloseCode::REFUSED, reason });
    assert!(client.status().is_closed());
    assert!(matches!(client.emit(Up, &1), Err(EmitError::Closed)));
    assert_eq!(world.server.journal().entries(), []);
}

/// Closing delivers what was sent before, and the application is told that it was on purpose.
pub async fn a_closed_client_has_flushed_and_the_server_knows_why(world: World) {
    let client = world.connected().await;
    let session = client.session_id().unwrap();
    for number in 1..=50 {
        client.emit(Up, &number).unwrap();
    }
    client.close().await;
    let ended = Entry::Disconnected(session, CloseCode::NORMAL);
    let entries = world.server.journal().wait_for(|entries| entries.contains(&ended)).await;
    assert_eq!(entries.last(), Some(&ended));
    assert!(world.server.journal().numbers(session).into_iter().eq(1..=50));
    assert!(matches!(client.emit(Up, &51), Err(EmitError::Closed)));
}

/// A client whose session the application ends learns the application's code, and does not come
/// back.
pub async fn a_kicked_client_learns_the_code_and_stays_away(world: World) {
    let client = world.connected().await;
    let mut changes = client.status_stream();
    client.emit(KickMe, &()).unwrap();
    let closed = loop {
        let status = changes.next().await.expect("the stream ends after the end");
        if let Status::Closed { code, reason } = status {
            break (code.get(), reason);
        }
    };
    assert_eq!(closed, (4501, "\"you asked\"".into()));
    let kicked =
        |entry: &Entry| matches!(entry, Entry::Disconnected(_, code) if code.get() == 4501);
    world.server.journal().wait_for(|entries| entries.iter().any(kicked)).await;
}

/// A client that sends more than it may receives a failure that states when to retry, and the
/// session continues.
pub async fn messages_beyond_a_rate_limit_fail_and_state_when_to_retry(world: World) {
    let client = world.connected().await;
    client.request(SendAtMost, &(2, false)).await.unwrap();
    let word = "well".to_owned();
    for _ in 0..2 {
        assert_eq!(client.request(Echo, &word).await.unwrap(), word);
    }
    let outcome = client.request(Echo, &word).await;
    let Err(RequestError::Failed { code, payload }) = outcome else { panic!("{outcome:?}") };
    assert_eq!(&*code, "rate-limited");
    let detail: serde_json::Value = serde_json::from_str(payload.json_or_null()).unwrap();
    assert_eq!(detail["limit"], "session");
    assert!((1..=1_800_000).contains(&detail["retry"].as_u64().unwrap()), "{detail}");
    assert!(matches!(client.status(), Status::Connected { .. }));
}

/// A client whose messages beyond a limit end its session receives the code, and does not
/// reconnect.
pub async fn a_session_that_exceeds_a_rate_limit_may_end(world: World) {
    let client = world.connected().await;
    let mut changes = client.status_stream();
    client.request(SendAtMost, &(1, true)).await.unwrap();
    for number in 1..=3 {
        client.emit(Up, &number).unwrap();
    }
    let closed = loop {
        let status = changes.next().await.expect("the stream ends after the end");
        if let Status::Closed { code, .. } = status {
            break code;
        }
    };
    assert_eq!(closed, CloseCode::RATE_LIMITED);
    let ended = |entry: &Entry| matches!(entry, Entry::Disconnected(_, code) if *code == closed);
    world.server.journal().wait_for(|entries| entries.iter().any(ended)).await;
    let session = client.session_id().expect("it was open");
    assert_eq!(world.server.journal().numbers(session), [1]);
}

/// A packet that the server would not take is refused where it is sent, and the session goes on.
pub async fn a_packet_over_the_limit_is_refused_where_it_is_sent(world: World) {
    let client = world.connected().await;
    let outcome = client.emit("echo", &"x".repeat(1024 * 1024));
    assert!(matches!(outcome, Err(EmitError::TooLarge { limit: 1_048_576 })), "{outcome:?}");
    assert_eq!(client.request(Echo, &"well".to_owned()).await.unwrap(), "well");
}

/// A new authentication that the application refuses ends the session, and its client learns why.
pub async fn a_new_authentication_may_be_refused(world: World) {
    let asked = AtomicBool::new(false);
    let tokens = move || {
        let first = !asked.swap(true, Ordering::SeqCst);
        std::future::ready(Ok::<_, String>(if first { "right" } else { "wrong" }))
    };
    let client = world.builder().auth_with(tokens).build().unwrap();
    client.connect().await.unwrap();
    let mut changes = client.status_stream();
    client.request(TrustFor, &2000).await.unwrap();
    let closed = loop {
        if let Status::Closed { code, reason } = changes.next().await.unwrap() {
            break (code, reason);
        }
    };
    assert_eq!(closed, (CloseCode::AUTH_REFUSED, "\"the new password is wrong\"".into()));
}

/// A client that has no new authentication in time loses its session, and opens another.
pub async fn an_authentication_that_is_not_renewed_ends_its_session(world: World) {
    let asked = AtomicU64::new(0);
    let tokens = move || {
        let hangs = asked.fetch_add(1, Ordering::SeqCst) == 1;
        async move {
            if hangs {
                std::future::pending::<()>().await;
            }
            Ok::<_, String>("right")
        }
    };
    let client = world.builder().auth_with(tokens).build().unwrap();
    client.connect().await.unwrap();
    let before = client.session_id().unwrap();
    let mut changes = client.status_stream();
    client.request(TrustFor, &300).await.unwrap();
    let mut lost = None;
    loop {
        match changes.next().await.unwrap() {
            Status::SessionLost { code, .. } => lost = Some(code),
            Status::Connected { resumed: false, .. } if lost.is_some() => break,
            _ => {}
        }
    }
    assert_eq!(lost, Some(CloseCode::AUTH_EXPIRED));
    assert_ne!(client.session_id(), Some(before));
    let ended = Entry::Disconnected(before, CloseCode::AUTH_EXPIRED);
    world.server.journal().wait_for(|entries| entries.contains(&ended)).await;
}
