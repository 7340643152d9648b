//! What one client sends, however much, does not keep the others of its worker waiting.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bowline_raw_client::{Frame, masked_frame};

use super::scene::{Scene, open};

#[tokio::test]
async fn two_floods_of_tiny_packets_in_large_messages_leave_the_others_their_turns() {
    let flood = masked_frame(Frame::FIN | Frame::TEXT, "e a\n".repeat(512 * 1024));
    innocent_beside(flood).await;
}

#[tokio::test]
async fn two_floods_of_confirmations_leave_the_others_their_turns() {
    let flood = masked_frame(Frame::FIN | Frame::TEXT, "c 0\n".repeat(512 * 1024));
    innocent_beside(flood).await;
}

#[tokio::test]
async fn two_floods_of_tiny_frames_leave_the_others_their_turns() {
    let packets = masked_frame(Frame::FIN | Frame::TEXT, "h").repeat(16 * 1024);
    let pings = masked_frame(Frame::FIN | Frame::PING, "").repeat(16 * 1024);
    innocent_beside([packets, pings].concat()).await;
}

/// Two clients send this again and again, and a third one asks for echoes on the same worker.
async fn innocent_beside(flood: Vec<u8>) {
    let scene = Scene::with_one_worker();
    let mut innocent = scene.innocent().await;
    let flood = Arc::new(flood);
    let floods = [(); 2].map(|()| Flood::start(scene.server.address(), Arc::clone(&flood)));
    let begun = Instant::now();
    let is_under_way = || floods.iter().all(|flood| flood.sent() > 0);
    let mut times = Vec::new();
    while times.len() < ECHOES || (!is_under_way() && begun.elapsed() < PATIENCE) {
        let asked = Instant::now();
        innocent.assert_served().await;
        times.push(asked.elapsed());
    }
    assert!(is_under_way(), "both floods are taken");
    times.sort_unstable();
    let (median, late) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    assert!(late <= AT_MOST, "99 of 100 wait up to {late:?}, half of them {median:?}");
}

/// A client that sends as much as the server takes, in a thread of its own.
struct Flood {
    is_over: Arc<AtomicBool>,
    sent: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Flood {
    fn start(server: SocketAddr, flood: Arc<Vec<u8>>) -> Self {
        let (is_over, sent) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let (ends, counts) = (Arc::clone(&is_over), Arc::clone(&sent));
        let thread = std::thread::spawn(move || {
            let mut socket = TcpStream::connect(server).expect("the server listens");
            socket.set_nonblocking(false).expect("a socket can wait");
            socket.set_read_timeout(Some(Duration::from_millis(1))).expect("a socket can wait");
            socket.set_write_timeout(Some(Duration::from_millis(50))).expect("a socket can wait");
            let open = masked_frame(Frame::FIN | Frame::TEXT, open());
            socket.write_all(&[UPGRADE.as_bytes(), &open].concat()).expect("the server reads");
            let mut buffer = vec![0; 1 << 20];
            'flood: loop {
                let mut rest = &flood[..];
                while !rest.is_empty() {
                    if ends.load(Ordering::Relaxed) {
                        break 'flood;
                    }
                    // Either may have to wait for the other.
                    rest = &rest[socket.write(rest).unwrap_or(0)..];
                    let _ = socket.read(&mut buffer);
                }
                counts.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self { is_over, sent, thread: Some(thread) }
    }

    /// How often all of it was sent.
    fn sent(&self) -> usize {
        self.sent.load(Ordering::Relaxed)
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

const UPGRADE: &str = "GET /bowline/ws HTTP/1.1\r\nhost: localhost\r\nconnection: \
    upgrade\r\nupgrade: websocket\r\n\
    sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

const ECHOES: usize = 300;

/// What an innocent may wait. Without optimizations a server needs ten times as long for
/// everything, and other tests run on the same processors meanwhile; one that takes no turns needs
/// seconds then.
const AT_MOST: Duration = Duration::from_millis(if cfg!(debug_assertions) { 1000 } else { 10 });

/// How long the floods may take to begin.
const PATIENCE: Duration = Duration::from_secs(20);
