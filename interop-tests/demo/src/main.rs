//! `demo PACKAGE [PORT]`: a chat in the browser whose network a person can break. PACKAGE is the
//! folder of the client package; without PORT it is 8080, or any other that is free.

use std::path::PathBuf;
use std::process::ExitCode;

use bowline_demo::Demo;
use clap::Parser;

#[actix_web::main]
async fn main() -> ExitCode {
    env_logger::init();
    let Options { package, port } = Options::parse();
    match show(package, port).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::FAILURE
        }
    }
}

/// A chat in the browser whose network a person can break.
#[derive(Parser)]
struct Options {
    /// The folder of the client package.
    #[arg(value_parser = package)]
    package: PathBuf,
    /// Without it the port is 8080, or any other that is free.
    port: Option<u16>,
}

fn package(folder: &str) -> Result<PathBuf, String> {
    let package = PathBuf::from(folder);
    if package.join("index.js").is_file() { Ok(package) } else { Err("it has no index.js".into()) }
}

async fn show(package: PathBuf, port: Option<u16>) -> Result<(), String> {
    let demo = Demo::start(port, package).await.map_err(|error| error.to_string())?;
    println!("The demo is open at  http://{}/", demo.address());
    println!("Open it in two windows, say something, and break the network. Ctrl-C ends it.");
    demo.run().await.map_err(|error| error.to_string())
}
