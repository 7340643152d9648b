//! A process ends and the next one begins, while clients connect all the time: nobody is refused.
#![cfg(target_os = "linux")]
#![expect(clippy::disallowed_methods, reason = "a test may wait")]

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

#[test]
fn a_socket_that_systemd_holds_refuses_nobody_while_the_service_is_restarted() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let clients = Clients::connect_to(listener.local_addr().unwrap());
    let first = Process(activated(&listener));
    clients.wait_for("an answer of the first", |seen| seen.answered_by(&first) > 100);
    first.terminate();
    // Nobody accepts now, and yet all connect.
    clients.wait_until("connections without a server", || clients.waiting() == CLIENTS);
    let second = Process(activated(&listener));
    clients.wait_for("an answer of the second", |seen| seen.answered_by(&second) > 100);
    clients.nobody_was_refused();
}

#[test]
fn a_process_that_leaves_a_shared_port_refuses_nobody_and_loses_nobody() {
    // Takes a port that is free; it does not listen, so no connection comes to it.
    let place = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    place.set_reuse_port(true).unwrap();
    place.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let address = place.local_addr().unwrap().as_socket().unwrap();

    let mut first = Process(sharing(address.port()));
    let clients = Clients::connect_to(address);
    for _ in 0..3 {
        clients.wait_for("an answer of the older", |seen| seen.answered_by(&first) > 100);
        let second = Process(sharing(address.port()));
        clients.wait_for("an answer of the newer", |seen| seen.answered_by(&second) > 100);
        first.terminate();
        let before = clients.answered_by(&second);
        clients.wait_for("more", |seen| seen.answered_by(&second) > before + 500);
        first = second;
    }
    clients.nobody_was_refused();
}

/// A process of an example, which ends with the test.
struct Process(Child);

impl Process {
    /// Ends it as an operator would, and waits until it has.
    fn terminate(mut self) {
        let id = self.0.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        assert!(self.0.wait().unwrap().success(), "it ends well");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the example as systemd does: with the socket as descriptor 3, and two variables that say
/// so.
fn activated(listener: &TcpListener) -> Child {
    let passed = "exec 3<&0 0</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\"";
    let socket = OwnedFd::from(listener.try_clone().unwrap());
    Command::new("sh")
        .args(["-c", passed])
        .arg(example("socket-activation"))
        .stdin(socket)
        .spawn()
        .unwrap()
}

/// Starts the example, and waits until it listens.
fn sharing(port: u16) -> Child {
    let mut command = Command::new(example("shared-port"));
    let mut child = command.arg(port.to_string()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "listening\n");
    child
}

/// The program of an example, as new as its source.
fn example(name: &str) -> PathBuf {
    let tests = std::env::current_exe().unwrap().with_file_name("");
    let profile = tests.parent().unwrap();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "-q", "-p", "bowline-server", "--example", name, "--target-dir"])
        .arg(profile.parent().unwrap())
        .status();
    assert!(built.unwrap().success(), "{name} is built");
    profile.join("examples").join(name)
}

/// Threads that connect, ask and are answered, one after the other.
struct Clients {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    seen: Mutex<Seen>,
    waiting: AtomicUsize,
    is_over: AtomicBool,
}

#[derive(Debug, Default)]
struct Seen {
    /// The processes that answered.
    answers: std::collections::HashMap<u32, usize>,
    refused: Vec<io::Error>,
    /// Connections that ended without an answer.
    lost: Vec<io::Error>,
}

impl Seen {
    fn answered_by(&self, process: &Process) -> usize {
        self.answers.get(&process.0.id()).copied().unwrap_or(0)
    }
}

impl Clients {
    fn connect_to(address: SocketAddr) -> Self {
        let shared = Arc::<Shared>::default();
        let thread = |_| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || shared.ask_again_and_again(address))
        };
        Self { threads: (0..CLIENTS).map(thread).collect(), shared }
    }

    /// Those that are connected and have no answer yet.
    fn waiting(&self) -> usize {
        self.shared.waiting.load(SeqCst)
    }

    fn answered_by(&self, process: &Process) -> usize {
        self.shared.seen.lock().unwrap().answered_by(process)
    }

    fn wait_for(&self, what: &str, is_so: impl Fn(&Seen) -> bool) {
        self.wait_until(what, || is_so(&self.shared.seen.lock().unwrap()));
    }

    fn wait_until(&self, what: &str, is_so: impl Fn() -> bool) {
        let begin = Instant::now();
        while !is_so() {
            let seen = &self.shared.seen;
            let is_late = begin.elapsed() > Duration::from_secs(60);
            assert!(!is_late, "{what}: {:?}", seen.try_lock());
            thread::yield_now();
        }
    }

    fn nobody_was_refused(self) {
        self.shared.is_over.store(true, SeqCst);
        for thread in self.threads {
            thread.join().unwrap();
        }
        let seen = self.shared.seen.lock().unwrap();
        assert!(seen.refused.is_empty() && seen.lost.is_empty(), "{seen:?}");
    }
}

impl Shared {
    fn ask_again_and_again(&self, address: SocketAddr) {
        while !self.is_over.load(SeqCst) {
            let stream = TcpStream::connect(address);
            let outcome = match stream {
                Err(error) => Err((true, error)),
                Ok(stream) => {
                    self.waiting.fetch_add(1, SeqCst);
                    let answer = ask(stream).map_err(|error| (false, error));
                    self.waiting.fetch_sub(1, SeqCst);
                    answer
                }
            };
            let mut seen = self.seen.lock().unwrap();
            match outcome {
                Ok(process) => *seen.answers.entry(process).or_default() += 1,
                Err((true, error)) => seen.refused.push(error),
                Err((false, error)) => seen.lost.push(error),
            }
        }
    }
}

/// Asks which process answers.
fn ask(mut stream: TcpStream) -> io::Result<u32> {
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let process = answer.split("\r\n\r\n").nth(1).and_then(|body| body.parse().ok());
    process.ok_or_else(|| io::Error::other(format!("no answer: {answer:?}")))
}

const CLIENTS: usize = 4;
