//! The licences of what is compiled into the module.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Names every crate in the module, with the texts that must go with it.
///
/// Where there is a choice we take Apache-2.0, whose text is in the package as it is ours too.
pub(crate) fn notices() -> Result<String, Box<dyn Error>> {
    let metadata: Value =
        serde_json::from_str(&cargo(&["metadata", "--all-features", "--format-version", "1"])?)?;
    let mut text = String::from(HEAD);
    let mut texts = String::new();
    let tree = cargo(TREE)?;
    let mut lines: Vec<&str> = tree.lines().collect();
    lines.sort_unstable();
    lines.dedup();
    for line in lines {
        let (package, licence) = line.split_once('|').ok_or("cargo tree prints other lines")?;
        let mut words = package.split(' ');
        let (name, version) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        if name.starts_with("bowline-") {
            continue;
        }
        writeln!(text, "{name} {version}: {licence}")?;
        if !licence.contains("Apache-2.0") && !licence.contains("Unlicense") {
            let manifest = manifest(&metadata, name, version.trim_start_matches('v'))
                .ok_or_else(|| format!("cargo metadata does not know {name} {version}"))?;
            write!(texts, "\n-- {name} {version} --\n\n{}", licence_text(manifest)?)?;
        }
    }
    Ok(text + &texts)
}

/// What cargo knows of a crate.
fn manifest<'a>(metadata: &'a Value, name: &str, version: &str) -> Option<&'a Value> {
    let is_it = |package: &&Value| package["name"] == name && package["version"] == version;
    metadata["packages"].as_array()?.iter().find(is_it)
}

fn licence_text(manifest: &Value) -> Result<String, Box<dyn Error>> {
    let path = Path::new(manifest["manifest_path"].as_str().unwrap_or_default());
    for entry in fs::read_dir(path.parent().unwrap_or(path))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
        if name.starts_with("LICENSE") || name.starts_with("LICENCE") {
            return Ok(fs::read_to_string(path)?);
        }
    }
    let repository = manifest["repository"].as_str().unwrap_or("its repository");
    Ok(format!("It contains no text of its licence. Its source: {repository}\n"))
}

fn cargo(words: &[&str]) -> Result<String, Box<dyn Error>> {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(program).args(words).output()?;
    if output.status.success() {
        Ok(String::from_utf8(output.stdout)?)
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into())
    }
}

const TREE: &[&str] = &[
    "tree",
    "--package=bowline-client-wasm",
    "--features=npm",
    "--target=wasm32-unknown-unknown",
    "--edges=normal,no-proc-macro",
    "--prefix=none",
    "--no-dedupe",
    "--format={p}|{l}",
];

const HEAD: &str = "\
bowline.wasm and inline.js contain, compiled, what is needed of these crates and of Rust's standard
library (MIT OR Apache-2.0). Apache-2.0 is in LICENSE-APACHE.

";
