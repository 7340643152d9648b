//! A server whose disk is full: it stores nothing, each client is told, and the next process
//! starts.
//!
//! The disk is a limit on the size of the process's files (`ulimit -f`), which every user may set,
//! and the shell ignores the signal that belongs to it. So the kernel refuses the same writes as on
//! a full disk, with EFBIG in place of ENOSPC.
#![cfg(unix)]

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use bowline_client::{Client, Status, StatusStream};
use bowline_fixtures::within_a_minute;
use futures::StreamExt as _;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

#[tokio::test]
async fn a_disk_that_is_full_while_sessions_are_written_costs_all_of_them_and_each_client_is_told()
{
    within_a_minute(async {
        let place = Place::new("writing");
        let old = place.serve(Disk::Blocks(8)).await;
        let clients = place.clients(40).await;
        let changes: Vec<_> = clients.iter().map(Client::status_stream).collect();
        ask_all(&clients, 1).await;
        let said = old.end().await;
        assert_names_the_folder(&said, "40 sessions are lost", &place);
        assert_eq!(
            place.files(),
            [] as [String; 0],
            "nothing is left that the next one could read"
        );

        let next = place.serve(Disk::Empty).await;
        ask_all(&clients, 2).await;
        for mut changes in changes {
            assert_eq!(loss(&mut changes).await, 1, "each client had sent one request");
        }
        assert_eq!(next.end().await, "", "it misses nothing");
    })
    .await;
}

#[tokio::test]
async fn a_disk_that_is_full_when_a_process_starts_costs_no_session_before_that_process_ends() {
    within_a_minute(async {
        let place = Place::new("starting");
        let old = place.serve(Disk::Empty).await;
        let clients = place.clients(3).await;
        assert_eq!(old.end().await, "");
        assert_eq!(place.files().len(), 1, "they are stored");

        let newcomer = place.serve(Disk::Blocks(0)).await;
        ask_all(&clients, 1).await;
        for client in &clients {
            assert_eq!(client.stats().resumes, 1, "its session goes on");
        }
        let said = newcomer.end().await;
        assert_names_the_folder(&said, "other processes cannot see this one", &place);
        assert_names_the_folder(&said, "3 sessions are lost", &place);
        assert_eq!(place.files(), [] as [String; 0]);

        let changes: Vec<_> = clients.iter().map(Client::status_stream).collect();
        let next = place.serve(Disk::Empty).await;
        ask_all(&clients, 2).await;
        for mut changes in changes {
            assert_eq!(loss(&mut changes).await, 1, "each client had sent one request");
        }
        assert_eq!(next.end().await, "");
    })
    .await;
}

/// What a process may write.
#[derive(Debug, Clone, Copy)]
enum Disk {
    Empty,
    /// So many blocks of 512 bytes in each file.
    Blocks(u32),
}

/// Where processes follow each other. The folder is gone with this value.
struct Place {
    folder: PathBuf,
    port: u16,
}

impl Place {
    fn new(name: &str) -> Self {
        let folder = format!("bowline-full-disk-{}-{name}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        std::fs::create_dir(&folder).expect("the name is new");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        Self { folder, port: listener.local_addr().expect("it is bound").port() }
    }

    fn store(&self) -> PathBuf {
        self.folder.join("sessions")
    }

    fn files(&self) -> Vec<String> {
        let entries = self.store().read_dir().expect("the server has made it");
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    async fn serve(&self, disk: Disk) -> Server {
        let limit = match disk {
            Disk::Empty => String::new(),
            Disk::Blocks(blocks) => format!("trap '' XFSZ; ulimit -f {blocks} || exit 1; "),
        };
        let mut process = Command::new("sh")
            .args(["-c", &format!("{limit}exec \"$0\" \"$@\"")])
            .args([env!("CARGO_BIN_EXE_deploy"), "serve", &format!("port={}", self.port)])
            .arg(word("journal", Path::new("/dev/null")))
            .arg(word("store", &self.store()))
            .env("RUST_LOG", "warn")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("a shell is there");
        let input = process.stdin.take().expect("it is piped");
        let mut output = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        let line = output.next_line().await.expect("it is text").expect("it says that it listens");
        assert!(line.contains("listening"), "{line}");
        Server { process, _input: input, _output: output }
    }

    async fn clients(&self, number: usize) -> Vec<Client> {
        let url = format!("http://127.0.0.1:{}/bowline", self.port);
        let mut clients = Vec::new();
        for number in 0..number {
            let client = Client::builder(&url).auth(&number).build().expect("the address is valid");
            client.connect().await.expect("the server lets it in");
            clients.push(client);
        }
        clients
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A process. Its output is read by nobody, and stays open.
struct Server {
    process: Child,
    _input: ChildStdin,
    _output: Lines<BufReader<ChildStdout>>,
}

impl Server {
    /// Asks it to end, as service managers do. Returns what it has logged.
    async fn end(mut self) -> String {
        let id = self.process.id().expect("it runs").to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status().await;
        assert!(sent.expect("kill is there").success());
        let mut said = String::new();
        let mut errors = self.process.stderr.take().expect("it is piped");
        errors.read_to_string(&mut said).await.expect("it is text");
        assert!(self.process.wait().await.expect("it ends").success(), "{said}");
        said
    }
}

fn word(name: &str, path: &Path) -> String {
    format!("{name}={}", path.display())
}

/// Each client sends a request, which the server answers.
async fn ask_all(clients: &[Client], number: u64) {
    let answers = clients.iter().map(|client| client.request::<_, _, u64>("ask", &number));
    for answer in futures::future::join_all(answers.map(IntoFuture::into_future)).await {
        assert_eq!(answer.expect("it is answered"), number * 2);
    }
}

/// Waits until a client is told that its session is lost. Returns how many packets it is told of.
async fn loss(changes: &mut StatusStream) -> u64 {
    loop {
        if let Status::SessionLost { confirmed, unknown, .. } =
            changes.next().await.expect("it goes on")
        {
            return confirmed + unknown;
        }
    }
}

fn assert_names_the_folder(log: &str, what: &str, place: &Place) {
    let folder = place.store().display().to_string();
    let is_said = log.lines().any(|line| line.contains(what) && line.contains(&folder));
    assert!(is_said, "no line says {what:?} and {folder}:\n{log}");
}
