//! Node and the packages from npm that build and test the browser's package.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run;

/// Installs what the `package.json` of a folder names, beside it, and returns its `node_modules`.
///
/// The versions there are exact, so nothing is done as long as the file is the one that was
/// installed before. Scripts of packages are not run.
///
/// # Errors
/// When Node is missing or too old, or npm fails.
pub(crate) fn install(root: &Path, folder: &str) -> Result<PathBuf, String> {
    node()?;
    let folder = root.join(folder);
    let manifest = read(&folder.join("package.json"))?;
    let modules = folder.join("node_modules");
    let installed = modules.join(".installed.json");
    if fs::read_to_string(&installed).is_ok_and(|text| text == manifest) {
        return Ok(modules);
    }
    eprintln!("Installing the npm packages of {}.", folder.display());
    let mut npm = Command::new("npm");
    npm.args(["install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"]);
    npm.args(["--silent"]).current_dir(&folder);
    run::tool(npm, "npm install")?;
    fs::write(&installed, manifest).map_err(|e| format!("{}: {e}", installed.display()))?;
    Ok(modules)
}

/// Fails when Node is missing or too old.
fn node() -> Result<(), String> {
    let advice = format!("install Node {OLDEST_NODE} or newer with npm");
    let output = Command::new("node").arg("--version").output();
    let output = output.map_err(|error| format!("node does not start ({error}): {advice}"))?;
    let version = String::from_utf8_lossy(&output.stdout);
    match major(&version) {
        Some(major) if major >= OLDEST_NODE => Ok(()),
        _ => Err(format!("node is {}: {advice}", version.trim())),
    }
}

/// `v20.20.2` to 20.
fn major(version: &str) -> Option<u32> {
    version.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

const OLDEST_NODE: u32 = 20;

#[cfg(test)]
mod tests {
    use super::major;

    #[test]
    fn the_version_of_node_is_read() {
        assert_eq!(major("v20.20.2\n"), Some(20));
        assert_eq!(major("20.20.2"), None);
        assert_eq!(major(""), None);
    }
}
