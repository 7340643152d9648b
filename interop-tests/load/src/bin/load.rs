//! `load`: measures Bowline beside other libraries. `cargo xtask bench` builds what it needs and
//! runs it.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use bowline_load::{PEERS, Peer, Plan, SCENARIOS, Scenario, Verdict};
use serde_json::Value;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match measure(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(words: &[String]) -> Result<(), String> {
    let Options { plan, json, strict, plot } = Options::read(words)?;
    let mut results = Vec::new();
    let failed = bowline_load::run(&plan, |result: Value| {
        eprintln!("{result}");
        results.push(result);
    });
    if json {
        results.iter().for_each(|result| println!("{result}"));
    } else {
        print!("{}", bowline_load::table(&results));
    }
    if let Some(path) = plot {
        std::fs::write(&path, bowline_load::plot(&results))
            .map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let Verdict { table, missed } = Verdict::of(&results);
    if !json {
        println!("\n{table}");
        if plan.workers > 1 {
            println!("{} workers: {SHARED}", plan.workers);
        }
    }
    if !failed.is_empty() {
        return Err(format!("not measured:\n{}", failed.join("\n")));
    }
    if strict && missed > 0 {
        return Err(format!("{missed} of what must hold was not shown"));
    }
    Ok(())
}

/// What has to be known of a server with several workers, on a machine with two cores.
const SHARED: &str = "the server shares the core of its load, so only its CPU time for each message can be compared \
    with that of one worker, and no rate or latency.";

struct Options {
    plan: Plan,
    json: bool,
    /// Fails when something that must hold was not shown.
    strict: bool,
    plot: Option<PathBuf>,
}

impl Options {
    fn read(words: &[String]) -> Result<Self, String> {
        let mut options = Self {
            plan: Plan {
                rounds: 3,
                warm_up: Duration::from_secs(1),
                time: Duration::from_secs(4),
                scenarios: SCENARIOS.to_vec(),
                peers: PEERS.to_vec(),
                workers: 1,
                peer_programs: PathBuf::from("target/peers/release"),
                node_programs: PathBuf::from("interop-tests/load/node"),
            },
            json: false,
            strict: false,
            plot: None,
        };
        let mut words = words.iter().map(String::as_str);
        while let Some(option) = words.next() {
            let switch = match option {
                "--json" => Some(&mut options.json),
                "--strict" => Some(&mut options.strict),
                _ => None,
            };
            if let Some(switch) = switch {
                *switch = true;
                continue;
            }
            let value = words.next().ok_or_else(help)?;
            let number = || value.parse::<usize>().map_err(|_| format!("{option} wants a number"));
            match option {
                "--rounds" => options.plan.rounds = number()?.max(1),
                "--seconds" => options.plan.time = Duration::from_secs(number()?.max(1) as u64),
                "--workers" => options.plan.workers = number()?.max(1),
                "--scenario" => options.plan.scenarios = scenarios(value)?,
                "--peers" => options.plan.peers = peers(value)?,
                "--plot" => options.plot = Some(value.into()),
                _ => return Err(help()),
            }
        }
        Ok(options)
    }
}

fn scenarios(names: &str) -> Result<Vec<Scenario>, String> {
    let find = |name| SCENARIOS.iter().find(|scenario| scenario.name == name);
    names.split(',').map(|name| find(name).copied().ok_or_else(help)).collect()
}

fn peers(names: &str) -> Result<Vec<Peer>, String> {
    let find = |name| PEERS.iter().find(|peer| peer.name == name);
    names.split(',').map(|name| find(name).copied().ok_or_else(help)).collect()
}

fn help() -> String {
    let scenarios =
        SCENARIOS.iter().map(|scenario| format!("  {:<13} {}\n", scenario.name, scenario.title));
    let peers = PEERS.iter().map(|peer| format!("  {:<13} {}\n", peer.name, peer.about));
    format!(
        "bench [--scenario A,B] [--peers A,B] [--rounds 3] [--seconds 4] [--workers 1] [--json] [--strict] [--plot FILE.svg]\n\
         Scenarios:\n{}Peers:\n{}",
        scenarios.collect::<String>(),
        peers.collect::<String>()
    )
}
