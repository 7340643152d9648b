//! The processes of one library, and what happens to them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::sleep;

use super::journal::{self, Kind};
use super::peers::Peer;
use super::report::Row;
use super::said::{Book, Said, Work};
use super::{Plan, books};
use crate::process::Usage;
use crate::program::Program;
use crate::redis_server::free_port;
use crate::soak::Dice;

/// Runs one library through the deploys of the plan.
pub(super) async fn run(
    plan: &Plan,
    peer: &Peer,
    progress: &impl Fn(String),
) -> Result<Row, String> {
    progress(format!("connecting {} clients", plan.clients));
    let mut stage = Stage::set_up(plan, peer).await?;
    let mut dice = Dice(plan.seed);
    let mut deploys = Vec::new();
    for number in 1..=plan.deploys {
        // Sometimes a process lives for less than the five seconds after which a carrier is trusted.
        sleep(Duration::from_millis(3000 + dice.below(5000))).await;
        let deploy = stage.deploy(plan, peer, Duration::from_millis(dice.below(1000))).await?;
        progress(format!("deploy {number} of {}: {deploy}", plan.deploys));
        deploys.push(deploy);
    }
    sleep(AFTERWARDS).await;
    let books = stage.close_books().await?;
    progress("counted".to_owned());
    let listened: Vec<f64> = deploys.iter().map(|deploy| deploy.listened).collect();
    let sum = books::sum(&books, &journal::read(&stage.folder.journal())?, &listened);
    Ok(Row::new(plan, peer, sum, &deploys))
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
    clients: Vec<Program>,
}

impl Stage {
    async fn set_up(plan: &Plan, peer: &Peer) -> Result<Self, String> {
        let (folder, port) = (Folder::new()?, free_port());
        let (mut server, _) = serve(plan, peer, &folder, port, None).await?;
        let (mut clients, mut first) = (Vec::new(), 0);
        for (command, count) in peer.clients(plan) {
            let mut program = Program::start(command)?;
            let url = format!("http://127.0.0.1:{port}");
            let clients_of_it = first..first + count;
            let Plan { transport, handlers, .. } = *plan;
            let work = Work { url, clients: clients_of_it, transport, handlers };
            program.order(&serde_json::to_string(&work).expect("it is plain")).await?;
            let connected = |said| matches!(said, Said::Connected).then_some(());
            program.hear(CONNECTING, connected).await?;
            clients.push(program);
            first += count;
        }
        server.order("tick").await?;
        Ok(Self { folder, port, server, clients })
    }

    /// Ends the process and starts another one after a while.
    async fn deploy(
        &mut self,
        plan: &Plan,
        peer: &Peer,
        pause: Duration,
    ) -> Result<Deploy, String> {
        let (folder, port) = (&self.folder, self.port);
        let old = &mut self.server;
        let ended = old.end(plan.kill, ENDING).await?;
        sleep(pause).await;
        let last = journal::read(&folder.journal())?;
        let last = last.iter().rev().find(|entry| entry.kind == Kind::Tick);
        let last = last.map_or(0, |entry| entry.number);
        let (server, listened) = serve(plan, peer, folder, port, Some(last)).await?;
        self.server = server;
        let before = Usage::of(&self.server.id())?;
        sleep(RETURN).await;
        let cpu = Usage::of(&self.server.id())?.cpu_since(&before) / 1e3;
        Ok(Deploy { listened, ended, cpu })
    }

    async fn close_books(&mut self) -> Result<Vec<Book>, String> {
        self.server.order("quiet").await?;
        for program in &mut self.clients {
            program.order("stop").await?;
        }
        for program in &mut self.clients {
            let settled = |said| matches!(said, Said::Settled).then_some(());
            program.hear(SETTLING, settled).await?;
        }
        sleep(REPEATS).await;
        let mut books = Vec::new();
        for program in &mut self.clients {
            program.order("count").await?;
            let counted = |said| match said {
                Said::Book(book) => {
                    books.push(book);
                    None
                }
                said => matches!(said, Said::Counted).then_some(()),
            };
            program.hear(PATIENCE, counted).await?;
        }
        Ok(books)
    }
}

/// Starts a server. One that replaces another goes on behind that one's last broadcast.
async fn serve(
    plan: &Plan,
    peer: &Peer,
    folder: &Folder,
    port: u16,
    last: Option<u64>,
) -> Result<(Program, f64), String> {
    let mut command = peer.server(plan);
    command.arg(format!("port={port}"));
    command.arg(format!("journal={}", folder.journal().display()));
    command.arg(format!("store={}", folder.0.join("sessions").display()));
    if let Some(last) = last {
        command.args(["ticking".to_owned(), format!("last={last}")]);
    }
    let mut server = Program::start(command)?;
    let at = server.hear(PATIENCE, Said::listening).await?;
    Ok((server, at))
}

/// What outlives the processes. It is gone with this value.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self, String> {
        let name = format!("bowline-deploy-{}-{}", std::process::id(), free_port());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        Ok(Self(folder))
    }

    fn journal(&self) -> PathBuf {
        Path::new(&self.0).join("journal")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
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
