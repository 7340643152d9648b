//! The project's own commands. `cargo xtask` alone lists them.

mod attack;
mod bench;
mod book;
mod browsers;
mod check;
mod cluster;
mod consumers;
mod deploy;
mod fuzz;
mod instructions;
mod jitter;
mod load;
mod mutants;
mod networks;
mod npm;
mod run;
mod size;
mod wasm;

use std::path::Path;
use std::process::ExitCode;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand};

/// The project's own commands: `cargo xtask COMMAND --help` lists the options of one.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
struct Options {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// A chat in the browser whose network you can break; prints its address.
    #[command(disable_help_flag = true)]
    Demo(Words),
    /// The example of an application with users, a support desk; prints its address.
    Desk { port: Option<u16> },
    /// The guides and the specification as a book; fails when a link between pages is broken.
    Book,
    /// Format, lints, unit tests and layers: before each commit.
    Check,
    /// Everything the project checks, or some of its steps.
    Test {
        /// Prints the names of the steps.
        #[arg(long)]
        list: bool,
        /// Runs these steps only.
        #[arg(long, value_name = "STEP", num_args = 1.., value_parser = check::step)]
        #[arg(conflicts_with = "list")]
        only: Vec<check::Step>,
    },
    /// Numbered messages both ways through a network that keeps breaking.
    #[command(disable_help_flag = true)]
    Soak(Words),
    /// Server processes behind HAProxy and Redis that are killed, cut off or drained; with --cost,
    /// what a second node and a relayed carrier cost.
    #[command(disable_help_flag = true)]
    Cluster(Words),
    /// What an idle session costs, beside a bare connection.
    #[command(disable_help_flag = true)]
    Idle(Words),
    /// The server under load, beside other libraries.
    #[command(disable_help_flag = true)]
    Bench(Words),
    /// How many instructions the server's hot paths take, beside what was committed.
    Instructions {
        /// Commits the present counts, and why a path takes more or fewer than before.
        #[arg(long, value_name = "REASON", value_parser = NonEmptyStringValueParser::new())]
        renew: Option<String>,
    },
    /// Breaks the session core in known ways; the simulation must notice.
    Mutants,
    /// Fuzzes packets, batches and session inputs.
    Fuzz {
        /// For each target.
        #[arg(default_value_t = 10)]
        seconds: u64,
    },
    /// Builds what has to build for browsers; the package for npm is among it.
    Wasm,
    /// What a browser downloads, beside other libraries; or what it consists of.
    Size {
        /// Prints the sizes as JSON.
        #[arg(long)]
        json: bool,
        /// The largest functions of the module instead.
        #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "40")]
        #[arg(conflicts_with = "json")]
        functions: Option<usize>,
    },
    /// Every bad network, real proxies included, with our clients and others: which get through,
    /// how fast, and what is lost.
    #[command(disable_help_flag = true)]
    Networks(Words),
    /// Broadcasts to clients whose connections are cut again and again, beside socket.io.
    #[command(disable_help_flag = true)]
    Jitter(Words),
    /// The server process is replaced under its clients: what is lost, which clients are notified,
    /// and how soon all are back. `--old [COMMIT]` lets the server of another commit and the
    /// present one take turns.
    #[command(disable_help_flag = true)]
    Deploy(Words),
    /// Attacks on a server, with an innocent client beside it: what they cost, how long the attack
    /// holds it, and whether that is within its bounds.
    #[command(disable_help_flag = true)]
    Attack(Words),
    /// The stories and the page tests in real browsers and Node.
    Browsers {
        /// chromium, firefox or node first, then a text of the names of the tests; all unless set.
        words: Vec<String>,
    },
    /// The package with every bundler, test runner and runtime of its README.
    Consumers {
        /// A text of the names of the rows; all rows unless set.
        text: Vec<String>,
    },
    /// The package beside socket.io in a browser: time, main thread, memory. Options are
    /// `--rounds N`, `--json` and `--strict`.
    BrowserBench(Words),
    /// Streams beside those of SignalR's JavaScript client, in Node: items a second, memory of a
    /// slow reader, bytes on the wire. Options are `--rounds N` and `--json`.
    StreamBench(Words),
}

/// What the program of a command reads, `--help` included.
#[derive(Args)]
struct Words {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    options: Vec<String>,
}

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate has a parent");
    match Options::parse().task.run(root) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

impl Task {
    fn run(self, root: &Path) -> Result<(), String> {
        match self {
            Self::Demo(words) => demo(root, &words.options),
            Self::Desk { port } => desk(root, port),
            Self::Book => book::run(root),
            Self::Check => check::check(root),
            Self::Test { list: true, .. } => {
                check::list();
                Ok(())
            }
            Self::Test { only, .. } => check::test(root, &only),
            Self::Soak(words) => interop(root, "soak", &words.options),
            Self::Cluster(words) => cluster::run(root, &words.options),
            Self::Idle(words) => interop(root, "idle", &words.options),
            Self::Bench(words) => load::run(root, &words.options),
            Self::Instructions { renew: None } => instructions::check(root),
            Self::Instructions { renew: Some(reason) } => instructions::renew(root, &reason),
            Self::Mutants => mutants::run(root),
            Self::Fuzz { seconds } => fuzz::run(root, seconds),
            Self::Wasm => wasm::run(root),
            Self::Size { functions: Some(count), .. } => size::functions(root, count),
            Self::Size { json, .. } => size::table(root, json),
            Self::Networks(words) => networks::run(root, &words.options),
            Self::Jitter(words) => jitter::run(root, &words.options),
            Self::Deploy(words) => deploy::run(root, &words.options),
            Self::Attack(words) => attack::run(root, &words.options),
            Self::Browsers { words } => browsers::run(root, &words),
            Self::Consumers { text } => consumers::run(root, &text),
            Self::BrowserBench(words) => bench::run(root, "bench.mjs", &words.options),
            Self::StreamBench(words) => bench::run(root, "stream-bench.mjs", &words.options),
        }
    }
}

/// Serves a page that shows what the layer does; it prints the address.
fn demo(root: &Path, rest: &[String]) -> Result<(), String> {
    eprintln!(
        "The demo is built in four steps, the first time in some minutes; then it prints its \
            address."
    );
    let package = wasm::package(root)?;
    let package = package.to_str().ok_or("the project's path is not UTF-8")?;
    let demo = ["run", "--bin", "demo", "--"];
    let mut words = demo.to_vec();
    words.push(package);
    words.extend(rest.iter().map(String::as_str));
    run::cargo(root, &words)
}

/// Serves the example of an application with users; it prints the address.
fn desk(root: &Path, port: Option<u16>) -> Result<(), String> {
    let package = wasm::package(root)?;
    let package = package.to_str().ok_or("the project's path is not UTF-8")?;
    let port = port.map(|port| port.to_string());
    let mut words = vec!["run", "--package", "bowline-desk", "--", package];
    words.extend(port.as_deref());
    run::cargo(root, &words)
}

/// Runs one of the programs that measure, built for speed.
fn interop(root: &Path, program: &str, rest: &[String]) -> Result<(), String> {
    let mut words = vec!["run", "--release", "--bin", program, "--"];
    words.extend(rest.iter().map(String::as_str));
    run::cargo(root, &words)
}
