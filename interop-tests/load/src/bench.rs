//! Runs peers and scenarios in turn, each time with a fresh server on a core of its own.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bowline_processes::at_least;
use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use serde_json::{Value, json};

use crate::dialect::Transport;
use crate::peers::{PEERS, Peer, Program};
use crate::scenario::{SCENARIOS, Scenario};
use crate::target::Target;

/// What to measure, and with which programs.
#[derive(Debug, Args)]
pub struct Plan {
    /// How often everything is measured.
    #[arg(long, default_value = "3", value_parser = at_least(1))]
    pub rounds: usize,
    /// How long traffic runs before it is measured.
    #[arg(skip = Duration::from_secs(1))]
    pub warm_up: Duration,
    /// For how many seconds it is measured.
    #[arg(long = "seconds", value_name = "SECONDS", default_value = "4", value_parser = seconds)]
    pub time: Duration,
    /// What is measured: all of these unless some are named.
    #[arg(long = "scenario", value_delimiter = ',', value_parser = scenario())]
    #[arg(default_values = SCENARIOS.iter().map(|one| one.name), hide_default_value = true)]
    pub scenarios: Vec<Scenario>,
    /// What is compared: all of these unless some are named.
    #[arg(long, value_delimiter = ',', value_parser = peer())]
    #[arg(default_values = PEERS.iter().map(|one| one.name), hide_default_value = true)]
    pub peers: Vec<Peer>,
    /// Workers of Bowline's server.
    #[arg(long, default_value = "1", value_parser = at_least(1))]
    pub workers: usize,
    /// Where the programs of the peers were built.
    #[arg(skip = "target/peers/release")]
    pub peer_programs: PathBuf,
    /// Where the programs for Node are.
    #[arg(skip = "interop-tests/load/node")]
    pub node_programs: PathBuf,
}

fn seconds(text: &str) -> Result<Duration, std::num::ParseIntError> {
    text.parse::<NonZeroU64>().map(|seconds| Duration::from_secs(seconds.get()))
}

fn scenario() -> impl TypedValueParser<Value = Scenario> {
    one_of(SCENARIOS, |scenario| (scenario.name, scenario.title))
}

fn peer() -> impl TypedValueParser<Value = Peer> {
    one_of(PEERS, |peer| (peer.name, peer.about))
}

/// One of these, by its name; the help explains each.
fn one_of<T: Clone + Send + Sync>(
    all: &'static [T],
    words: fn(&T) -> (&'static str, &'static str),
) -> impl TypedValueParser<Value = T> {
    let explained = all.iter().map(words);
    let values = explained.map(|(name, about)| PossibleValue::new(name).help(about));
    PossibleValuesParser::new(values).map(move |name: String| {
        let named = all.iter().find(|one| words(one).0 == name);
        named.expect("clap refuses other names").clone()
    })
}

/// Measures everything in turn, and hands on each result with the names of scenario and peer, and
/// the round. Returns what could not be measured, and why: a server that did not start or did not
/// do what it was asked.
pub fn run(plan: &Plan, mut result: impl FnMut(Value)) -> Vec<String> {
    let mut failed = Vec::new();
    for round in 1..=plan.rounds {
        for scenario in &plan.scenarios {
            for peer in plan.peers.iter().filter(|peer| can(peer, scenario)) {
                match measure(plan, scenario, peer) {
                    Ok(mut figures) => {
                        figures["scenario"] = json!(scenario.name);
                        figures["peer"] = json!(peer.name);
                        figures["round"] = json!(round);
                        result(figures);
                    }
                    Err(error) => {
                        let (scenario, peer) = (scenario.name, peer.name);
                        failed.push(format!("{scenario} with {peer}, round {round}: {error}"));
                    }
                }
            }
        }
    }
    failed
}

fn can(peer: &Peer, scenario: &Scenario) -> bool {
    peer.speaks(scenario.transport()) && (peer.sessions || !scenario.needs_sessions())
}

fn measure(plan: &Plan, scenario: &Scenario, peer: &Peer) -> Result<Value, String> {
    let server = Server::start(plan, peer)?;
    // Bare actix polls with the packets of Engine.IO.
    let dialect = match (peer.dialect, scenario.transport()) {
        ("raw", Transport::Polling) => "socketio",
        (dialect, _) => dialect,
    };
    let process = server.id();
    scenario.run(&Target {
        server: server.address,
        process: &process,
        dialect,
        warm_up: plan.warm_up,
        time: plan.time,
    })
}

/// A server process, ended when dropped.
#[derive(Debug)]
pub struct Server {
    process: Child,
    /// Where it serves.
    pub address: SocketAddr,
}

impl Server {
    fn start(plan: &Plan, peer: &Peer) -> Result<Self, String> {
        let cores = if plan.workers > 1 { "0-1" } else { "0" };
        match peer.program {
            Program::Own(name) => {
                Self::launch(cores, &own(name)?, &["--workers", &plan.workers.to_string()])
            }
            Program::Rust(name) => Self::launch(cores, &plan.peer_programs.join(name), &[]),
            Program::Node(name) => {
                let script = plan.node_programs.join(name).display().to_string();
                Self::launch(cores, Path::new("node"), &[&script])
            }
        }
    }

    /// Starts a program on some cores with these words and, as the last one, the port on which it
    /// is to serve.
    ///
    /// # Errors
    /// When it does not start, or does not listen in time.
    pub fn launch(cores: &str, program: &Path, words: &[&str]) -> Result<Self, String> {
        let address = free_address()?;
        // `taskset` becomes the program, so its process is the server's.
        let mut command = Command::new("taskset");
        command.args(["--cpu-list", cores]).arg(program).args(words);
        command.arg(address.port().to_string()).env("NODE_ENV", "production");
        let process = command.stdout(Stdio::null()).spawn();
        let process = process.map_err(|error| format!("taskset does not start: {error}"))?;
        let mut server = Self { process, address };
        server.wait()?;
        Ok(server)
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> String {
        self.process.id().to_string()
    }

    /// Until it accepts connections.
    fn wait(&mut self) -> Result<(), String> {
        let end = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(self.address).is_err() {
            if let Ok(Some(status)) = self.process.try_wait() {
                return Err(format!("the server ended at once: {status}"));
            }
            if Instant::now() > end {
                return Err("the server does not listen".into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A program that is built with this one.
///
/// # Errors
/// When the system does not say where this one is.
pub fn own(name: &str) -> Result<PathBuf, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    Ok(program.with_file_name(name))
}

/// An address that nobody listens on now.
fn free_address() -> Result<SocketAddr, String> {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| error.to_string())?;
    listener.local_addr().map_err(|error| error.to_string())
}
