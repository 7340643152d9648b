//! Stories about namespaces.

use bowline_client::{Client, Namespace, RequestError};
use bowline_contract::Echo;
use bowline_fault_proxy::Cut;
use futures::StreamExt as _;

use super::World;

/// What is sent in a namespace arrives once and in order through cuts, and in each new session the
/// client joins again before it sends anything else.
pub async fn a_namespace_goes_on_through_cuts_and_new_sessions(world: World) {
    const MESSAGES: u64 = 100;
    let client = world.connected().await;
    let side = client.namespace("/side");
    let mut noted = side.on::<_, u64>("noted");
    side.join("key").await.unwrap();
    for number in 1..=MESSAGES {
        side.emit("note", &number).unwrap();
        if number % 25 == 0 {
            world.proxy.cut_all(Cut::Reset);
        }
    }
    for number in 1..=MESSAGES {
        assert_eq!(noted.next().await.unwrap().unwrap().payload, number);
    }
    for round in 1..=3u64 {
        client.emit("lose-me", &()).unwrap();
        while client.stats().sessions_lost < round {
            let _ = client.request(Echo, &"until it is lost".to_owned()).await;
        }
        side.emit("note", &round).unwrap();
        assert_eq!(noted.next().await.unwrap().unwrap().payload, round);
    }
    assert!(side.is_joined());
}

/// A refusal and the end of a namespace are reported, and the rest of the session continues.
pub async fn a_refused_namespace_leaves_the_others_alone(world: World) {
    let client = world.connected().await;
    let (side, none) = (client.namespace("/side"), client.namespace("/none"));
    assert_eq!(refused(&none, "key").await, "no-namespace");
    assert_eq!(refused(&side, "no key").await, "refused");
    assert!(!side.is_joined());
    let mut noted = side.on::<_, u64>("noted");
    side.join("key").await.unwrap();
    side.emit("leave-me", &()).unwrap();
    let end = side.ended().await.unwrap();
    assert_eq!(&*end.code, "kicked");
    assert!(end.details.json.contains("enough"), "{end:?}");
    side.join("key").await.unwrap();
    side.emit("note", &1).unwrap();
    assert_eq!(noted.next().await.unwrap().unwrap().payload, 1);
    side.leave().await.unwrap();
    assert_eq!(&*fails(&side).await, "no-namespace");
    is_fine(&client).await;
}

async fn refused(namespace: &Namespace, key: &str) -> String {
    match namespace.join(key).await {
        Err(RequestError::Failed { code, .. }) => code.to_string(),
        other => panic!("{other:?}"),
    }
}

async fn fails(namespace: &Namespace) -> String {
    match namespace.request::<_, _, ()>("note", &1).await {
        Err(RequestError::Failed { code, .. }) => code.to_string(),
        other => panic!("{other:?}"),
    }
}

async fn is_fine(client: &Client) {
    client.request(Echo, &"still here".to_owned()).await.unwrap();
    assert_eq!(client.stats().sessions_lost, 0);
}
