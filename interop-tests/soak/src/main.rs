//! `soak --messages N --clients C --cuts K --seed S [--transport websocket|sse|polling|mixed]
//! [--hostile]`

use std::process::ExitCode;

use bowline_client::Transport;
use bowline_soak::Plan;

#[tokio::main]
async fn main() -> ExitCode {
    env_logger::init();
    let outcome = match parse(std::env::args().skip(1)) {
        Ok(plan) => bowline_soak::run(&plan).await,
        Err(error) => Err(error),
    };
    match outcome {
        Ok(report) => {
            println!("{}", serde_json::to_string(&report).expect("a report is plain figures"));
            if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("soak: {error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Plan, String> {
    let (messages, clients, cuts, seed) = (20_000, 8, 400, 7);
    let mut plan = Plan { messages, clients, cuts, seed, transport: None, hostile: false };
    while let Some(word) = words.next() {
        if word == "--hostile" {
            plan.hostile = true;
            continue;
        }
        let value = words.next().ok_or_else(|| format!("{word} wants a value"))?;
        let number = || value.parse().map_err(|_| format!("{word} wants a number, not {value:?}"));
        match &*word {
            "--messages" => plan.messages = number()?,
            "--clients" => plan.clients = number()?.max(1),
            "--cuts" => plan.cuts = number()?,
            "--seed" => plan.seed = number()?,
            "--transport" => plan.transport = transport(&value)?,
            _ => {
                return Err(format!(
                    "{word} is not known: --messages --clients --cuts --seed --transport --hostile"
                ));
            }
        }
    }
    Ok(plan)
}

fn transport(name: &str) -> Result<Option<Transport>, String> {
    match name {
        "mixed" => Ok(None),
        "websocket" => Ok(Some(Transport::WebSocket)),
        "sse" => Ok(Some(Transport::Sse)),
        "polling" => Ok(Some(Transport::Polling)),
        _ => Err(format!("--transport is websocket, sse, polling or mixed, not {name:?}")),
    }
}
