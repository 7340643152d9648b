//! The layers inside each crate: the drawing in ARCHITECTURE.md, and the sources.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::sources::{Arrows, File, arrows};
use crate::{metadata, packages, text};

#[test]
fn every_arrow_between_modules_is_in_the_drawing_and_in_the_sources() {
    let mut drawn = drawings(&architecture());
    for (name, root) in roots() {
        let drawn = drawn.remove(&name).unwrap_or_default();
        let arrows = arrows(&root);
        let found = pairs(&arrows);
        let added: Vec<_> = found.difference(&drawn).collect();
        let gone: Vec<_> = drawn.difference(&found).collect();
        assert!(
            added.is_empty() && gone.is_empty(),
            "{name}: ARCHITECTURE.md lacks the arrows {added:?}, and the sources lack {gone:?}. \
                The \
             drawing of the sources is:\n{}",
            drawing(&arrows)
        );
    }
    assert_eq!(drawn, BTreeMap::new(), "a crate is drawn that the workspace has not");
}

#[test]
fn no_modules_of_a_crate_need_each_other() {
    for (name, root) in roots() {
        let arrows = arrows(&root);
        assert_eq!(in_cycles(&arrows), BTreeSet::new(), "{name}: these modules need each other");
    }
}

#[test]
fn a_module_is_found_however_it_is_named() {
    let cases: [(usize, &str, &[&str]); 9] = [
        (1, "use crate::a::B;", &["a"]),
        (1, "use crate::{a, b::{C, d}, E as F};", &["E", "a", "b"]),
        (1, "fn f(x: crate::a::B) { vec![crate::b::c()] }", &["a", "b"]),
        (
            1,
            "use super::a::B; mod inner { use super::own; use super::super::{b, c}; }",
            &["a", "b", "c"],
        ),
        (2, "use super::sibling; use super::super::a::B;", &["a"]),
        (1, "// crate::a\n/// [`crate::b`]\nconst C: &str = \"crate::c\";", &[]),
        (
            1,
            "#[cfg(test)] mod tests { use crate::a; } #[cfg(test)] use crate::{b}; use crate::c;",
            &["c"],
        ),
        (1, "#[cfg(fuzzing)] mod fuzzing; pub(crate) struct A; pub(super) struct B;", &[]),
        (1, "macro_rules! m { () => { $crate::a::B }; }", &[]),
    ];
    for (depth, text, expected) in cases {
        let found = File::read(&text.parse().expect("it can be read"), depth).named;
        assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), expected, "{text}");
    }
}

#[test]
fn only_modules_on_a_way_back_to_themselves_are_in_a_cycle() {
    let arrows: Arrows = [("a", "b"), ("b", "c"), ("c", "b"), ("c", "d"), ("d", "")].iter().fold(
        Arrows::new(),
        |mut arrows, (from, to)| {
            let to = (!to.is_empty()).then(|| (*to).to_owned());
            arrows.entry((*from).to_owned()).or_default().extend(to);
            arrows
        },
    );
    assert_eq!(in_cycles(&arrows), ["b", "c"].into());
}

/// The modules from which a way along the arrows leads back to them.
fn in_cycles(arrows: &Arrows) -> BTreeSet<&str> {
    arrows.keys().map(String::as_str).filter(|module| leads_back(arrows, module)).collect()
}

fn leads_back(arrows: &Arrows, module: &str) -> bool {
    let (mut seen, mut next) = (BTreeSet::new(), vec![module]);
    while let Some(at) = next.pop() {
        for target in &arrows[at] {
            if seen.insert(target.as_str()) {
                next.push(target);
            }
        }
    }
    seen.contains(module)
}

fn pairs(arrows: &Arrows) -> BTreeSet<(String, String)> {
    let of = |(from, to): (&String, &BTreeSet<String>)| {
        to.iter().map(|to| (from.clone(), to.clone())).collect::<Vec<_>>()
    };
    arrows.iter().flat_map(of).collect()
}

/// The arrows of each block ```` ```modules <crate> ````, of lines like `module -> module module`.
fn drawings(text: &str) -> BTreeMap<String, BTreeSet<(String, String)>> {
    let mut drawings = BTreeMap::new();
    for block in text.split("```modules ").skip(1) {
        let block = block.split("```").next().unwrap_or_default();
        let (name, lines) = block.split_once('\n').expect("the crate's name ends the line");
        let arrows = lines.lines().flat_map(|line| {
            let (from, to) = line.split_once(" -> ").unwrap_or_else(|| panic!("{line:?}"));
            to.split_whitespace().map(|to| (from.to_owned(), to.to_owned())).collect::<Vec<_>>()
        });
        drawings.insert(name.to_owned(), arrows.collect());
    }
    drawings
}

/// The lines of a block: the lowest modules first, and those of a cycle by name.
fn drawing(arrows: &Arrows) -> String {
    let (mut lines, mut left) = (Vec::new(), arrows.clone());
    while !left.is_empty() {
        let is_low = |to: &BTreeSet<String>| to.iter().all(|to| !left.contains_key(to));
        let mut next = left.clone();
        next.retain(|_, to| is_low(to));
        let next = if next.is_empty() { std::mem::take(&mut left) } else { next };
        left.retain(|module, _| !next.contains_key(module));
        let below = next.into_iter().filter(|(_, to)| !to.is_empty());
        lines.extend(below.map(|(from, to)| format!("{from} -> {}", Vec::from_iter(to).join(" "))));
    }
    lines.join("\n")
}

fn architecture() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ARCHITECTURE.md");
    std::fs::read_to_string(file).expect("ARCHITECTURE.md is a text")
}

/// The root of each member of the workspace: its library, or its program.
fn roots() -> Vec<(String, PathBuf)> {
    let metadata = metadata();
    let root = |package| {
        let package: &serde_json::Value = package;
        let targets = package["targets"].as_array().expect("a package has targets");
        let has_name = |name: &str| {
            let files = targets.iter().map(|target| Path::new(text(target, "src_path")));
            files.into_iter().find(|file| file.ends_with(name)).map(Path::to_owned)
        };
        let root = has_name("src/lib.rs").or_else(|| has_name("src/main.rs"));
        (text(package, "name").to_owned(), root.expect("a member is a library or a program"))
    };
    packages(&metadata).map(root).collect()
}
