//! `cluster [--nodes N --clients C --messages M --seed S] [--kill] [--redis-restart] [--rolling]`
//! or `cluster --cost [--rounds N --turns N]`

use std::process::ExitCode;
use std::time::Duration;

use bowline_deploys::fleet::{self, Plan, cost};

fn main() -> ExitCode {
    env_logger::init();
    let words: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match &*words {
        [node, port, redis] if node == "node" => {
            let port = port.parse().map_err(|_| format!("{port:?} is no port"));
            let serve = |port| actix_web::rt::System::new().block_on(fleet::serve(port, redis));
            port.and_then(serve).map(|()| true)
        }
        [word, rest @ ..] if word == "--cost" => parse_cost(rest).and_then(|plan| cost(&plan)),
        words => parse(words).and_then(run),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cluster: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints the figures, and the comparison for people; true if what was promised is kept.
fn cost(plan: &cost::Plan) -> Result<bool, String> {
    let figures = cost::run(plan)?;
    println!("{}", figures.json());
    println!("{}", figures.comparison());
    let broken = figures.broken_promises();
    for promise in &broken {
        eprintln!("not kept: {promise}");
    }
    Ok(broken.is_empty())
}

/// Prints the report; true if it is clean.
fn run(plan: Plan) -> Result<bool, String> {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let report = runtime.block_on(fleet::run(&plan, &program))?;
    println!("{}", serde_json::to_string(&report).expect("a report is plain figures"));
    let broken = report.broken_promises();
    for promise in &broken {
        eprintln!("not kept: {promise}");
    }
    Ok(broken.is_empty())
}

fn parse_cost(words: &[String]) -> Result<cost::Plan, String> {
    let mut plan = cost::Plan { rounds: 3, turns: 6 };
    for pair in words.chunks(2) {
        match pair {
            [word, value] if word == "--rounds" => {
                plan.rounds = number(word, value)?.max(1) as usize
            }
            [word, value] if word == "--turns" => plan.turns = number(word, value)?.max(1) as usize,
            _ => return Err("--cost takes --rounds N and --turns N".to_owned()),
        }
    }
    Ok(plan)
}

fn number(word: &str, value: &str) -> Result<u64, String> {
    value.parse().map_err(|_| format!("{word} wants a number, not {value:?}"))
}

fn parse(words: &[String]) -> Result<Plan, String> {
    let mut plan = Plan {
        nodes: 3,
        clients: 60,
        messages: 30_000,
        seed: 7,
        kill: false,
        redis_restart: None,
        rolling: false,
        lasts: Duration::ZERO,
    };
    let (mut outage, mut lasts) = (10, None);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match &**word {
            "--kill" => plan.kill = true,
            "--redis-restart" => plan.redis_restart = Some(Duration::ZERO),
            "--rolling" => plan.rolling = true,
            _ => {
                let value = words.next().ok_or_else(|| format!("{word} wants a value"))?;
                let number = number(word, value)?;
                match &**word {
                    "--nodes" => plan.nodes = number as usize,
                    "--clients" => plan.clients = (number as usize).div_ceil(4) * 4,
                    "--messages" => plan.messages = number,
                    "--seed" => plan.seed = number,
                    "--outage" => outage = number,
                    "--seconds" => lasts = Some(number),
                    _ => return Err(format!("{word} is not known; {KNOWN}")),
                }
            }
        }
    }
    plan.redis_restart = plan.redis_restart.map(|_| Duration::from_secs(outage));
    // Long enough for each fault to have something before and after it.
    let usual = 10 * u64::from(plan.rolling)
        + 12 * u64::from(plan.kill)
        + plan.redis_restart.map_or(0, |_| outage + 8);
    plan.lasts = Duration::from_secs(lasts.unwrap_or(usual));
    if plan.nodes < 2 || plan.messages == 0 {
        return Err("a cluster has two nodes or more, and something to say".to_owned());
    }
    Ok(plan)
}

const KNOWN: &str = "--nodes N --clients C --messages M --seed S --outage SECONDS --seconds SECONDS \
                     --kill --redis-restart --rolling";
