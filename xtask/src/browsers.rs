//! The stories and the page tests in real browsers and Node: `cargo xtask browsers`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{npm, run, wasm};

/// Runs them in the places that are named, or in all, as far as their names hold a text. All places
/// have their turn; it fails when one does.
pub(crate) fn run(root: &Path, words: &[String]) -> Result<(), String> {
    let (places, filter) = parse(words);
    for browser in BROWSERS.iter().filter(|browser| places.contains(&browser.name)) {
        browser.ensure()?;
    }
    let runner = Runner {
        scripts: root.join("interop-tests/browser"),
        package: package(root)?,
        app: wasm::app(root)?,
        modules: modules(root)?,
        programs: programs(root)?,
        filter,
    };
    let outcomes = places.iter().flat_map(|place| runner.run(place));
    let failed: Vec<String> = outcomes.filter_map(Result::err).collect();
    if failed.is_empty() { Ok(()) } else { Err(failed.join("\n")) }
}

/// Installs the browsers that are missing.
pub(crate) fn install() -> Result<(), String> {
    BROWSERS.iter().try_for_each(Browser::ensure)
}

/// Installs Chromium if it is missing.
pub(crate) fn install_chromium() -> Result<(), String> {
    BROWSERS[0].ensure()
}

/// Every test in every place.
pub(crate) fn check(root: &Path) -> Result<(), String> {
    run(root, &[])
}

/// What all places are run with.
struct Runner {
    scripts: PathBuf,
    package: PathBuf,
    app: PathBuf,
    modules: PathBuf,
    programs: PathBuf,
    filter: Option<String>,
}

impl Runner {
    /// The package's tests, and in browsers those of the application in Rust and of the demo.
    fn run(&self, place: &str) -> Vec<Result<(), String>> {
        let host = ["--host-binary", "browser-host"];
        let mut outcomes = vec![self.script(place, "run.mjs", ("--package", &self.package), host)];
        if place != "node" {
            outcomes.push(self.script(place, "rust.mjs", ("--app", &self.app), host));
            let demo = ["--demo-binary", "demo"];
            outcomes.push(self.script(place, "demo.mjs", ("--package", &self.package), demo));
            let desk = ["--desk-binary", "desk-host"];
            outcomes.push(self.script(place, "desk.mjs", ("--package", &self.package), desk));
        }
        outcomes
    }

    fn script(
        &self,
        place: &str,
        script: &str,
        (what, folder): (&str, &Path),
        [option, program]: [&str; 2],
    ) -> Result<(), String> {
        let mut node = Command::new("node");
        node.arg(self.scripts.join(script)).args(["--browser", place]);
        node.arg(what).arg(folder).arg("--modules").arg(&self.modules);
        node.arg(option).arg(self.programs.join(program));
        if let Some(filter) = &self.filter {
            node.args(["--filter", filter]);
        }
        run::status_of_many(node, &format!("{script} in {place}"))
    }
}

/// A browser as Debian packs it.
struct Browser {
    name: &'static str,
    package: &'static str,
    /// Names another program than the one of the package.
    variable: &'static str,
}

impl Browser {
    /// Installs it where that is allowed; fails with what to do where it is not.
    fn ensure(&self) -> Result<(), String> {
        let usual = format!("/usr/bin/{}", self.package);
        let program = std::env::var(self.variable).unwrap_or(usual);
        if run::exists(&program, &["--version"]) {
            return Ok(());
        }
        eprintln!("{} is missing: installing it", self.name);
        let package = self.package;
        let apt =
            format!("apt-get update && apt-get install --yes --no-install-recommends {package}");
        run::install("sh", &["-c", &apt])
            .map_err(|error| format!("{error}\nOr name the program in {}.", self.variable))
    }
}

/// What of the words names a place, and what a test.
fn parse(words: &[String]) -> (Vec<&'static str>, Option<String>) {
    let named = words.first().and_then(|word| PLACES.into_iter().find(|place| place == word));
    let filter = words.get(usize::from(named.is_some())..).unwrap_or_default().join(" ");
    let places = named.map_or_else(|| PLACES.to_vec(), |place| vec![place]);
    (places, (!filter.is_empty()).then_some(filter))
}

/// A copy of the package: the next build may begin while the tests run.
pub(crate) fn package(root: &Path) -> Result<PathBuf, String> {
    let (built, copy) = (wasm::package(root)?, root.join("target/browser/bowline-client"));
    let copied = fs::create_dir_all(&copy).and_then(|()| {
        fs::read_dir(&built)?.try_for_each(|entry| {
            let entry = entry?;
            fs::copy(entry.path(), copy.join(entry.file_name())).map(drop)
        })
    });
    copied.map(|()| copy).map_err(|error| format!("{}: {error}", built.display()))
}

/// The npm packages of the tests, outside the source tree. Returns the folder that holds them.
pub(crate) fn modules(root: &Path) -> Result<PathBuf, String> {
    let folder = root.join("target/browser");
    let manifest = root.join("interop-tests/browser/package.json");
    fs::create_dir_all(&folder)
        .and_then(|()| fs::copy(&manifest, folder.join("package.json")))
        .map_err(|error| format!("{}: {error}", folder.display()))?;
    npm::install(root, "target/browser")?;
    Ok(folder)
}

/// Builds the programs that the scripts talk to, and returns their folder.
pub(crate) fn programs(root: &Path) -> Result<PathBuf, String> {
    let programs = ["--bin", "browser-host", "--bin", "demo", "--bin", "desk-host"];
    run::build(root, "the servers of the browser tests", &[&["build"][..], &programs].concat())?;
    Ok(root.join("target/debug"))
}

const PLACES: [&str; 3] = ["chromium", "firefox", "node"];

const BROWSERS: [Browser; 2] = [
    Browser { name: "chromium", package: "chromium", variable: "BOWLINE_CHROMIUM" },
    Browser { name: "firefox", package: "firefox-esr", variable: "BOWLINE_FIREFOX" },
];

#[cfg(test)]
mod tests {
    use super::{PLACES, parse};

    #[test]
    fn a_place_a_filter_both_or_neither() {
        let read =
            |text: &str| parse(&text.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(read(""), (PLACES.to_vec(), None));
        assert_eq!(read("firefox"), (vec!["firefox"], None));
        assert_eq!(read("node a room"), (vec!["node"], Some("a room".to_owned())));
        assert_eq!(read("reload"), (PLACES.to_vec(), Some("reload".to_owned())));
    }
}
