//! What breaks WebSocket itself. Spec: 02-carriers, "WebSocket"; 08-limits; RFC 6455.

use bowline_raw_client::{Frame, masked_frame};

use super::journal;
use super::scene::{Scene, WebSocket};

const FIN: u8 = Frame::FIN;

/// Asserts that the server ends with a close frame of WebSocket's own and nothing before it.
async fn assert_broken(socket: &mut WebSocket, code: u16) {
    let frame = socket.next_frame().await;
    assert_eq!((frame.opcode, frame.close_code()), (Frame::CLOSE, Some(code)), "{frame:?}");
    socket.answer_close(code).await;
}

#[tokio::test]
async fn broken_frames_end_the_carrier_and_not_the_session() {
    let scene = Scene::start();
    let mut innocent = scene.innocent().await;
    let mut unmasked = masked_frame(FIN | Frame::TEXT, "e up 1");
    unmasked[1] &= 0x7F;
    let mut top_bit = masked_frame(FIN | Frame::TEXT, [0; 70_000]);
    top_bit[2] = 0x80;
    let close = |payload: &[u8]| masked_frame(FIN | Frame::CLOSE, payload);
    for (bytes, code) in [
        (unmasked, 1002),
        (top_bit, 1002),
        (masked_frame(FIN | 0x40 | Frame::TEXT, "rsv1"), 1002),
        (masked_frame(FIN | 0x20 | Frame::TEXT, "rsv2"), 1002),
        (masked_frame(FIN | 0x10 | Frame::PING, "rsv3"), 1002),
        (masked_frame(FIN | 0x3, "reserved"), 1002),
        (masked_frame(FIN | 0xB, "reserved"), 1002),
        (masked_frame(FIN, "continues nothing"), 1002),
        (masked_frame(Frame::PING, "fragmented"), 1002),
        (masked_frame(FIN | Frame::PING, [0; 126]), 1002),
        ([masked_frame(Frame::TEXT, "e u"), masked_frame(FIN | Frame::TEXT, "p 1")].concat(), 1002),
        (close(b"\x03"), 1002),
        (close(b"\x00\x00"), 1002),
        (close(b"\x03\xED"), 1002),
        (close(b"\x03\xEE"), 1002),
        (close(b"\x13\x88"), 1002),
        (close(b"\x03\xE8\xFF"), 1007),
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), 1002),
    ] {
        let (session, mut socket) = scene.open().await;
        socket.client.send(&bytes).await.unwrap();
        assert_broken(&mut socket, code).await;
        let mut resumed = scene.websocket(&session.attach("n=2 recv=0 next=1")).await;
        assert!(resumed.line().await.starts_with("welcome "), "{bytes:?}");

        let mut silent = scene.upgrade().await;
        silent.client.send(&bytes).await.unwrap();
        assert_broken(&mut silent, code).await;
        innocent.assert_served().await;
    }
    journal::assert_logged(&["WARN", "a websocket was closed", "must mask"]);
    journal::assert_logged(&["WARN", "a websocket was closed", "reserved bit"]);
}

#[tokio::test]
async fn a_huge_frame_is_refused_by_its_header() {
    let scene = Scene::start();
    let mut innocent = scene.innocent().await;
    for length in [2 * 1024 * 1024 + 1, 1 << 40, (1 << 63) - 1] {
        for opcode in [Frame::TEXT, Frame::BINARY] {
            let mut header = vec![opcode, 0x80 | 127];
            header.extend(u64::to_be_bytes(length));
            let (session, mut socket) = scene.open().await;
            socket.client.send(&header).await.unwrap();
            socket.assert_closed("x 4305").await;
            let again = scene.websocket(&session.attach("n=2 recv=0 next=1")).await;
            { again }.assert_closed("x 4305").await;

            let mut silent = scene.upgrade().await;
            silent.client.send(&header).await.unwrap();
            silent.assert_closed("x 4305").await;
            innocent.assert_served().await;
        }
    }
}

#[tokio::test]
async fn fragments_without_end_are_refused_by_number_and_by_size() {
    let scene = Scene::start();
    let mut innocent = scene.innocent().await;
    let tiny = masked_frame(0, "a");
    let (_, mut socket) = scene.open().await;
    socket.frame(Frame::TEXT, "v t ").await;
    socket.client.send(tiny.repeat(1024)).await.unwrap();
    socket.assert_closed("x 4305").await;
    innocent.assert_served().await;

    let mut silent = scene.upgrade().await;
    silent.frame(Frame::TEXT, "open ").await;
    silent.client.send(tiny.repeat(1024)).await.unwrap();
    silent.assert_closed("x 4305").await;
    innocent.assert_served().await;

    let (_, mut socket) = scene.open().await;
    let large = vec![b'a'; 1024 * 1024 - 2];
    socket.frame(Frame::TEXT, "v t ").await;
    socket.frame(0, &large).await;
    socket.frame(0, &large).await;
    // One byte more than a batch may have is announced, and not sent.
    socket.client.send([0, 0x80 | 1]).await.unwrap();
    socket.assert_closed("x 4305").await;
    innocent.assert_served().await;
}

#[tokio::test]
async fn text_that_is_not_utf_8_ends_the_session() {
    let scene = Scene::start();
    let mut innocent = scene.innocent().await;
    for wrong in [&b"v t \xff"[..], b"v t \xc3", b"\xed\xa0\x80", b"v \xf0\x9f"] {
        let (session, mut socket) = scene.open().await;
        socket.frame(FIN | Frame::TEXT, wrong).await;
        socket.assert_closed("x 4306").await;
        journal::assert_logged(&["WARN", &session.id, "not UTF-8"]);
        innocent.assert_served().await;

        let mut silent = scene.upgrade().await;
        silent.frame(FIN | Frame::TEXT, wrong).await;
        silent.assert_closed("x 4306").await;
        innocent.assert_served().await;
    }
    // What no continuation can make good is not waited for.
    let (_, mut socket) = scene.open().await;
    socket.frame(Frame::TEXT, b"v t \xff").await;
    socket.assert_closed("x 4306").await;
    innocent.assert_served().await;
}

#[tokio::test]
async fn garbage_after_the_end_of_a_conversation_harms_nobody() {
    let scene = Scene::start();
    let mut innocent = scene.innocent().await;
    let (_, mut socket) = scene.open().await;
    let mut bytes = masked_frame(FIN | Frame::TEXT, "x 1000");
    bytes.extend(b"\xff".repeat(10_000));
    socket.client.send(&bytes).await.unwrap();
    socket.assert_closed("x 1000").await;
    innocent.assert_served().await;
}
