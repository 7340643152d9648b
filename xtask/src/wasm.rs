//! What has to build for browsers: the protocol, which may import nothing, the npm package, and the
//! application in Rust that tests the client as a crate.

mod app;
mod build;
mod package;
mod sections;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run;

pub(crate) use app::app;
pub(crate) use build::module;
pub(crate) use package::TOOLS;
pub(crate) use sections::functions;

/// The target of browsers.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Installs the standard library of the target if it is missing.
pub(crate) fn install_target(root: &Path) -> Result<(), String> {
    if target_is_installed(root) {
        return Ok(());
    }
    eprintln!("the browser target is missing: installing {TARGET}");
    run::install("rustup", &["target", "add", TARGET])
}

fn target_is_installed(root: &Path) -> bool {
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "target-libdir", "--target", TARGET]).current_dir(root);
    let printed = rustc.output().ok().and_then(|output| String::from_utf8(output.stdout).ok());
    printed.is_some_and(|folder| Path::new(folder.trim()).is_dir())
}

/// Builds all three, reads the imports of the protocol's module, and lets the package read the
/// protocol's vectors.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    install_target(root)?;
    protocol_imports_nothing(root)?;
    reads_the_vectors(root)?;
    let folder = package(root)?;
    println!("the package for browsers is in {}", folder.display());
    println!("the application in Rust is in {}", app(root)?.display());
    Ok(())
}

/// Builds the npm package, and returns its folder.
pub(crate) fn package(root: &Path) -> Result<PathBuf, String> {
    let module = module(root)?;
    package::assemble(root, &module)
}

fn protocol_imports_nothing(root: &Path) -> Result<(), String> {
    let target = ["--target", TARGET, "--target-dir", "target/wasm", "--crate-type", "cdylib"];
    let protocol = ["rustc", "--release", "--package", "bowline-protocol", "--lib"];
    run::build(root, "the protocol for browsers", &[&protocol[..], &target].concat())?;
    let path = root.join("target/wasm").join(TARGET).join("release/bowline_protocol.wasm");
    let module = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    match sections::imports(&module).ok_or("the module cannot be read")? {
        0 => Ok(()),
        number => {
            Err(format!("the protocol's module imports {number} functions; it may need none"))
        }
    }
}

/// The package parses the server's lines in JavaScript: it has to parse the vectors as the core
/// does.
fn reads_the_vectors(root: &Path) -> Result<(), String> {
    let mut node = Command::new("node");
    node.arg(root.join(TOOLS).join("vectors.mjs"));
    run::status(node, "vectors.mjs")
}
