//! `networks [--json] [--only TEXT] [--quick] [--jobs N] [--into FILE] [--configs DIR] [--scripts
//! DIR --modules DIR --package DIR]`: bad networks, and who gets through. `--into` puts the table
//! in place of the first block of text in a Markdown file. `networks server` and `networks client`
//! are the ends of a row.

use std::path::PathBuf;
use std::process::ExitCode;

use bowline_netlab::{Plan, REDIS, Row, Tools, native};
use bowline_processes::NodeTools;
use tokio::sync::mpsc;

fn main() -> ExitCode {
    env_logger::init();
    let words: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match words.first().map(String::as_str) {
        Some("server") => server(&words[1..]),
        Some("client") => client(&words[1..]),
        _ => run(&words),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("networks: {error}");
        ExitCode::FAILURE
    })
}

fn server(words: &[String]) -> Result<ExitCode, String> {
    let number = |at: usize| words.get(at).and_then(|word| word.parse::<u64>().ok());
    let options = native::ServerOptions {
        host: words.first().ok_or("server wants a host")?.clone(),
        port: words.get(1).and_then(|port| port.parse().ok()).ok_or("server wants a port")?,
        heartbeat: number(2),
        grace: number(3),
        redis: std::env::var(REDIS).ok(),
    };
    let served = actix_web::rt::System::new().block_on(native::server(options));
    served.map(|()| ExitCode::SUCCESS).map_err(|error| error.to_string())
}

fn client(words: &[String]) -> Result<ExitCode, String> {
    let url = words.first().ok_or("client wants a URL")?;
    runtime()?.block_on(native::client(url)).map(|()| ExitCode::SUCCESS)
}

fn run(words: &[String]) -> Result<ExitCode, String> {
    let Options { plan, json, into } = parse(words.iter().cloned())?;
    let outcome = runtime()?.block_on(async {
        let (sender, mut rows) = mpsc::unbounded_channel::<Row>();
        let show = async {
            while let Some(row) = rows.recv().await {
                let line = serde_json::to_string(&row).expect("a row is plain");
                if json {
                    println!("{line}");
                } else {
                    eprintln!("done: {}, {}", row.scenario, row.client);
                }
            }
        };
        futures::join!(bowline_netlab::run(&plan, sender), show).0
    });
    if json {
        for (words, all) in [("left_out", &outcome.left_out), ("failed", &outcome.failed)] {
            for (row, why) in all {
                println!("{}", serde_json::json!({ words: row, "why": why }));
            }
        }
    } else {
        println!("{}", bowline_netlab::table(&outcome));
    }
    if let Some(page) = into {
        page.put(&bowline_netlab::table(&outcome))?;
    }
    if outcome.rows.is_empty() {
        return Err("no row ran".to_owned());
    }
    Ok(if outcome.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A page with a block of text, in whose place the table goes. It is read before the first row
/// runs, so that a wrong path does not cost the run.
struct Page {
    file: PathBuf,
    before: String,
    after: String,
}

impl Page {
    fn read(file: &str) -> Result<Self, String> {
        let page = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
        let cut = page.split_once(BLOCK).and_then(|(before, rest)| {
            let (_, after) = rest.split_once("\n```")?;
            Some((before.to_owned(), after.to_owned()))
        });
        let (before, after) = cut.ok_or_else(|| format!("{file} has no block of text"))?;
        Ok(Self { file: file.into(), before, after })
    }

    fn put(&self, table: &str) -> Result<(), String> {
        let Self { file, before, after } = self;
        std::fs::write(file, format!("{before}{BLOCK}{}\n```{after}", table.trim_end()))
            .map_err(|error| format!("{}: {error}", file.display()))
    }
}

struct Options {
    plan: Plan,
    json: bool,
    into: Option<Page>,
}

fn parse(mut words: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut plan = Plan {
        only: String::new(),
        quick: false,
        jobs: 3,
        tools: Tools {
            configs: PathBuf::from("interop-tests/netlab/configs"),
            native: std::env::current_exe().map_err(|error| error.to_string())?,
            node: None,
        },
    };
    let (mut scripts, mut modules, mut package) = (None, None, None);
    let (mut json, mut into) = (false, None);
    while let Some(word) = words.next() {
        match &*word {
            "--json" => json = true,
            "--quick" => plan.quick = true,
            _ => {
                let value = words.next().ok_or_else(|| format!("{word} wants a value"))?;
                match &*word {
                    "--only" => plan.only = value,
                    "--jobs" => plan.jobs = value.parse().map_err(|_| "--jobs wants a number")?,
                    "--into" => into = Some(Page::read(&value)?),
                    "--configs" => plan.tools.configs = value.into(),
                    "--scripts" => scripts = Some(value.into()),
                    "--modules" => modules = Some(value.into()),
                    "--package" => package = Some(value.into()),
                    _ => {
                        return Err(format!(
                            "{word} is not known: --json --only --quick --jobs --into"
                        ));
                    }
                }
            }
        }
    }
    if let (Some(scripts), Some(modules), Some(package)) = (scripts, modules, package) {
        plan.tools.node = Some(NodeTools { scripts, modules, package });
    }
    plan.jobs = plan.jobs.max(1);
    Ok(Options { plan, json, into })
}

fn runtime() -> Result<tokio::runtime::Runtime, String> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.enable_all().build().map_err(|error| error.to_string())
}

const BLOCK: &str = "```text\n";
