//! Stories in which the network or the server breaks, or the page sleeps.

use std::time::Duration;

use bowline_client_wasm::client::protocol::CloseCode;
use bowline_client_wasm::client::{RequestError, Status, Transport};
use futures::FutureExt;

use crate::scene::{Scene, Told, equal, session, take, until};
use bowline_contract::{Down, Echo, Hang, Up};

pub(super) async fn a_session_moves_between_the_transports_without_loss(scene: Scene) -> Told {
    let all = [Transport::WebSocket, Transport::Sse, Transport::Polling];
    let client = scene.builder().transports(all);
    let client = bowline_client_wasm::BuildInBrowser::build_in_browser(client)?;
    let mut downs = client.on(Down);
    client.connect().await?;
    let session = session(&client)?;
    let mut number = 0;
    for target in [Transport::Sse, Transport::Polling, Transport::WebSocket, scene.transport] {
        client.switch_transport(target);
        let mut served = 0;
        while served < 10 {
            number += 1;
            client.emit(Up, &number)?;
            client.emit("down-again", &number)?;
            equal(take(&mut downs, 1).await?, [number])?;
            served += u32::from(client.transport() == Some(target));
        }
    }
    equal(scene.numbers(&session, number).await?, (1..=number).collect::<Vec<_>>())?;
    equal(client.session_id().map(|id| id.to_string()), Some(session))?;
    let switches = client.stats().transport_switches;
    if switches < 2 { Err(format!("{switches} switches").into()) } else { Ok(()) }
}

pub(super) async fn messages_sent_while_cut_off_arrive_once_and_in_order(scene: Scene) -> Told {
    let (client, mut downs) = scene.connected().await?;
    client.request(Echo, &"here".to_owned()).await?;
    let session = session(&client)?;
    let mut statuses = client.status_stream();
    scene.act("refuse-connections", &[("on", true.into())]).await?;
    scene.cut(false).await?;
    until(&mut statuses, |status| !status.is_connected()).await?;
    let all: Vec<u64> = (1..=100).collect();
    for number in &all {
        client.emit(Up, number)?;
    }
    scene.emit_down(&client, 1, 100).await?;
    scene.act("refuse-connections", &[("on", false.into())]).await?;

    equal(take(&mut downs, 100).await?, &all[..])?;
    equal(scene.numbers(&session, 100).await?, &all[..])?;
    equal(client.session_id().map(|id| id.to_string()), Some(session))?;
    equal((client.stats().resumes >= 1, client.stats().sessions_lost), (true, 0))
}

pub(super) async fn a_thousand_messages_each_way_survive_cuts_at_any_moment(scene: Scene) -> Told {
    let (client, mut downs) = scene.connected().await?;
    let session = session(&client)?;
    let mut received = Vec::new();
    for batch in 0..5 {
        let (first, last) = (batch * 200 + 1, batch * 200 + 200);
        for number in first..=last {
            client.emit(Up, &number)?;
        }
        scene.emit_down(&client, first, last).await?;
        received.extend(take(&mut downs, 30).await?);
        scene.cut(batch % 2 == 1).await?;
        received.extend(take(&mut downs, 170).await?);
    }
    let all: Vec<u64> = (1..=1000).collect();
    equal(received, &all[..])?;
    equal(scene.numbers(&session, 1000).await?, &all[..])?;
    equal(client.stats().sessions_lost, 0)
}

pub(super) async fn a_restarted_server_is_reported_with_what_is_unknown(scene: Scene) -> Told {
    let (client, _) = scene.connected().await?;
    client.request(Echo, &"confirmed".to_owned()).await?;
    let before = session(&client)?;
    let mut statuses = client.status_stream();
    let hanging = client.request(Hang, &()).timeout(Duration::from_secs(60)).received();
    let mut hanging = Box::pin(hanging);
    equal((&mut hanging).now_or_never().is_none(), true)?;
    scene.numbers(&before, 1).await?;
    scene.act("restart", &[]).await?;
    let lost = until(&mut statuses, |status| matches!(status, Status::SessionLost { .. })).await?;
    let Status::SessionLost { code, confirmed, unknown } = lost else {
        return Err("no loss".into());
    };
    equal((code, confirmed + unknown), (CloseCode::SESSION_RESTARTED, 2))?;
    equal(hanging.await.map(drop), Err(RequestError::SessionLost { sent: true }))?;
    until(&mut statuses, Status::is_connected).await?;
    equal(client.request(Echo, &"anew".to_owned()).await?, "anew")?;
    equal((session(&client)? != before, client.stats().sessions_lost), (true, 1))
}

pub(super) async fn a_suspended_client_goes_on_where_it_was(scene: Scene) -> Told {
    let (client, mut downs) = scene.connected().await?;
    let session = session(&client)?;
    let mut statuses = client.status_stream();
    client.suspend();
    until(&mut statuses, |status| matches!(status, Status::Waiting { .. })).await?;
    for number in 1..=20 {
        client.emit(Up, &number)?;
    }
    scene.emit_down(&client, 1, 20).await?;
    equal(client.status().is_connected(), false)?;
    client.wake();
    until(&mut statuses, |status| matches!(status, Status::Connected { resumed: true, .. }))
        .await?;
    let all: Vec<u64> = (1..=20).collect();
    equal(take(&mut downs, 20).await?, &all[..])?;
    equal(scene.numbers(&session, 20).await?, &all[..])
}
