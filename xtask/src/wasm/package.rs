//! The npm package, out of the module, the JavaScript around it and the other files of a package.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{npm, run};

/// Where the package is put together.
pub(super) const FOLDER: &str = "target/npm/bowline-client";

/// Our own programs for Node and the `package.json` of what they need.
pub(crate) const TOOLS: &str = "client-wasm/npm/tools";

/// The entries with declarations of types.
const DECLARED: [&str; 8] =
    ["index", "shared", "store", "topics", "streams", "namespaces", "diagnostics", "close-codes"];

/// Puts the package together from a module, and returns its folder.
pub(super) fn assemble(root: &Path, module: &Path) -> Result<PathBuf, String> {
    // Two at a time would mix their parts.
    let _guard = lock(&root.join("target/npm"))?;
    let (parts, package) = (emptied(&root.join(PARTS))?, emptied(&root.join(FOLDER))?);
    packager(root, &[], module, &parts)?;
    copy_all(&root.join("client-wasm/js"), &parts)?;
    match npm::install(root, TOOLS) {
        Ok(_) => bundle(root)?,
        Err(error) => {
            eprintln!("{LARGER}\n{error}");
            copy_all(&parts, &package)?;
        }
    }
    for name in DECLARED {
        declare(&parts.join(format!("{name}.d.ts")), &package.join(name))?;
    }
    copy(&parts.join("THIRD-PARTY.txt"), &package.join("THIRD-PARTY.txt"))?;
    for file in ["LICENSE-APACHE", "LICENSE-MIT", "client-wasm/npm/README.md"] {
        let path = root.join(file);
        copy(&path, &package.join(path.file_name().expect("each has a name")))?;
    }
    let manifest = read(&root.join("client-wasm/npm/package.json"))?;
    let manifest = manifest.replace("VERSION", env!("CARGO_PKG_VERSION"));
    write(&package.join("package.json"), manifest.as_bytes())?;
    Ok(package)
}

/// Runs the packager, a program of its own so that these commands build without its dependencies.
pub(super) fn packager(
    root: &Path,
    mode: &[&str],
    module: &Path,
    folder: &Path,
) -> Result<(), String> {
    let packager = ["run", "--package", "xtask", "--bin", "packager"];
    let files = [module, folder].map(|path| path.to_str().expect("cargo's paths are text"));
    let features = ["--features", "packager", "--"];
    run::build(
        root,
        "the packager, and packing",
        &[&packager[..], &features, mode, &files].concat(),
    )
}

/// Optimizes the module and makes one small file of each entry.
fn bundle(root: &Path) -> Result<(), String> {
    let mut node = Command::new("node");
    node.arg(root.join(TOOLS).join("bundle.mjs")).args([PARTS, FOLDER]).current_dir(root);
    run::timed("optimizing and bundling the npm package", || run::tool(node, "bundle.mjs"))
}

/// Writes declarations for those who import and for those who require: TypeScript tells them apart.
fn declare(from: &Path, to: &Path) -> Result<(), String> {
    let text = read(from)?;
    write(&to.with_extension("d.ts"), text.as_bytes())?;
    write(&to.with_extension("d.cts"), text.replace("./index.js", "./index.cjs").as_bytes())
}

/// Waits until no other process holds it; it ends with the file.
fn lock(folder: &Path) -> Result<File, String> {
    fs::create_dir_all(folder).map_err(|error| told(folder, &error))?;
    let path = folder.join("lock");
    let file = File::create(&path).map_err(|error| told(&path, &error))?;
    file.lock().map_err(|error| told(&path, &error))?;
    Ok(file)
}

pub(super) fn emptied(folder: &Path) -> Result<PathBuf, String> {
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(|error| told(folder, &error))?;
    }
    fs::create_dir_all(folder).map_err(|error| told(folder, &error))?;
    Ok(folder.to_owned())
}

/// The files of a folder, and of the folders in it.
fn copy_all(from: &Path, to: &Path) -> Result<(), String> {
    fs::create_dir_all(to).map_err(|error| told(to, &error))?;
    for entry in fs::read_dir(from).map_err(|error| told(from, &error))? {
        let entry = entry.map_err(|error| told(from, &error))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() { copy_all(&source, &target)? } else { copy(&source, &target)? }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<(), String> {
    fs::copy(from, to).map(drop).map_err(|error| told(from, &error))
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| told(path, &error))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    fs::write(path, bytes).map_err(|error| told(path, &error))
}

fn told(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}

const PARTS: &str = "target/npm/parts";

const LARGER: &str = "\
THE PACKAGE IS LARGER THAN IT NEED BE: pages can import it, but nothing of it is optimized or \
bundled, for this reason:";
