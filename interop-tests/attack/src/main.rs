//! `attack [--only TEXT] [--json] [--short] [--table]`: what attacks on a server cost it; see
//! `cargo xtask attack`. `attack serve [SETTINGS]` is that server.

use std::process::ExitCode;

use bowline_attack::{Plan, Row, server};

fn main() -> ExitCode {
    env_logger::init();
    let words: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match words.split_first() {
        Some((first, settings)) if first == "serve" => {
            actix_web::rt::System::new().block_on(server::serve(settings)).map(|()| true)
        }
        _ => run(&words),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("attack: {error}");
            ExitCode::FAILURE
        }
    }
}

/// True if everything is within its bounds.
fn run(words: &[String]) -> Result<bool, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut plan = Plan { only: None, short: false, program };
    let (mut json, mut table) = (false, false);
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match &**word {
            "--only" => plan.only = Some(words.next().ok_or("--only wants a name")?.clone()),
            "--short" => plan.short = true,
            "--json" => json = true,
            "--table" => table = true,
            _ => return Err(format!("{word} is not known: --only TEXT --json --short --table")),
        }
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let progress = |row: &Row| {
        if json { eprintln!("{}", row.line()) } else { println!("{}", row.line()) }
    };
    let report = runtime.block_on(bowline_attack::run(&plan, progress))?;
    if json {
        println!("{}", serde_json::to_string(&report).expect("a report is plain figures"));
    }
    if table {
        println!("\n{}", report.table());
    }
    Ok(report.passes())
}
