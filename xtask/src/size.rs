//! `cargo xtask size`: what a browser downloads, beside other libraries, and what it consists of.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{npm, run, wasm};

/// Compares what was built last with the budget.
pub(crate) fn check(root: &Path) -> Result<(), String> {
    sizes(root, &["--check"])
}

/// Builds the package, and compares it with other libraries.
pub(crate) fn table(root: &Path, json: bool) -> Result<(), String> {
    npm::install(root, "interop-tests/browser")?;
    wasm::package(root)?;
    sizes(root, if json { &["--json"] } else { &[] })
}

fn sizes(root: &Path, words: &[&str]) -> Result<(), String> {
    let mut node = Command::new("node");
    node.arg(root.join(wasm::TOOLS).join("sizes.mjs")).args(words);
    run::status(node, "sizes.mjs")
}

/// The largest functions, as the optimizer leaves them.
pub(crate) fn functions(root: &Path, count: usize) -> Result<(), String> {
    let module = optimized(root, &wasm::module(root)?)?;
    let module = fs::read(&module).map_err(|error| format!("{}: {error}", module.display()))?;
    let mut functions = wasm::functions(&module).ok_or("the module cannot be read")?;
    functions.sort_by_key(|function| std::cmp::Reverse(function.bytes));
    for function in functions.iter().take(count) {
        println!("{:7}  {}", function.bytes, function.name);
    }
    let code: usize = functions.iter().map(|function| function.bytes).sum();
    println!("{code:7}  bytes of code in {} functions", functions.len());
    Ok(())
}

/// Optimized with names, and before wasm-bindgen has added its own.
fn optimized(root: &Path, module: &Path) -> Result<PathBuf, String> {
    npm::install(root, wasm::TOOLS)?;
    let output = module.with_file_name("named.wasm");
    let mut node = Command::new("node");
    node.arg(root.join(wasm::TOOLS).join("wasm-opt.mjs")).arg(module);
    node.args(["-Oz", "--converge", "--debuginfo", "-o"]).arg(&output);
    run::status(node, "wasm-opt")?;
    Ok(output)
}
