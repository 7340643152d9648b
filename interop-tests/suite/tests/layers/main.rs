//! Who may depend on whom: crates, read from what cargo itself knows, and modules of each crate.

mod modules;
mod sources;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
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
bowline-soak -> bowline-client bowline-fault-proxy bowline-fixtures bowline-server
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

#[test]
fn the_server_starts_no_task_and_no_timer_for_a_session() {
    let server = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../server/src");
    let mut found = BTreeSet::new();
    let is_test =
        |file: &Path| file.ends_with("tests.rs") || file.iter().any(|part| part == "tests");
    for file in sources(&server).into_iter().filter(|file| !is_test(file)) {
        let text = std::fs::read_to_string(&file).expect("a source is text");
        let name = file.strip_prefix(&server).expect("it is below").display().to_string();
        for call in ["spawn(", "sleep(", "timeout(", "interval("] {
            let mut code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
            let calls = |line: &str| {
                line.contains(call)
                    && !line.contains("pub")
                    && !line.contains("_timeout(")
                    && !line.contains("_interval(")
            };
            if code.any(calls) {
                found.insert((call, name.clone()));
            }
        }
    }
    let expected = TASKS_AND_TIMERS.iter().map(|&(call, file)| (call, file.to_owned()));
    assert_eq!(found, expected.collect());
}

/// Where the server spawns and waits, and what for.
const TASKS_AND_TIMERS: &[(&str, &str)] = &[
    // The thread that writes histories to a file, and an open that waits for another process to
    // give it away.
    ("spawn(", "broker/file.rs"),
    ("sleep(", "broker/file/disk.rs"),
    // The thread that writes the sessions of a server that ends.
    ("spawn(", "shutdown/mod.rs"),
    // The thread that reads what another process has stored while this one serves.
    ("spawn(", "keeper/beside.rs"),
    // The thread that makes checkpoints.
    ("spawn(", "keeper/checkpoint.rs"),
    ("sleep(", "keeper/checkpoint.rs"),
    // The thread that has a store's connection to Redis, and what it is asked to do.
    ("spawn(", "store/redis/thread.rs"),
    ("sleep(", "store/redis/connection.rs"),
    ("sleep(", "store/redis/signs.rs"),
    ("sleep(", "test_util/app.rs"),
    ("timeout(", "store/redis/signs.rs"),
    ("timeout(", "test_util/app.rs"),
    ("timeout(", "test_util/session.rs"),
    // Between nodes, if there are several: one thread, a task for each question that is open and
    // for each carrier that another node has passed on.
    ("spawn(", "cluster/bus/positions.rs"),
    ("spawn(", "cluster/directory/targets.rs"),
    ("spawn(", "cluster/directory/claims.rs"),
    ("spawn(", "cluster/directory/forward.rs"),
    ("sleep(", "cluster/directory/forward.rs"),
    ("spawn(", "cluster/directory/gaps.rs"),
    ("timeout(", "cluster/directory/peers.rs"),
    ("spawn(", "cluster/directory/places.rs"),
    ("spawn(", "cluster/directory/questions.rs"),
    ("spawn(", "cluster/directory/whose.rs"),
    ("sleep(", "cluster/directory/whose.rs"),
    ("spawn(", "cluster/handover/arrival.rs"),
    ("sleep(", "cluster/handover/arrival.rs"),
    ("spawn(", "cluster/handover/departure.rs"),
    ("sleep(", "cluster/handover/departure.rs"),
    ("timeout(", "cluster/handover/departure.rs"),
    ("spawn(", "cluster/handover/farewell.rs"),
    ("sleep(", "cluster/handover/farewell.rs"),
    ("timeout(", "cluster/handover/farewell.rs"),
    ("spawn(", "cluster/inbound.rs"),
    ("spawn(", "cluster/life.rs"),
    ("interval(", "cluster/life.rs"),
    ("spawn(", "cluster/mod.rs"),
    ("spawn(", "cluster/presence.rs"),
    ("spawn(", "cluster/relay/edge.rs"),
    ("sleep(", "cluster/relay/edge.rs"),
    ("spawn(", "cluster/relay/owner.rs"),
    ("spawn(", "broker/acceptance.rs"),
    ("timeout(", "broker/acceptance.rs"),
    ("spawn(", "broker/redis/link.rs"),
    ("timeout(", "broker/redis/link.rs"),
    ("spawn(", "broker/redis/logs.rs"),
    ("sleep(", "broker/redis.rs"),
    ("timeout(", "history/histories.rs"),
    // A handler that has to wait, a hook that decides, a client that is asked who it is, a worker
    // that begins.
    ("spawn(", "session/dispatch.rs"),
    ("spawn(", "session/expiry.rs"),
    ("timeout(", "session/expiry.rs"),
    ("spawn(", "session/timers.rs"),
    ("spawn(", "session/workers.rs"),
    ("spawn(", "transport/opening.rs"),
    ("spawn(", "node/decisions.rs"),
    ("sleep(", "node/decisions.rs"),
    ("sleep(", "transport/check.rs"),
    ("timeout(", "transport/check.rs"),
    ("timeout(", "transport/handshake.rs"),
    ("timeout(", "transport/polling.rs"),
    // One thread for the connections of the host.
    ("spawn(", "guard/mod.rs"),
    // Until the first line is there, or follows a trial; the wait of a drain, and of a server that
    // ends.
    ("sleep(", "shutdown/drain.rs"),
    ("sleep(", "shutdown/mod.rs"),
    ("sleep(", "transport/body.rs"),
    ("sleep(", "transport/trial.rs"),
    ("sleep(", "transport/websocket/connection.rs"),
    ("timeout(", "publish.rs"),
    ("timeout(", "transport/body.rs"),
];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the folder exists");
    let mut files = Vec::new();
    for path in entries.map(|entry| entry.expect("it can be read").path()) {
        if path.is_dir() {
            files.extend(sources(&path));
        } else {
            files.push(path);
        }
    }
    files
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
