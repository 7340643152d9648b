//! Conversations over WebSocket. Spec: 02-carriers, "WebSocket" and "Text and binary".

use bowline_raw_client::Frame;

use super::scene::{DEFAULTS, Scene, Session, open, open_key};

#[tokio::test]
async fn the_first_message_opens_a_session_and_is_answered_in_one() {
    let scene = Scene::start();
    let first = format!("open v=1 key={} n=1 \"t0\"\ne up 1\nq echo \"hello\"", open_key());
    let mut socket = scene.websocket(&first).await;
    let message = socket.message().await;
    let session = Session::welcomed(&message);
    let expected = format!(
        "welcome sid=SID secret=SECRET recv=2 next=1 {DEFAULTS}\n\
         r 2 \"hello\""
    );
    assert_eq!(session.mask(&message), expected);
    assert_eq!(scene.server.journal().numbers(session.typed()), [1]);

    scene.server.bowline().emit("joined", "ada").unwrap();
    assert_eq!(socket.message().await, "e joined \"ada\"");
}

#[tokio::test]
async fn no_subprotocol_and_no_extension_is_selected() {
    let scene = Scene::start();
    let asked = [
        ("Sec-WebSocket-Protocol", "chat, bowline"),
        ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"),
    ];
    let head = scene.connect().await.upgrade("/bowline/ws", &asked).await.unwrap();
    assert_eq!(head.status, 101);
    assert_eq!(head.header("sec-websocket-protocol"), None);
    assert_eq!(head.header("sec-websocket-extensions"), None);
}

#[tokio::test]
async fn a_batch_may_end_with_a_newline_and_may_be_empty() {
    let scene = Scene::start();
    let mut socket = scene.websocket(&(open() + "\nq echo 1\n")).await;
    Session::welcomed(&socket.line().await);
    assert!(socket.line().await.starts_with("f 1 invalid-payload"));
    socket.say("").await;
    socket.say("q echo \"on\"\n").await;
    assert_eq!(socket.line().await, "r 2 \"on\"");
}

#[tokio::test]
async fn a_binary_message_is_one_packet_and_counts_like_any_other() {
    let scene = Scene::start();
    let (_, mut socket) = scene.open().await;
    socket.say("q echo \"before\"").await;
    socket.frame(Frame::FIN | Frame::BINARY, b"Q reverse \"a.png\"\n\x00\x01\n\xff").await;
    socket.say("Q reverse AAEC \"text\"\nQ reverse - \"none\"").await;
    assert_eq!(socket.line().await, "r 1 \"before\"");
    let mut binary = Vec::new();
    while binary.len() < 3 {
        let frame = socket.next_frame().await;
        match frame.opcode {
            Frame::BINARY => binary.push(frame.payload),
            _ => assert!(frame.payload.starts_with(b"c "), "{frame:?}"),
        }
    }
    assert_eq!(binary[0], &b"R 2 \"a.png\"\n\xff\n\x01\x00"[..]);
    assert_eq!(binary[1], &b"R 3 \"text\"\n\x02\x01\x00"[..]);
    assert_eq!(binary[2], &b"R 4 \"none\"\n"[..]);
}

#[tokio::test]
async fn fragments_are_one_message_and_pings_between_them_are_answered() {
    let scene = Scene::start();
    let mut socket = scene.upgrade().await;
    let text = open() + "\nq echo \"ä\"";
    let (head, tail) = text.as_bytes().split_at(text.len() - 2);
    socket.frame(Frame::TEXT, head).await;
    socket.frame(Frame::FIN | Frame::PING, "still there?").await;
    socket.frame(0, "").await;
    socket.frame(Frame::FIN | Frame::PONG, "nobody asked").await;
    socket.frame(Frame::FIN, tail).await;
    let pong = socket.next_frame().await;
    assert_eq!((pong.opcode, &pong.payload[..]), (Frame::PONG, &b"still there?"[..]));
    Session::welcomed(&socket.line().await);
    assert_eq!(socket.line().await, "r 1 \"ä\"");
}

#[tokio::test]
async fn frames_may_come_with_the_request_and_byte_by_byte() {
    let scene = Scene::start();
    let mut socket = scene.upgrade().await;
    let text = open() + "\nq echo \"slow\"";
    let frame = bowline_raw_client::masked_frame(Frame::FIN | Frame::TEXT, text);
    for byte in frame {
        socket.client.send([byte]).await.unwrap();
    }
    Session::welcomed(&socket.line().await);
    assert_eq!(socket.line().await, "r 1 \"slow\"");
}
