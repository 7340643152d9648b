//! The client against servers that say what a test tells them to.

use std::io;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use crate::{Frame, RawClient, masked_frame};

/// A client and the other end of its connection.
async fn pair() -> (RawClient, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = RawClient::connect(listener.local_addr().unwrap()).await.unwrap();
    (client, listener.accept().await.unwrap().0)
}

/// A client that is told this by a server that then ends.
async fn told(answer: impl AsRef<[u8]>) -> RawClient {
    let (client, mut server) = pair().await;
    server.write_all(answer.as_ref()).await.unwrap();
    server.shutdown().await.unwrap();
    client
}

#[tokio::test]
async fn a_request_is_written_as_it_should_be() {
    let (mut client, server) = pair().await;
    let host = server.local_addr().unwrap();
    client.request("POST", "/p", &[("Origin", "a")], "body").await.unwrap();
    client.request("GET", "/g", &[], "").await.unwrap();
    client.finish().await.unwrap();
    let mut server = RawClient { stream: server, input: "".into(), body: super::Body::None };
    let expected = format!(
        "POST /p HTTP/1.1\r\nHost: {host}\r\nOrigin: a\r\nContent-Length: 4\r\n\r\nbody\
         GET /g HTTP/1.1\r\nHost: {host}\r\n\r\n"
    );
    assert_eq!(server.rest().await.unwrap(), expected);
}

#[tokio::test]
async fn responses_are_read_one_after_the_other() {
    let mut client = told(
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nfirst\
         HTTP/1.1 204 No Content\r\n\r\n\
         HTTP/1.1 404 Not Found\r\ntransfer-encoding: \
         chunked\r\n\r\n3\r\nsec\r\n3;x\r\nond\r\n0\r\n\r\n\
         HTTP/1.1 200 OK\r\n\r\nuntil the end",
    )
    .await;
    let first = client.response().await.unwrap();
    assert_eq!((first.head.header("x-a"), first.text()), (Some("b"), "first"));
    assert_eq!(client.response().await.unwrap().head.status, 204);
    let second = client.response().await.unwrap();
    assert_eq!((second.head.status, second.text()), (404, "second"));
    assert_eq!(client.response().await.unwrap().text(), "until the end");
    assert_eq!(client.response().await.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
}

#[tokio::test]
async fn a_stream_is_read_chunk_by_chunk_while_it_is_open() {
    let (mut client, mut server) = pair().await;
    server.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await.unwrap();
    assert_eq!(client.head().await.unwrap().status, 200);
    for text in ["data: a\n\n", "data: b\n\n"] {
        let chunk = format!("{:X}\r\n{text}\r\n", text.len());
        server.write_all(chunk.as_bytes()).await.unwrap();
        assert_eq!(client.chunk().await.unwrap().unwrap(), text);
    }
    server.write_all(b"0\r\n\r\n").await.unwrap();
    assert_eq!(client.chunk().await.unwrap(), None);
}

#[tokio::test]
async fn a_body_that_ends_early_is_an_error() {
    for body in ["Content-Length: 10\r\n\r\nshort", "Transfer-Encoding: chunked\r\n\r\n5\r\nab"] {
        let mut client = told(format!("HTTP/1.1 200 OK\r\n{body}")).await;
        let error = client.response().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{body}");
    }
}

#[tokio::test]
async fn what_is_not_http_is_an_error() {
    for answer in [
        "SMTP ready\r\n\r\n",
        "HTTP/1.1 2x0 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\naXX0\r\n\r\n",
    ] {
        let error = told(answer).await.response().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{answer}");
    }
}

#[tokio::test]
async fn a_handshake_is_checked_and_frames_follow() {
    let accepted = "HTTP/1.1 101 Switching Protocols\r\n\
                    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\u{1}\u{1}h";
    let mut client = told([accepted.as_bytes(), b"\x80\x01i", b"\x88\x02\x03\xe8"].concat()).await;
    assert_eq!(client.upgrade("/ws", &[("Origin", "a")]).await.unwrap().status, 101);
    assert_eq!(client.chunk().await.unwrap(), None, "frames are no body");
    let frame = |fin, opcode, payload: &'static str| Frame { fin, opcode, payload: payload.into() };
    assert_eq!(client.frame().await.unwrap(), Some(frame(false, Frame::TEXT, "h")));
    assert_eq!(client.frame().await.unwrap(), Some(frame(true, 0, "i")));
    assert_eq!(client.frame().await.unwrap().unwrap().close_code(), Some(1000));
    assert_eq!(client.frame().await.unwrap(), None);

    let wrong = accepted.replace("s3pP", "xxxx");
    let error = told(wrong).await.upgrade("/ws", &[]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    let refused = "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno";
    let mut client = told(refused).await;
    assert_eq!(client.upgrade("/ws", &[]).await.unwrap().status, 403);
    assert_eq!(client.chunk().await.unwrap().unwrap(), "no");
}

#[tokio::test]
async fn frames_of_every_length_are_read() {
    for (header, length) in [
        (&b"\x82\x00"[..], 0),
        (b"\x82\x7d", 125),
        (b"\x82\x7e\x00\x7e", 126),
        (b"\x82\x7e\xff\xff", 65_535),
        (b"\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00", 65_536),
    ] {
        let payload = vec![7; length];
        let mut client = told([header, &payload].concat()).await;
        assert_eq!(client.frame().await.unwrap().unwrap().payload, payload, "{length}");
    }
}

#[tokio::test]
async fn frames_that_no_server_may_send_are_errors() {
    for (bytes, kind) in [
        (&b"\xc1\x00"[..], io::ErrorKind::InvalidData),
        (b"\x83\x00", io::ErrorKind::InvalidData),
        (b"\x81\x80\0\0\0\0", io::ErrorKind::InvalidData),
        (b"\x09\x00", io::ErrorKind::InvalidData),
        (b"\x89\x7e\x00\x7e", io::ErrorKind::InvalidData),
        (b"\x81\x7e\x00\x7d", io::ErrorKind::InvalidData),
        (b"\x81\x05half", io::ErrorKind::UnexpectedEof),
    ] {
        assert_eq!(told(bytes).await.frame().await.unwrap_err().kind(), kind, "{bytes:?}");
    }
}

#[test]
fn a_frame_is_masked_as_in_rfc_6455_section_5_7() {
    let hello = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(masked_frame(Frame::FIN | Frame::TEXT, "Hello"), hello);
    assert_eq!(masked_frame(0x82, [0; 126])[..4], [0x82, 0xFE, 0, 126]);
    let key = [0x37, 0xfa, 0x21, 0x3d];
    let zeros = masked_frame(0x82, [0; 19]);
    assert!(zeros[6..].iter().eq(key.iter().cycle().take(19)), "{zeros:?}");
    let mut parts = Vec::new();
    crate::write_masked(0x81, &[b"in two", b" parts"], &mut parts);
    assert_eq!(masked_frame(0x81, "in two parts"), parts);
    assert_eq!(masked_frame(0x82, vec![0; 65_536])[..10], [0x82, 0xFF, 0, 0, 0, 0, 0, 1, 0, 0]);
}

#[tokio::test]
async fn a_reset_is_seen_by_the_other_side() {
    let (client, server) = pair().await;
    client.reset().unwrap();
    let mut server = RawClient { stream: server, input: "".into(), body: super::Body::None };
    assert_eq!(server.rest().await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
}
