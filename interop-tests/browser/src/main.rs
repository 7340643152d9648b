//! `browser-host --package DIR --pages DIR`: worlds for the tests in browsers and Node. Prints
//! where it is controlled, as JSON, and ends when its input does.

use std::io::Read as _;
use std::process::ExitCode;

use bowline_browser_host::Folders;
use clap::Parser as _;

#[actix_web::main]
async fn main() -> ExitCode {
    env_logger::init();
    match host(Folders::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("browser-host: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn host(folders: Folders) -> std::io::Result<()> {
    let (address, server) = bowline_browser_host::start(folders)?;
    println!("{}", serde_json::json!({ "control": format!("http://{address}") }));
    let handle = server.handle();
    std::thread::spawn(move || {
        // Whoever started this ends it by closing its input, or by ending; an error is an end too.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        drop(handle.stop(false));
    });
    server.await
}
