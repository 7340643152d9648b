//! Who may depend on whom: crates, read from what cargo itself knows, and modules of each crate.

mod modules;
mod sources;

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

#[test]
fn crates_depend_only_on_the_layers_below_them() {
    let metadata = metadata();
    let allowed: Vec<(&str, Vec<&str>)> = CRATES
        .lines()
        .map(|line| {
            let (name, below) = line.split_once(" ->").expect("an arrow follows the name");
            (name, below.split_whitespace().collect())
        })
        .collect();
    let names: BTreeSet<&str> = allowed.iter().map(|(name, _)| *name).collect();
    let members: BTreeSet<&str> =
        packages(&metadata).map(|package| text(package, "name")).collect();
    assert_eq!(members, names, "a crate is missing from the rule, or from the workspace");
    for (name, allowed) in &allowed {
        for dependency in dependencies(&metadata, name, Some("normal")) {
            let is_ours = names.contains(&*dependency);
            assert!(
                !is_ours || allowed.contains(&&*dependency),
                "{name} may not depend on {dependency}"
            );
        }
    }
}

/// The crates of the workspace that each crate may use.
const CRATES: &str = "\
bowline-protocol ->
bowline-client -> bowline-protocol
bowline-client-wasm -> bowline-client bowline-protocol
bowline-server -> bowline-protocol
bowline-desk -> bowline-server
bowline-contract -> bowline-protocol
bowline-fault-proxy ->
bowline-raw-client ->
bowline-processes ->
bowline-fixtures -> bowline-client bowline-contract bowline-fault-proxy bowline-processes \
    bowline-server
bowline-soak -> bowline-client bowline-fault-proxy bowline-fixtures bowline-processes bowline-server
bowline-load -> bowline-processes bowline-raw-client bowline-server
bowline-netlab -> bowline-client bowline-fault-proxy bowline-fixtures bowline-processes \
    bowline-server
bowline-deploys -> bowline-client bowline-contract bowline-fault-proxy bowline-fixtures \
    bowline-load bowline-processes bowline-server
bowline-attack -> bowline-processes bowline-protocol bowline-raw-client bowline-server
bowline-demo -> bowline-fault-proxy bowline-server
bowline-browser-host -> bowline-contract bowline-fault-proxy bowline-fixtures bowline-server
bowline-interop-tests -> bowline-client bowline-contract bowline-desk bowline-fault-proxy \
    bowline-fixtures bowline-protocol bowline-raw-client bowline-server
bowline-wasm-app -> bowline-client-wasm bowline-contract
xtask -> bowline-protocol";

#[test]
fn the_protocol_needs_no_runtime_no_json_and_no_randomness() {
    let metadata = metadata();
    assert_eq!(required(&metadata, "bowline-protocol"), ["bytes", "bytestring"].into());
    // For the payloads that it defines, whoever asks for them gets traits, and no format.
    let found = dependencies(&metadata, "bowline-protocol", Some("normal"));
    let expected = ["bytes", "bytestring", "serde"].map(str::to_owned);
    assert_eq!(found.collect::<BTreeSet<_>>(), expected.into());
}

#[test]
fn the_client_without_features_adds_only_futures_types_and_the_facade_of_the_log() {
    let metadata = metadata();
    let expected = ["bowline-protocol", "bytes", "bytestring", "futures", "log"];
    assert_eq!(required(&metadata, "bowline-client"), expected.into());
}

#[test]
fn the_server_and_the_client_never_see_each_other() {
    let metadata = metadata();
    for (one, other) in [("bowline-server", "bowline-client"), ("bowline-client", "bowline-server")]
    {
        assert!(
            dependencies(&metadata, one, None).all(|dependency| dependency != other),
            "{one} sees {other}"
        );
    }
}

/// The direct dependencies of a member: of one kind, or of all.
fn dependencies<'a>(
    metadata: &'a Value,
    name: &'a str,
    kind: Option<&'a str>,
) -> impl Iterator<Item = String> + 'a {
    let package = packages(metadata).find(move |package| text(package, "name") == name);
    let all =
        package.expect("the crate is a member")["dependencies"].as_array().into_iter().flatten();
    all.filter(move |dependency| match kind {
        Some(kind) => dependency["kind"].as_str().unwrap_or("normal") == kind,
        None => true,
    })
    .map(|dependency| text(dependency, "name").to_owned())
}

/// What a member needs whatever its features are.
fn required<'a>(metadata: &'a Value, name: &str) -> BTreeSet<&'a str> {
    let package = packages(metadata).find(|package| text(package, "name") == name);
    let all = package.expect("the crate is a member")["dependencies"].as_array().into_iter();
    all.flatten()
        .filter(|dependency| dependency["kind"].is_null() && dependency["optional"] == false)
        .map(|dependency| text(dependency, "name"))
        .collect()
}

fn packages(metadata: &Value) -> impl Iterator<Item = &Value> {
    metadata["packages"].as_array().expect("cargo metadata lists packages").iter()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("{key} is a text"))
}

fn metadata() -> Value {
    let cargo = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(cargo.status.success(), "{}", String::from_utf8_lossy(&cargo.stderr));
    serde_json::from_slice(&cargo.stdout).expect("cargo metadata is JSON")
}
