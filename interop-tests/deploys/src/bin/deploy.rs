//! `deploy [--clients N] [--deploys K] [--seed S] [--transport websocket|sse|polling|mixed]
//! [--handlers] [--kill] [--nodes N] [--store files|redis] [--npm] [--old COMMIT] [--capacity N]
//! [--peers] [--json] [--plot FILE.svg]`: what clients notice when the server process is replaced;
//! see `cargo xtask deploy`. `deploy serve`, `deploy clients` and `deploy node` are the ends.

use std::path::PathBuf;
use std::process::ExitCode;

use bowline_deploys::deploy::{self, Plan, Report, Stored, Transports};
use bowline_deploys::fleet;
use bowline_processes::{NodeTools, Programs};
use tokio::runtime::Builder;

fn main() -> ExitCode {
    env_logger::init();
    let words: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match &*words {
        [word, settings @ ..] if word == "serve" => {
            actix_web::rt::System::new().block_on(deploy::serve(settings))
        }
        [word] if word == "clients" => {
            runtime().and_then(|tokio| tokio.block_on(deploy::clients()))
        }
        [word, port, redis] if word == "node" => {
            let port = port.parse().map_err(|_| format!("{port:?} is no port"));
            port.and_then(|port| actix_web::rt::System::new().block_on(fleet::serve(port, redis)))
        }
        _ => run(&words),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("deploy: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[String]) -> Result<(), String> {
    let (plan, shown) = parse(words)?;
    let report = runtime()?.block_on(deploy::run(&plan, |words| eprintln!("-- {words}")))?;
    print(&report, shown.json);
    if let Some(file) = &shown.plot {
        let drawn = std::fs::write(file, report.picture());
        drawn.map_err(|error| format!("{}: {error}", file.display()))?;
    }
    if report.broken.is_empty() {
        return Ok(());
    }
    Err(format!("not kept: {}", report.broken.join(", ")))
}

fn print(report: &Report, json: bool) {
    if json {
        println!("{}", serde_json::to_string(report).expect("a report is plain"));
    } else {
        print!("{}", report.table());
    }
}

/// How the figures are shown.
#[derive(Default)]
struct Shown {
    json: bool,
    /// A file for the picture.
    plot: Option<PathBuf>,
}

fn parse(words: &[String]) -> Result<(Plan, Shown), String> {
    let (mut plan, mut shown) = (defaults()?, Shown::default());
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let flag = match &**word {
            "--handlers" => &mut plan.handlers,
            "--kill" => &mut plan.kill,
            "--npm" => &mut plan.npm,
            "--peers" => &mut plan.peers,
            "--json" => &mut shown.json,
            _ => {
                let value = words.next().ok_or_else(|| format!("{word} wants a value; {KNOWN}"))?;
                match &**word {
                    "--plot" => shown.plot = Some(value.into()),
                    _ => set(&mut plan, word, value)?,
                }
                continue;
            }
        };
        *flag = true;
    }
    Ok((plan, shown))
}

fn set(plan: &mut Plan, word: &str, value: &str) -> Result<(), String> {
    let number =
        || value.parse::<u64>().map_err(|_| format!("{word} wants a number, not {value:?}"));
    let node = &mut plan.programs.node;
    match word {
        "--clients" => plan.clients = number()?.max(1) as usize,
        "--deploys" => plan.deploys = number()?.max(1) as usize,
        "--seed" => plan.seed = number()?,
        "--nodes" => plan.nodes = number()?.max(1) as usize,
        "--transport" => plan.transport = transport(value)?,
        "--scripts" => node.scripts = value.into(),
        "--modules" => node.modules = value.into(),
        "--package" => node.package = value.into(),
        "--store" => plan.store = store(value)?,
        "--old" => plan.old = Some(value.to_owned()),
        "--old-program" => plan.old_program = value.into(),
        "--capacity" => plan.capacity = Some(number()?.max(10) as usize),
        "--peer-programs" => plan.peer_programs = value.into(),
        _ => return Err(format!("{word} is not known; {KNOWN}")),
    }
    Ok(())
}

fn defaults() -> Result<Plan, String> {
    let native = std::env::current_exe().map_err(|error| error.to_string())?;
    let none = PathBuf::new;
    let node = NodeTools { scripts: none(), modules: none(), package: none() };
    Ok(Plan {
        clients: 2000,
        deploys: 3,
        seed: 7,
        transport: Transports::Mixed,
        handlers: false,
        kill: false,
        nodes: 1,
        store: Stored::Files,
        npm: false,
        old: None,
        capacity: None,
        peers: false,
        programs: Programs { native, node },
        old_program: none(),
        peer_programs: none(),
    })
}

fn store(name: &str) -> Result<Stored, String> {
    match name {
        "files" => Ok(Stored::Files),
        "redis" => Ok(Stored::Redis),
        _ => Err(format!("--store is files or redis, not {name:?}")),
    }
}

fn transport(name: &str) -> Result<Transports, String> {
    match name {
        "websocket" => Ok(Transports::WebSocket),
        "sse" => Ok(Transports::Sse),
        "polling" => Ok(Transports::Polling),
        "mixed" => Ok(Transports::Mixed),
        _ => Err(format!("--transport is websocket, sse, polling or mixed, not {name:?}")),
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, String> {
    Builder::new_multi_thread().enable_all().build().map_err(|error| error.to_string())
}

const KNOWN: &str = "--clients N --deploys K --seed S --transport websocket|sse|polling|mixed --handlers --kill \
                     --nodes N --store files|redis --npm --old COMMIT --old-program FILE --capacity N --peers --json --plot FILE.svg";
