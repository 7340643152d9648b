//! The project's own commands.

mod fuzz;
mod mutants;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate has a parent");
    let mut words = std::env::args().skip(1);
    let result = match words.next().as_deref() {
        Some("mutants") => mutants::run(root),
        Some("fuzz") => match words.next().map_or(Ok(20), |seconds| seconds.parse()) {
            Ok(seconds) => fuzz::run(root, seconds),
            Err(error) => Err(format!("seconds: {error}")),
        },
        _ => Err("commands: mutants, fuzz [seconds]".into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
