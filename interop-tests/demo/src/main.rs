//! `demo PACKAGE [PORT]`: a chat in the browser whose network a person can break. PACKAGE is the
//! folder of the client package; without PORT it is 8080, or any other that is free.

use std::path::PathBuf;
use std::process::ExitCode;

use bowline_demo::Demo;

#[actix_web::main]
async fn main() -> ExitCode {
    env_logger::init();
    let words: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match parse(&words) {
        Ok((package, port)) => show(package, port).await,
        Err(error) => Err(error),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::FAILURE
        }
    }
}

fn parse(words: &[String]) -> Result<(PathBuf, Option<u16>), String> {
    let (package, port) = match words {
        [package] => (package, None),
        [package, port] => (package, Some(port.parse().map_err(|_| format!("{port} is no port"))?)),
        _ => return Err("demo PACKAGE [PORT]".to_owned()),
    };
    let package = PathBuf::from(package);
    if !package.join("index.js").is_file() {
        return Err(format!("there is no index.js in {}", package.display()));
    }
    Ok((package, port))
}

async fn show(package: PathBuf, port: Option<u16>) -> Result<(), String> {
    let demo = Demo::start(port, package).await.map_err(|error| error.to_string())?;
    println!("The demo is open at  http://{}/", demo.address());
    println!("Open it in two windows, say something, and break the network. Ctrl-C ends it.");
    demo.run().await.map_err(|error| error.to_string())
}
