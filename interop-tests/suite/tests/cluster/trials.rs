//! A carrier that was tried on one node moves a session there that another node holds.

use bowline_fixtures::nodes::{Bus, Nodes};
use bowline_fixtures::within_a_minute;
use bowline_raw_client::RawClient;

const KEY: &str = "a2V5LWtleS1rZXktMDAwMQ";

#[tokio::test]
async fn a_websocket_that_was_tried_on_another_node_is_relayed_without_its_trial() {
    within_a_minute(async {
        let nodes = Nodes::start(Bus::Local, 2).await;
        let mut first = RawClient::connect(nodes.servers[0].address()).await.unwrap();
        let open = format!("open v=1 key={KEY} n=1");
        let welcome = first.post("/bowline/poll", open).await.unwrap().text().to_owned();
        let pair = |name: &str| welcome.split(' ').find(|pair| pair.starts_with(name)).unwrap();

        let mut other = RawClient::connect(nodes.servers[1].address()).await.unwrap();
        assert_eq!(other.upgrade("/bowline/ws", &[]).await.unwrap().status, 101);
        for number in 0..3 {
            other.send_text(&format!("h trial-{number}")).await.unwrap();
            let answer = other.frame().await.unwrap().unwrap();
            assert_eq!(answer.text(), Some(&*format!("a trial-{number}")));
        }
        let attach = format!("attach v=1 {} {} n=2 recv=0 next=1", pair("sid="), pair("secret="));
        other.send_text(&attach).await.unwrap();
        other.send_text("q echo \"relayed\"").await.unwrap();
        let mut said = String::new();
        while !said.ends_with("r 1 \"relayed\"") {
            let frame = other.frame().await.unwrap().expect("the connection stays");
            said += "\n";
            said += frame.text().expect("text");
        }
        assert!(said.starts_with("\nwelcome "), "the welcome comes first: {said}");
    })
    .await;
}
