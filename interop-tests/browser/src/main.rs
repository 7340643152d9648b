//! `browser-host --package DIR --pages DIR`: worlds for the tests in browsers and Node. Prints
//! where it is controlled, as JSON, and ends when its input does.

use std::io::Read as _;
use std::path::PathBuf;
use std::process::ExitCode;

use bowline_browser_host::Folders;

#[actix_web::main]
async fn main() -> ExitCode {
    env_logger::init();
    let outcome = match parse(std::env::args().skip(1)) {
        Ok(folders) => host(folders).await.map_err(|error| error.to_string()),
        Err(error) => Err(error),
    };
    match outcome {
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

fn parse(mut words: impl Iterator<Item = String>) -> Result<Folders, String> {
    let (mut package, mut pages) = (None, None);
    while let Some(word) = words.next() {
        let value = words.next().map(PathBuf::from);
        let value = value.ok_or_else(|| format!("{word} wants a folder"))?;
        match &*word {
            "--package" => package = Some(value),
            "--pages" => pages = Some(value),
            _ => return Err(format!("{word} is not known: --package --pages")),
        }
    }
    let needed = |folder: Option<PathBuf>, word| folder.ok_or_else(|| format!("{word} is missing"));
    Ok(Folders { package: needed(package, "--package")?, pages: needed(pages, "--pages")? })
}
