//! The processes of one library, and what happens to them.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use fastrand::Rng;
use tokio::time::sleep;

use super::journal::{self, Kind};
use super::notices::{Book, Notice, Work};
use super::peers::Peer;
use super::report::Row;
use super::{Plan, Stored, books};
use bowline_load::idle_bytes;
use bowline_processes::Program;
use bowline_processes::Usage;
use bowline_processes::{RedisServer, free_port};

/// Runs one library through the deploys of the plan. Returns its figures, and behind them those of
/// each kind of its clients if there is more than one.
pub(super) async fn run(
    plan: &Plan,
    peer: &Peer,
    progress: &impl Fn(String),
) -> Result<Vec<Row>, String> {
    progress(format!("connecting {} clients", plan.clients));
    let mut stage = Stage::set_up(plan, peer).await?;
    let mut rng = Rng::with_seed(plan.seed);
    let mut deploys = Vec::new();
    for number in 1..=plan.deploys {
        // Sometimes a process lives for less than the five seconds after which a carrier is
        // trusted.
        sleep(Duration::from_millis(3000 + rng.u64(..5000))).await;
        let pause = Duration::from_millis(rng.u64(..1000));
        let deploy = stage.deploy(plan, peer, number, pause).await?;
        progress(format!("deploy {number} of {}: {deploy}", plan.deploys));
        deploys.push(deploy);
    }
    sleep(AFTERWARDS).await;
    let kinds = stage.close_books().await?;
    progress("counted".to_owned());
    let journal = journal::read(&stage.folder.journal())?;
    let listened: Vec<f64> = deploys.iter().map(|deploy| deploy.listened).collect();
    let sum = |books: &[Book]| {
        let mut sum = books::sum(books, &journal, &listened);
        sum.lost_by_rollback = lost_by_rollback(plan, books, &listened);
        sum
    };
    let all: Vec<Book> = kinds.iter().flat_map(|kind| kind.books.clone()).collect();
    let busiest = kinds.iter().map(|kind| kind.cpu).max().unwrap_or_default();
    let whole = Row::new(plan, peer, sum(&all), &deploys).with_clients(busiest);
    let parts = kinds.iter().filter(|_| kinds.len() > 1);
    let parts = parts.map(|kind| Row::of(kind.name, sum(&kind.books)).with_clients(kind.cpu));
    Ok(std::iter::once(whole).chain(parts).collect())
}

/// Sessions that ended with an older server in place of the present one: each is told by the
/// process that listens then.
fn lost_by_rollback(plan: &Plan, books: &[Book], listened: &[f64]) -> u64 {
    let by_older = |at: f64| plan.is_old(listened.partition_point(|begun| *begun <= at));
    let lost = books.iter().flat_map(|book| &book.lost);
    // The first process is no rollback.
    lost.filter(|lost| listened.first().is_some_and(|first| lost.at >= *first))
        .filter(|lost| by_older(lost.at))
        .count() as u64
}

/// Bytes that one more idle connection takes in a fresh server of this library.
pub(super) async fn capacity(
    plan: &Plan,
    peer: &Peer,
    connections: usize,
    progress: &impl Fn(String),
) -> Result<u64, String> {
    progress(format!("{connections} idle connections"));
    let (folder, port) = (Folder::new(plan, peer)?, free_port());
    // The present one, if an older one takes turns with it.
    let (server, _) = serve(plan, peer, (1, None), &folder, port).await?;
    let (address, process, dialect) =
        ((Ipv4Addr::LOCALHOST, port).into(), server.id(), peer.dialect);
    let measure = move || idle_bytes(address, &process, dialect, connections);
    let measured = tokio::task::spawn_blocking(measure).await;
    let bytes = measured.map_err(|error| error.to_string())??;
    progress(format!("{bytes} bytes each"));
    Ok(bytes)
}

/// One replacement of the process.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deploy {
    /// Milliseconds of the wall clock.
    listened: f64,
    /// How long the old process took to end.
    pub(super) ended: Duration,
    /// Milliseconds of CPU time of the new one while everyone comes back.
    pub(super) cpu: f64,
}

impl std::fmt::Display for Deploy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { ended, cpu, .. } = self;
        write!(f, "the old process ended after {ended:.1?}, the new one took {cpu:.0} ms of CPU")
    }
}

struct Stage {
    folder: Folder,
    port: u16,
    server: Program,
    clients: Vec<Clients>,
}

/// A program with clients of one kind.
struct Clients {
    kind: &'static str,
    program: Program,
    /// When they were connected, and what connecting them has taken.
    begun: (Instant, Usage),
}

/// What all clients of one kind know.
struct Known {
    name: &'static str,
    books: Vec<Book>,
    /// Of the busiest program of them: CPU time in percent of the time.
    cpu: u64,
}

impl Stage {
    async fn set_up(plan: &Plan, peer: &Peer) -> Result<Self, String> {
        let (folder, port) = (Folder::new(plan, peer)?, free_port());
        let (mut server, _) = serve(plan, peer, (0, None), &folder, port).await?;
        let (mut clients, mut first) = (Vec::new(), 0);
        for (kind, command, count) in peer.clients(plan) {
            let mut program = Program::start(command)?;
            let url = format!("http://127.0.0.1:{port}");
            let clients_of_it = first..first + count;
            let Plan { transport, handlers, .. } = *plan;
            let work = Work { url, clients: clients_of_it, transport, handlers };
            program.order(&serde_json::to_string(&work).expect("it is plain")).await?;
            let connected = |said| matches!(said, Notice::Connected).then_some(());
            program.hear(CONNECTING, connected).await?;
            let begun = (Instant::now(), Usage::of(&program.id())?);
            clients.push(Clients { kind, program, begun });
            first += count;
        }
        server.order("tick").await?;
        Ok(Self { folder, port, server, clients })
    }

    /// Ends the process and starts another one after a while. The deploys are counted from 1.
    async fn deploy(
        &mut self,
        plan: &Plan,
        peer: &Peer,
        number: usize,
        pause: Duration,
    ) -> Result<Deploy, String> {
        let (folder, port) = (&self.folder, self.port);
        let old = &mut self.server;
        let ended = old.end(plan.kill, ENDING).await?;
        sleep(pause).await;
        let last = journal::read(&folder.journal())?;
        let last = last.iter().rev().find(|entry| entry.kind == Kind::Tick);
        let last = last.map_or(0, |entry| entry.number);
        let (server, listened) = serve(plan, peer, (number, Some(last)), folder, port).await?;
        self.server = server;
        let before = Usage::of(&self.server.id())?;
        sleep(RETURN).await;
        let cpu = Usage::of(&self.server.id())?.cpu_since(&before) / 1e3;
        Ok(Deploy { listened, ended, cpu })
    }

    async fn close_books(&mut self) -> Result<Vec<Known>, String> {
        self.server.order("quiet").await?;
        for clients in &mut self.clients {
            clients.program.order("stop").await?;
        }
        for clients in &mut self.clients {
            let settled = |said| matches!(said, Notice::Settled).then_some(());
            clients.program.hear(SETTLING, settled).await?;
        }
        sleep(REPEATS).await;
        let mut kinds: Vec<Known> = Vec::new();
        for clients in &mut self.clients {
            let (cpu, books) = (clients.cpu()?, clients.count().await?);
            match kinds.iter_mut().find(|known| known.name == clients.kind) {
                Some(known) => {
                    known.books.extend(books);
                    known.cpu = known.cpu.max(cpu);
                }
                None => kinds.push(Known { name: clients.kind, books, cpu }),
            }
        }
        Ok(kinds)
    }
}

impl Clients {
    /// CPU time since they were connected, in percent of the time.
    fn cpu(&self) -> Result<u64, String> {
        let (begun, before) = &self.begun;
        let used = Usage::of(&self.program.id())?.cpu_since(before);
        Ok((used / begun.elapsed().as_micros() as f64 * 100.0) as u64)
    }

    async fn count(&mut self) -> Result<Vec<Book>, String> {
        self.program.order("count").await?;
        let mut books = Vec::new();
        let counted = |said| match said {
            Notice::Book(book) => {
                books.push(book);
                None
            }
            said => matches!(said, Notice::Counted).then_some(()),
        };
        self.program.hear(PATIENCE, counted).await?;
        Ok(books)
    }
}

/// Starts a server. The processes are counted from 0; one that replaces another goes on behind that
/// one's last broadcast.
async fn serve(
    plan: &Plan,
    peer: &Peer,
    (process, last): (usize, Option<u64>),
    folder: &Folder,
    port: u16,
) -> Result<(Program, f64), String> {
    let mut command = peer.server(plan, process);
    command.arg(format!("port={port}"));
    command.arg(format!("journal={}", folder.journal().display()));
    command.arg(folder.store());
    if let Some(last) = last {
        command.args(["ticking".to_owned(), format!("last={last}")]);
    }
    let mut server = Program::start(command)?;
    let at = server.hear(PATIENCE, Notice::listening).await?;
    Ok((server, at))
}

/// What outlives the processes. It is gone with this value.
struct Folder {
    path: PathBuf,
    redis: Option<RedisServer>,
}

impl Folder {
    fn new(plan: &Plan, peer: &Peer) -> Result<Self, String> {
        let name = format!("bowline-deploy-{}-{}", std::process::id(), free_port());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let in_redis = peer.is_ours && plan.store == Stored::Redis;
        Ok(Self { path: folder, redis: in_redis.then(RedisServer::start) })
    }

    /// The word that says where sessions are stored.
    fn store(&self) -> String {
        match &self.redis {
            Some(redis) => format!("redis={}", redis.url()),
            None => format!("store={}", self.path.join("sessions").display()),
        }
    }

    fn journal(&self) -> PathBuf {
        self.path.join("journal")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

/// How long all clients may take to connect.
const CONNECTING: Duration = Duration::from_secs(120);
/// How long a process may take to end: longer than its own deadline for that.
const ENDING: Duration = Duration::from_secs(30);
/// How long everyone has to come back before the CPU time is looked at.
const RETURN: Duration = Duration::from_secs(2);
/// How long the clients go on after the last deploy.
const AFTERWARDS: Duration = Duration::from_secs(4);
/// How long the last answers may take, and a little more than programs wait for them.
const SETTLING: Duration = Duration::from_secs(30);
/// How much later than the last message something may arrive once more.
const REPEATS: Duration = Duration::from_millis(1500);
/// How long a program may take to do something small.
const PATIENCE: Duration = Duration::from_secs(60);
