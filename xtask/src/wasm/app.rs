//! The application in Rust that uses the client as a crate, as users of Yew or Leptos do.

use std::path::{Path, PathBuf};

use super::{TARGET, install_target, package};
use crate::run;

/// Builds the application, and returns the folder of its module and of the JavaScript that loads
/// it.
pub(crate) fn app(root: &Path) -> Result<PathBuf, String> {
    install_target(root)?;
    let package = ["build", "--package", "bowline-wasm-app", "--profile", "web"];
    let place = ["--target", TARGET, "--target-dir", BUILD];
    run::build(root, "the application in Rust for browsers", &[&package[..], &place].concat())?;
    let module = root.join(BUILD).join(TARGET).join("web/bowline_wasm_app.wasm");
    let folder = package::emptied(&root.join(FOLDER))?;
    package::packager(root, &["--app"], &module, &folder)?;
    Ok(folder)
}

/// Apart from other builds, whose flags differ.
const BUILD: &str = "target/wasm";

const FOLDER: &str = "target/wasm-app";
