//! Which top-level module of a crate names which other one, read from the tokens of its sources.
//!
//! Comments, texts and what exists only in tests or for the fuzzer do not count. A name that the
//! crate's root exports counts as the module that the root has it from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// What each top-level module names, those without an arrow included.
pub(crate) type Arrows = BTreeMap<String, BTreeSet<String>>;

/// The arrows of the crate with this root, `lib.rs` or `main.rs`.
pub(crate) fn arrows(root: &Path) -> Arrows {
    let text = tokens(root);
    let top = File::read(&text, 0);
    let modules: BTreeSet<_> = top.children.iter().map(|(name, _)| name.clone()).collect();
    let exports = exports(&text, &modules);
    let mut arrows: Arrows = modules.iter().map(|name| (name.clone(), BTreeSet::new())).collect();
    for (name, path) in &top.children {
        let mut named = BTreeSet::new();
        read_module(&file_of(folder_of(root), name, path.as_deref()), 1, &mut named);
        for target in &named {
            let target = if modules.contains(target) { Some(target) } else { exports.get(target) };
            let target = target.unwrap_or_else(|| panic!("{root:?} has no name that {name} names"));
            if target != name && modules.contains(target) {
                arrows.entry(name.clone()).or_default().insert(target.clone());
            }
        }
    }
    arrows
}

/// Adds what a module and the modules in it name at the root of the crate.
fn read_module(file: &Path, depth: usize, named: &mut BTreeSet<String>) {
    let mut read = File::read(&tokens(file), depth);
    named.append(&mut read.named);
    let own = file.with_extension("");
    let folder = if file.ends_with("mod.rs") { folder_of(file) } else { &own };
    for (name, path) in &read.children {
        read_module(&file_of(folder, name, path.as_deref()), depth + 1, named);
    }
}

fn file_of(folder: &Path, name: &str, path: Option<&str>) -> PathBuf {
    let file = folder.join(path.map_or_else(|| format!("{name}.rs"), str::to_owned));
    if file.exists() { file } else { folder.join(name).join("mod.rs") }
}

fn folder_of(file: &Path) -> &Path {
    file.parent().expect("a source is in a folder")
}

fn tokens(file: &Path) -> TokenStream {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{file:?}: {error}"));
    text.parse().unwrap_or_else(|error| panic!("{file:?}: {error}"))
}

/// What the tokens of one file say.
#[derive(Default)]
pub(crate) struct File {
    /// Names at the root of the crate.
    pub(crate) named: BTreeSet<String>,
    /// Modules in files of their own, and the attribute `path`.
    children: Vec<(String, Option<String>)>,
}

impl File {
    /// So many `super` lead from this file to the root of the crate.
    pub(crate) fn read(tokens: &TokenStream, depth: usize) -> Self {
        let mut file = Self::default();
        file.take(tokens.clone(), depth);
        file
    }

    fn take(&mut self, tokens: TokenStream, depth: usize) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let (mut at, mut path) = (0, None);
        while let Some(rest @ [_, ..]) = tokens.get(at..) {
            at += match rest {
                [TokenTree::Punct(sign), TokenTree::Group(attribute), ..] if is(sign, '#') => {
                    let words = attribute.stream().to_string().replace(' ', "");
                    path = words.strip_prefix("path=").map(|path| path.replace('"', "")).or(path);
                    if is_left_out(&words) { 1 + item_len(&rest[1..]) } else { 1 }
                }
                [TokenTree::Ident(key), TokenTree::Ident(name), next, ..] if key == "mod" => {
                    match next {
                        TokenTree::Group(body) => self.take(body.stream(), depth + 1),
                        _ => self.children.push((name.to_string(), path.take())),
                    }
                    3
                }
                // In a macro, `$crate` is what others see.
                [TokenTree::Punct(sign), TokenTree::Ident(_), ..] if is(sign, '$') => 2,
                [TokenTree::Ident(_), ..] => {
                    self.named.extend(after_root(rest, depth).into_iter().flat_map(first_names));
                    1
                }
                [TokenTree::Group(group), ..] => {
                    self.take(group.stream(), depth);
                    1
                }
                _ => 1,
            };
        }
    }
}

fn is(sign: &proc_macro2::Punct, expected: char) -> bool {
    sign.as_char() == expected
}

/// True for the attribute of what exists only in tests or for the fuzzer.
fn is_left_out(attribute: &str) -> bool {
    ["cfg(test)", "cfg(all(test,", "cfg(fuzzing)"].iter().any(|cfg| attribute.starts_with(cfg))
}

/// How many tokens an item has, from its attribute to its body or semicolon.
fn item_len(tokens: &[TokenTree]) -> usize {
    let is_use = |token: &TokenTree| matches!(token, TokenTree::Ident(word) if word == "use");
    let has_body = !tokens.iter().take(4).any(is_use);
    let ends = |token: &TokenTree| match token {
        TokenTree::Punct(sign) => is(sign, ';'),
        TokenTree::Group(group) => has_body && group.delimiter() == Delimiter::Brace,
        _ => false,
    };
    tokens.iter().position(ends).map_or(tokens.len(), |end| end + 1)
}

/// What follows `crate::`, or as many `super::` as lead to the root of the crate.
fn after_root(tokens: &[TokenTree], depth: usize) -> Option<&[TokenTree]> {
    after(tokens, "crate").or_else(|| {
        let end = (0..depth).try_fold(tokens, |rest, _| after(rest, "super"));
        end.filter(|_| depth > 0)
    })
}

fn after<'a>(tokens: &'a [TokenTree], word: &str) -> Option<&'a [TokenTree]> {
    match tokens {
        [TokenTree::Ident(first), TokenTree::Punct(one), TokenTree::Punct(two), rest @ ..] => {
            (first == word && is(one, ':') && is(two, ':')).then_some(rest)
        }
        _ => None,
    }
}

/// The first name of a path, or of each path of a list.
fn first_names(path: &[TokenTree]) -> Vec<String> {
    match path {
        [TokenTree::Ident(name), ..] => vec![name.to_string()],
        [TokenTree::Group(list), ..] => {
            paths(list.stream()).into_iter().map(|mut path| path.swap_remove(0)).collect()
        }
        _ => Vec::new(),
    }
}

/// The names that the root has from elsewhere, each with the first name of its path.
fn exports(root: &TokenStream, modules: &BTreeSet<String>) -> BTreeMap<String, String> {
    let tokens: Vec<TokenTree> = root.clone().into_iter().collect();
    let ends = |token: &TokenTree| matches!(token, TokenTree::Punct(sign) if is(sign, ';'));
    let is_use = |token: &TokenTree| matches!(token, TokenTree::Ident(word) if word == "use");
    let mut exports = BTreeMap::new();
    for statement in tokens.split(ends) {
        let Some(begin) = statement.iter().position(is_use) else { continue };
        for path in paths(statement[begin + 1..].iter().cloned().collect()) {
            let [module, .., name] = path.as_slice() else { continue };
            let is_listed = name != "*" || !modules.contains(module);
            assert!(is_listed, "the root has to list what it exports of {module}");
            exports.insert(name.clone(), module.clone());
        }
    }
    exports
}

/// The paths of a tree of `use`, without `crate`; a renamed one has its new name last.
fn paths(tree: TokenStream) -> Vec<Vec<String>> {
    let (mut all, mut path) = (Vec::new(), Vec::new());
    for token in tree {
        match token {
            TokenTree::Ident(word) if word == "crate" || word == "as" => {}
            TokenTree::Ident(word) => path.push(word.to_string()),
            TokenTree::Punct(sign) if is(&sign, ',') => all.push(std::mem::take(&mut path)),
            TokenTree::Punct(sign) if is(&sign, '*') => path.push("*".to_owned()),
            TokenTree::Group(list) => {
                let begin = std::mem::take(&mut path);
                let ends = paths(list.stream()).into_iter();
                all.extend(ends.map(|end| begin.iter().cloned().chain(end).collect()));
            }
            _ => {}
        }
    }
    all.push(path);
    all.retain(|path: &Vec<String>| !path.is_empty());
    all
}
