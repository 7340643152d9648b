//! `cargo xtask book`: checks the links between pages, and builds the pages as a book with mdBook.
//!
//! The pages stay where readers of the repository look for them: guides in `docs`, the
//! specification beside its vectors, a README in each crate. Therefore this module copies every
//! page that `docs/SUMMARY.md` lists to the same path in `target/book/src`, where mdBook reads it.

mod links;

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run;
use links::{Links, joined};

/// Checks all links between pages, then builds the book in `target/book/html`.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    links::check(root)?;
    let summary = read(&root.join(SUMMARY))?;
    let pages: BTreeSet<String> =
        Links::of(&summary).map(|link| joined(SUMMARY, link.path())).collect();
    every_guide_is_listed(root, &pages)?;
    collect(root, &summary, &pages)?;
    let mut build = Command::new(mdbook(root)?);
    build.args(["build", "docs"]).current_dir(root);
    run::tool(build, "mdbook build docs")?;
    println!("{} pages are in target/book/html/index.html", pages.len());
    Ok(())
}

/// Copies the pages, their pictures and the list of chapters.
fn collect(root: &Path, summary: &str, pages: &BTreeSet<String>) -> Result<(), String> {
    let source = root.join("target/book/src");
    remove(&source)?;
    let list = links::retarget(summary, |target| Some(joined(SUMMARY, target)));
    write(&source.join("SUMMARY.md"), list.as_bytes())?;
    for page in pages {
        let text = links::retarget(&read(&root.join(page))?, |target| {
            is_in_book(page, target, pages).then(|| target.to_owned())
        });
        write(&source.join(page), text.as_bytes())?;
    }
    for picture in guides(root)?.iter().filter(|name| is_picture(name)) {
        let bytes = fs::read(root.join(picture)).map_err(|error| format!("{picture}: {error}"))?;
        write(&source.join(picture), &bytes)?;
    }
    Ok(())
}

/// Whether the book has what a link of this page leads to.
fn is_in_book(page: &str, target: &str, pages: &BTreeSet<String>) -> bool {
    let (path, _) = target.split_once('#').unwrap_or((target, ""));
    path.is_empty() || is_picture(path) || pages.contains(&joined(page, path))
}

fn every_guide_is_listed(root: &Path, pages: &BTreeSet<String>) -> Result<(), String> {
    let all = guides(root)?;
    let is_lost =
        |name: &&String| name.ends_with(".md") && *name != SUMMARY && !pages.contains(*name);
    match all.iter().find(is_lost) {
        Some(name) => Err(format!("{SUMMARY} does not list {name}")),
        None => Ok(()),
    }
}

/// The files in `docs`, as paths from the root.
fn guides(root: &Path) -> Result<Vec<String>, String> {
    let entries = fs::read_dir(root.join("docs")).map_err(|error| format!("docs: {error}"))?;
    let names = entries.flatten().map(|entry| entry.file_name());
    Ok(names.map(|name| format!("docs/{}", name.to_string_lossy())).collect())
}

fn is_picture(path: &str) -> bool {
    [".svg", ".png"].iter().any(|ending| path.ends_with(ending))
}

/// The program, which cargo installs in `target/tools` the first time.
fn mdbook(root: &Path) -> Result<PathBuf, String> {
    let program = root.join("target/tools/bin/mdbook");
    if !program.exists() {
        let version = format!("mdbook@{MDBOOK}");
        // Not optimized: it is built in half the time, and the book in a second.
        let install = ["install", "--debug", "--locked", "--no-default-features", &version];
        let place = ["--root", "target/tools", "--target-dir", "target/tools/build"];
        run::build(root, "mdbook into target/tools", &[&install[..], &place].concat())?;
    }
    Ok(program)
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Removes the pages of an earlier book.
fn remove(folder: &Path) -> Result<(), String> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(format!("{}: {error}", folder.display()))
        }
        _ => Ok(()),
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    let folder = path.parent().expect("a file is in a folder");
    let written = fs::create_dir_all(folder).and_then(|()| fs::write(path, bytes));
    written.map_err(|error| format!("{}: {error}", path.display()))
}

/// Lists the chapters, as links from `docs`.
const SUMMARY: &str = "docs/SUMMARY.md";

/// The version whose format docs/book.toml has.
const MDBOOK: &str = "0.5.4";
