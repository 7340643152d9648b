//! `jitter [--clients N] [--seconds S] [--rounds R] [--seed S] [--json] --scripts DIR --modules DIR
//! --package DIR`: broadcasts to clients whose connections are cut again and again. `jitter server`
//! and `jitter clients` are the ends.

use std::path::PathBuf;
use std::process::ExitCode;

use bowline_deploys::jitter::{self, Plan, native};
use bowline_processes::{NodeTools, Programs};
use tokio::runtime::Builder;

fn main() -> ExitCode {
    env_logger::init();
    let words: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match words.first().map(String::as_str) {
        Some("server") => server(),
        Some("clients") => runtime().and_then(|tokio| tokio.block_on(native::clients())),
        _ => run(words),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("jitter: {error}");
            ExitCode::FAILURE
        }
    }
}

fn server() -> Result<(), String> {
    let served = actix_web::rt::System::new().block_on(native::server());
    served.map_err(|error| error.to_string())
}

fn run(words: Vec<String>) -> Result<(), String> {
    let (plan, json) = parse(words.into_iter())?;
    let report = runtime()?.block_on(jitter::run(&plan, |words| eprintln!("-- {words}")))?;
    if json {
        println!("{}", serde_json::to_string(&report).expect("a report is plain"));
    } else {
        print!("{}", report.table());
    }
    if report.is_good() {
        return Ok(());
    }
    Err("Bowline lost something, was late, or nothing was cut: see the rows".to_owned())
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<(Plan, bool), String> {
    let native = std::env::current_exe().map_err(|error| error.to_string())?;
    let none = || PathBuf::new();
    let node = NodeTools { scripts: none(), modules: none(), package: none() };
    let programs = Programs { native, node };
    let mut plan = Plan { clients: 300, seconds: 60, rounds: 3, seed: 7, programs };
    let mut json = false;
    while let Some(word) = words.next() {
        if word == "--json" {
            json = true;
            continue;
        }
        let value = words.next().ok_or_else(|| format!("{word} wants a value"))?;
        let number = || value.parse().map_err(|_| format!("{word} wants a number, not {value:?}"));
        let node = &mut plan.programs.node;
        match &*word {
            "--clients" => plan.clients = number()? as usize,
            "--seconds" => plan.seconds = number()?,
            "--rounds" => plan.rounds = number()? as usize,
            "--seed" => plan.seed = number()?,
            "--scripts" => node.scripts = value.into(),
            "--modules" => node.modules = value.into(),
            "--package" => node.package = value.into(),
            _ => {
                return Err(format!(
                    "{word} is not known: --clients --seconds --rounds --seed --json"
                ));
            }
        }
    }
    Ok((plan, json))
}

fn runtime() -> Result<tokio::runtime::Runtime, String> {
    Builder::new_multi_thread().enable_all().build().map_err(|error| error.to_string())
}
