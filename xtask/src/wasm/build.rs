//! The client's module, built for size.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::TARGET;
use crate::run;

/// Builds the module, with the names of its functions, and returns its path.
///
/// The standard library is built with it where that is possible, so that it holds neither messages
/// of panics nor the code that formats them: a panic is a trap. That takes a fifth off the module.
pub(crate) fn module(root: &Path) -> Result<PathBuf, String> {
    if let Err(error) = with_library(root) {
        eprintln!("{LARGER}\n{error}");
        cargo(root, &[], &[("RUSTFLAGS", &LINKER.join(" "))])?;
    }
    Ok(root.join(BUILD).join(TARGET).join("web/bowline_client_wasm.wasm"))
}

fn with_library(root: &Path) -> Result<(), String> {
    if !library_source(root).exists() {
        install_library_source(root)?;
    }
    let flags = [&LINKER[..], &LIBRARY].concat().join(" ");
    let library = ["-Zbuild-std=std,panic_abort", "-Zbuild-std-features=optimize_for_size"];
    cargo(root, &library, &[("RUSTFLAGS", &flags), ("RUSTC_BOOTSTRAP", "1")])
}

fn install_library_source(root: &Path) -> Result<(), String> {
    eprintln!("the source of the standard library is missing: installing rust-src");
    let mut rustup = Command::new("rustup");
    rustup.args(["component", "add", "rust-src"]).current_dir(root);
    run::tool(rustup, "rustup component add rust-src")?;
    if library_source(root).exists() { Ok(()) } else { Err(BROKEN.to_owned()) }
}

fn cargo(root: &Path, more: &[&str], env: &[(&str, &str)]) -> Result<(), String> {
    let package = ["rustc", "--package", "bowline-client-wasm", "--lib"];
    let features = ["--no-default-features", "--features", "npm"];
    let how = ["--crate-type", "cdylib", "--profile", "web"];
    let place = ["--target", TARGET, "--target-dir", BUILD];
    let words = [&package[..], &features, &how, &place, more].concat();
    run::build_with(root, "the engine of the npm package", &words, env)
}

fn library_source(root: &Path) -> PathBuf {
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "sysroot"]).current_dir(root);
    let printed = rustc.output().map(|output| output.stdout).unwrap_or_default();
    let sysroot = String::from_utf8_lossy(&printed);
    Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/Cargo.lock")
}

/// Apart from other builds, whose flags differ.
const BUILD: &str = "target/web";

/// A stack of 8 KiB instead of 1 MiB: it lies in the first page of memory, and the engine, which
/// never recurses, was seen to use less than one of them. Names as people write them; they do not
/// reach the package.
const LINKER: [&str; 2] = ["-Clink-arg=-zstack-size=8192", "-Clink-arg=--demangle"];

/// Only for a library built with the module: the ordinary one says that it uses reference types,
/// and the code that binds the module to JavaScript wants all of it or nothing to do so. What is
/// inlined has to be smaller than the call.
const LIBRARY: [&str; 4] = [
    "-Ctarget-feature=-reference-types",
    "-Zunstable-options",
    "-Cpanic=immediate-abort",
    "-Cllvm-args=-inline-threshold=0",
];

const LARGER: &str = "\
THE MODULE IS LARGER THAN IT NEED BE: the ordinary standard library is in it, because the \
library could not be built with it:";

/// An installation that was interrupted or removed by hand.
const BROKEN: &str = "\
rustup says that rust-src is installed, but its files are missing, and it installs nothing twice. \
Run 'rustup toolchain uninstall stable', then 'rustup toolchain install stable'.";
