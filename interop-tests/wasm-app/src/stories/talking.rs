//! Stories in which nothing goes wrong, or someone is told no.

use std::time::Duration;

use bowline_client_wasm::BuildInBrowser;
use bowline_client_wasm::client::protocol::CloseCode;
use bowline_client_wasm::client::{ConnectError, Failure, RequestError};
use futures::StreamExt;
use futures::future::try_join_all;

use crate::scene::{Scene, Told, equal, session, take, until};
use bowline_contract::{AskBack, CountDown, Down, Echo, Fail, Hang, Reverse, Up};

pub(super) async fn requests_are_answered_in_types(scene: Scene) -> Told {
    let (client, _) = scene.connected().await?;
    for text in ["", "grüße", "日本語 😀", "\u{0}\u{1f}\u{2028}\n\r\"\\"] {
        equal(client.request(Echo, &text.to_owned()).await?, text)?;
    }
    equal(client.request(Up, &7).await?.number, 7)?;
    let numbers = 1..=50;
    let handled =
        try_join_all(numbers.clone().map(|n| client.request(Up, &n).into_future())).await?;
    equal(
        handled.iter().map(|handled| handled.number).collect::<Vec<_>>(),
        numbers.collect::<Vec<_>>(),
    )
}

pub(super) async fn a_request_ends_exactly_once(scene: Scene) -> Told {
    let (client, _) = scene.connected().await?;
    let failed = client.request(Fail, &"no-way".to_owned()).await;
    equal(failed.as_ref().map_err(RequestError::failure_code), Err(Some("no-way")))?;
    let unknown = client.request::<_, _, ()>("nobody-handles-this", &1).await;
    equal(unknown.as_ref().map_err(RequestError::failure_code), Err(Some("no-handler")))?;
    let late = client.request(Hang, &()).timeout(Duration::from_millis(50)).await;
    equal(matches!(late, Err(RequestError::TimedOut { .. })), true)
}

pub(super) async fn events_arrive_both_ways_and_in_order(scene: Scene) -> Told {
    let (client, mut downs) = scene.connected().await?;
    for number in 1..=300 {
        client.emit(Up, &number)?;
    }
    client.emit(CountDown, &300)?;
    let all: Vec<u64> = (1..=300).collect();
    equal(take(&mut downs, 300).await?, &all[..])?;
    equal(scene.numbers(&session(&client)?, 300).await?, &all[..])
}

pub(super) async fn bytes_travel_beside_the_payload(scene: Scene) -> Told {
    let client = scene.client()?;
    let mut back = client.on::<_, Vec<u8>>("sent-back");
    client.connect().await?;
    let answer = client.request(Reverse, &"name".to_owned()).bytes(vec![0, 10, 255]);
    let answer = answer.received().await?;
    equal((&*answer.payload, answer.bytes.as_deref()), ("name", Some(&[255, 10, 0][..])))?;
    client.emit_with("send-back", &[1, 2], vec![10, 0])?;
    client.emit_with("send-back", &[3], Vec::new())?;
    for (payload, bytes) in [(&[1, 2][..], &[10, 0][..]), (&[3], &[])] {
        let received = back.next().await.ok_or("the client was closed")??;
        equal((&*received.payload, received.bytes.as_deref()), (payload, Some(bytes)))?;
    }
    Ok(())
}

pub(super) async fn large_messages_arrive_whole(scene: Scene) -> Told {
    let client = scene.client()?;
    let mut back = client.on::<_, u32>("sent-back");
    client.connect().await?;
    let text = "0123456789".repeat(50_000);
    if client.request(Echo, &text).await? != text {
        return Err("half a megabyte of text came back changed".into());
    }
    // More than a socket is given at once.
    let bytes: Vec<u8> = (0..500_000_u32).map(|n| (n * 7) as u8).collect();
    for number in 0..4 {
        client.emit_with("send-back", &number, bytes.clone())?;
    }
    for number in 0..4 {
        let received = back.next().await.ok_or("the client was closed")??;
        equal(received.payload, number)?;
        if received.bytes.is_none_or(|received| received != bytes) {
            return Err("half a megabyte of bytes came back changed".into());
        }
    }
    Ok(())
}

pub(super) async fn the_server_asks_and_the_client_answers(scene: Scene) -> Told {
    let client = scene.client()?;
    client.handle(Down, |number| async move {
        if number.payload == 13 { Err(Failure::new("unlucky")) } else { Ok(number.payload * 2) }
    });
    client.connect().await?;
    equal(client.request(AskBack, &21).await?, 42)?;
    let refused = client.request(AskBack, &13).await;
    equal(refused.as_ref().map_err(RequestError::failure_code), Err(Some("no-answer")))
}

pub(super) async fn a_question_that_waits_for_itself_is_refused(scene: Scene) -> Told {
    let client = scene.client()?;
    let asking = client.clone();
    client.handle(Down, move |_| {
        let echo = asking.request(Echo, &"within".to_owned()).timeout(Duration::from_secs(5));
        async move {
            let refused = echo.await.err();
            let code = refused.as_ref().and_then(RequestError::failure_code).unwrap_or("late");
            Err(Failure::new(code.to_owned()))
        }
    });
    client.connect().await?;
    let Err(RequestError::Failed { payload, .. }) = client.request(AskBack, &7).await else {
        return Err("it was answered".into());
    };
    equal(payload.json_or_null().contains("would-deadlock"), true)?;
    equal(client.request(Echo, &"well".to_owned()).await?, "well")
}

pub(super) async fn a_client_that_is_refused_stops_and_says_why(scene: Scene) -> Told {
    let client = scene.builder().auth("wrong").build_in_browser()?;
    let Err(error) = client.connect().await else { return Err("it was let in".into()) };
    let reason = "\"the password is wrong\"".into();
    equal(error, ConnectError::Closed { code: CloseCode::REFUSED, reason })?;
    equal(client.status().is_closed(), true)
}

pub(super) async fn closing_sends_what_waits_first(scene: Scene) -> Told {
    let (client, _) = scene.connected().await?;
    let session = session(&client)?;
    let mut statuses = client.status_stream();
    for number in 1..=50 {
        client.emit(Up, &number)?;
    }
    client.close().await;
    equal(scene.numbers(&session, 50).await?, (1..=50).collect::<Vec<u64>>())?;
    until(&mut statuses, |status| status.is_closed()).await.map(drop)
}
