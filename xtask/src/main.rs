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

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate has a parent");
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) =
        words.split_first().map_or(("", &[][..]), |(first, rest)| (&**first, rest));
    let result = match command {
        "demo" => demo(root, rest),
        "desk" => desk(root, rest),
        "book" => book::run(root),
        "check" => check::check(root),
        "test" => check::test(root, rest),
        "soak" => interop(root, "soak", rest),
        "cluster" => cluster::run(root, rest),
        "idle" => interop(root, "idle", rest),
        "bench" => load::run(root, rest),
        "instructions" => instructions::run(root, rest),
        "mutants" => mutants::run(root),
        "fuzz" => fuzz(root, rest),
        "wasm" => wasm::run(root),
        "size" => size::run(root, rest),
        "networks" => networks::run(root, rest),
        "jitter" => jitter::run(root, rest),
        "deploy" => deploy::run(root, rest),
        "attack" => attack::run(root, rest),
        "browsers" => browsers::run(root, rest),
        "consumers" => consumers::run(root, rest),
        "browser-bench" => bench::run(root, rest),
        _ => Err(HELP.to_owned()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Serves a page that shows what the layer does; it prints the address.
fn demo(root: &Path, rest: &[String]) -> Result<(), String> {
    eprintln!(
        "The demo is built in four steps, the first time in some minutes; then it prints its address."
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
fn desk(root: &Path, rest: &[String]) -> Result<(), String> {
    let package = wasm::package(root)?;
    let package = package.to_str().ok_or("the project's path is not UTF-8")?;
    let mut words = vec!["run", "--package", "bowline-desk", "--", package];
    words.extend(rest.iter().map(String::as_str));
    run::cargo(root, &words)
}

/// Runs one of the programs that measure, built for speed.
fn interop(root: &Path, program: &str, rest: &[String]) -> Result<(), String> {
    let mut words = vec!["run", "--release", "--bin", program, "--"];
    words.extend(rest.iter().map(String::as_str));
    run::cargo(root, &words)
}

fn fuzz(root: &Path, rest: &[String]) -> Result<(), String> {
    let seconds = rest.first().map_or(Ok(10), |seconds| seconds.parse());
    fuzz::run(root, seconds.map_err(|error| format!("fuzz wants a number of seconds: {error}"))?)
}

const HELP: &str = "\
cargo xtask demo [PORT]      a chat in the browser whose network you can break; prints its address
cargo xtask desk [PORT]      the example of an application with users, a support desk; prints its address
cargo xtask check            format, lints, unit tests and layers: before each commit
cargo xtask test [--list | --only STEP…]
                             everything the project checks, or some of its steps
cargo xtask book             the guides and the specification as a book; fails when a link between pages is broken
cargo xtask soak [--messages N --clients C --cuts K --seed S --transport websocket|sse|polling|mixed
                   --hostile]
                             numbered messages both ways through a network that keeps breaking
cargo xtask cluster [--nodes N --clients C --messages M --seed S] [--kill] [--redis-restart] [--rolling]
                             server processes behind HAProxy and Redis that are killed, cut off or drained;
                             with --cost [--rounds N --turns N], what a second node and a relayed carrier cost
cargo xtask idle [--sessions N]
                             what an idle session costs, beside a bare connection
cargo xtask bench [--scenario A,B --peers A,B --rounds N --seconds N --workers N --json --strict --plot FILE.svg]
                             the server under load, beside other libraries
cargo xtask instructions [--renew REASON]
                             how many instructions the server's hot paths take, beside what was committed
cargo xtask mutants          breaks the session core in known ways; the simulation must notice
cargo xtask fuzz [SECONDS]   fuzzes packets, batches and session inputs, each for 10 s unless set
cargo xtask wasm             builds what has to build for browsers; the package for npm is among it
cargo xtask size [--json | --functions [N]]
                             what a browser downloads, beside other libraries; or what it consists of
cargo xtask networks [--json] [--only TEXT] [--quick] [--jobs N] [--into FILE]
                             every bad network, real proxies included, with our clients and others:
                             who gets through, how fast, and what is lost; --into puts the table into
                             a page, docs/networks.md for example
cargo xtask jitter [--clients N --seconds S --rounds R --seed S --json]
                             broadcasts to clients whose connections are cut again and again, beside socket.io
cargo xtask deploy [--clients N --deploys K --seed S --transport websocket|sse|polling|mixed
                     --handlers --kill --nodes N --store files|redis --npm --old [COMMIT] --capacity N
                     --peers --json --plot FILE.svg]
                             the server process is replaced under its clients: what is lost, who is told,
                             and how soon everyone is back; --peers shows other libraries beside it, and
                             --old lets the server of another commit and the present one take turns
cargo xtask attack [--only TEXT] [--json] [--short] [--table]
                             attacks on a server, with an innocent client beside it: what they cost, how
                             long it is held, and whether that is within its bounds
cargo xtask browsers [chromium|firefox|node] [FILTER]
                             the stories and the page tests in real browsers and Node
cargo xtask consumers [TEXT]
                             the package with every bundler, test runner and runtime of its README
cargo xtask browser-bench [--rounds N] [--json] [--strict]
                             the package beside socket.io in a browser: time, main thread, memory";
