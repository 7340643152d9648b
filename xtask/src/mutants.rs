//! Breaks the session core on purpose, one place at a time, and expects the simulation to notice.
//!
//! cargo-mutants is no substitute: it replaces function bodies and operators wherever it finds
//! them. Each mutation here breaks one rule of the protocol, which has a name, and many of them
//! remove or rewrite a whole statement. A survivor therefore names the rule that no test checks.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// One deliberate mistake.
struct Mutation {
    /// From `protocol-spec/src/session`.
    file: &'static str,
    /// Must stand in the file exactly once.
    text: &'static str,
    replacement: &'static str,
    breaks: &'static str,
}

/// Runs the simulation once unharmed and once per mutation, in a copy below `target/mutants`.
///
/// # Errors
/// When the unharmed copy fails, a mutation no longer fits the code or does not compile, or the
/// simulation does not notice one.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    let copy = Copy::make(root)?;
    match copy.simulate()? {
        Verdict::Passed => println!("unharmed  passes"),
        Verdict::Failed(line) => return Err(format!("the unharmed copy fails: {line}")),
    }
    let mut survivors = Vec::new();
    for mutation in MUTATIONS {
        match copy.with(mutation)? {
            Verdict::Failed(line) => println!("caught    {}: {line}", mutation.breaks),
            Verdict::Passed => {
                println!("SURVIVED  {} ({})", mutation.breaks, mutation.file);
                survivors.push(mutation.breaks);
            }
        }
    }
    println!("{} of {} mutations caught", MUTATIONS.len() - survivors.len(), MUTATIONS.len());
    if survivors.is_empty() { Ok(()) } else { Err(format!("survived: {}", survivors.join(", "))) }
}

enum Verdict {
    Passed,
    /// The assertion that failed, or that it never ended.
    Failed(String),
}

/// The protocol crate alone, in a workspace of its own that keeps its build between runs.
struct Copy {
    workspace: PathBuf,
    sources: PathBuf,
}

impl Copy {
    fn make(root: &Path) -> Result<Self, String> {
        let workspace = root.join("target/mutants");
        let (from, to) = (root.join("protocol-spec"), workspace.join("protocol-spec"));
        let manifest = read(&root.join("Cargo.toml"))?;
        write(&workspace.join("Cargo.toml"), &alone(&manifest)?)?;
        write(&workspace.join("Cargo.lock"), &read(&root.join("Cargo.lock"))?)?;
        write(&to.join("Cargo.toml"), &read(&from.join("Cargo.toml"))?)?;
        for folder in ["src", "tests/simulation", "benches"] {
            copy_folder(&from.join(folder), &to.join(folder))?;
        }
        let test = "tests/simulation.rs";
        write(&to.join(test), &read(&from.join(test))?)?;
        Ok(Self { workspace, sources: to.join("src/session") })
    }

    /// Puts the mutation in, simulates, and takes it out again.
    fn with(&self, mutation: &Mutation) -> Result<Verdict, String> {
        let path = self.sources.join(mutation.file);
        let original = read(&path)?;
        let found = original.matches(mutation.text).count();
        if found != 1 {
            let Mutation { file, text, .. } = mutation;
            return Err(format!("{file} holds this {found} times, not once:\n{text}"));
        }
        write(&path, &original.replacen(mutation.text, mutation.replacement, 1))?;
        let verdict = self.simulate().map_err(|error| format!("{}: {error}", mutation.breaks));
        write(&path, &original)?;
        verdict
    }

    fn simulate(&self) -> Result<Verdict, String> {
        let child = Command::new(self.build()?)
            .current_dir(&self.workspace)
            .env("BOWLINE_SCHEDULES", SCHEDULES)
            .env("RUST_BACKTRACE", "0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("the simulation does not start: {error}"))?;
        judge(child)
    }

    /// Builds the test and returns its executable. A mutation that does not compile proves nothing.
    fn build(&self) -> Result<PathBuf, String> {
        let output = Command::new("cargo")
            .args(["test", "--quiet", "--package", "bowline-protocol", "--test", "simulation"])
            .args(["--no-run", "--message-format", "json-render-diagnostics"])
            .current_dir(&self.workspace)
            .env("CARGO_TARGET_DIR", self.workspace.join("target"))
            .env("CARGO_PROFILE_DEV_DEBUG", "0")
            .output()
            .map_err(|error| format!("cargo does not start: {error}"))?;
        if !output.status.success() {
            return Err(format!("no build:\n{}", String::from_utf8_lossy(&output.stderr)));
        }
        String::from_utf8_lossy(&output.stdout)
            .split("\"executable\":\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .last()
            .map(PathBuf::from)
            .ok_or_else(|| "cargo names no executable".into())
    }
}

/// The root manifest with the protocol crate as its only member.
fn alone(manifest: &str) -> Result<String, String> {
    let (before, rest) =
        manifest.split_once("members = [").ok_or("the root manifest has no list of members")?;
    let (_, after) = rest.split_once(']').ok_or("the list of members has no end")?;
    let lines = after.lines().filter(|line| !line.starts_with("exclude = "));
    let after: Vec<&str> = lines.collect();
    Ok(format!("{before}members = [\"protocol-spec\"]{}\n", after.join("\n")))
}

fn judge(mut child: Child) -> Result<Verdict, String> {
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().map_err(|error| error.to_string())? {
            break status;
        }
        if started.elapsed() > PATIENCE {
            child.kill().and_then(|()| child.wait()).map_err(|error| error.to_string())?;
            return Ok(Verdict::Failed("never ends".into()));
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    if status.success() {
        return Ok(Verdict::Passed);
    }
    let mut text = String::new();
    let output = child.stdout.as_mut().ok_or("the simulation has no output")?;
    output.read_to_string(&mut text).map_err(|error| error.to_string())?;
    let mut lines = text.lines().skip_while(|line| !line.contains("panicked at"));
    match (lines.next(), lines.next()) {
        (Some(_), Some(message)) => Ok(Verdict::Failed(message.chars().take(90).collect())),
        _ => Err(format!("the simulation ended with {status} and no assertion:\n{text}")),
    }
}

fn copy_folder(from: &Path, to: &Path) -> Result<(), String> {
    if !from.is_dir() {
        return Ok(());
    }
    for entry in fs::read_dir(from).map_err(|error| at(from, &error))? {
        let entry = entry.map_err(|error| at(from, &error))?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy_folder(&path, &target)?;
        } else {
            write(&target, &read(&path)?)?;
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| at(path, &error))
}

/// Leaves a file alone that holds the text already, so that nothing is built for its sake.
fn write(path: &Path, text: &str) -> Result<(), String> {
    if fs::read_to_string(path).is_ok_and(|present| present == text) {
        return Ok(());
    }
    let folder = path.parent().ok_or("a file has a folder")?;
    fs::create_dir_all(folder).map_err(|error| at(folder, &error))?;
    fs::write(path, text).map_err(|error| at(path, &error))
}

fn at(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}

/// Enough for every mutation; the first that fails ends a run.
const SCHEDULES: &str = "3000";
/// How long the simulation may take. Unharmed it takes a second or two.
const PATIENCE: Duration = Duration::from_secs(40);

const MUTATIONS: &[Mutation] = &[
    Mutation {
        file: "attach.rs",
        text: "            || attachment.peer_sent > self.inbox.received()",
        replacement: "",
        breaks: "a checkpoint takes again what the client has sent since",
    },
    Mutation {
        file: "attach.rs",
        text: "attachment.peer_received > self.outbox.transmitted()",
        replacement: "attachment.peer_received > self.outbox.last_number()",
        breaks: "a checkpoint takes what it emits for what the client has received",
    },
    Mutation {
        file: "figures.rs",
        text: "if self.is_stale && self.closing.is_none() {",
        replacement: "if false {",
        breaks: "a checkpoint takes a POST before an attachment",
    },
    Mutation {
        file: "inbox.rs",
        text: "        if number <= self.received {\n            return Ok(false);\n        }\n",
        replacement: "",
        breaks: "duplicates are dropped",
    },
    Mutation {
        file: "inbox.rs",
        text: "if number > self.received + 1 {",
        replacement: "if number > self.received + 2 {",
        breaks: "a gap is refused",
    },
    Mutation {
        file: "inbox.rs",
        text: "self.overdue |= self.confirm_at.take_if(|at| *at <= now).is_some();",
        replacement: "self.overdue |= self.confirm_at.is_some_and(|at| at <= now);",
        breaks: "a confirmation that is due waits without a clock",
    },
    Mutation {
        file: "outbox.rs",
        text: "while self.confirmed < through {",
        replacement: "while self.confirmed <= through {",
        breaks: "a confirmation removes what it names and no more",
    },
    Mutation {
        file: "outbox.rs",
        text: "self.sent = self.confirmed;\n        self.skipped = false;",
        replacement: "self.sent = self.confirmed + 1;\n        self.skipped = false;",
        breaks: "a replay begins after what was received",
    },
    Mutation {
        file: "outbox.rs",
        text: "fn retransmit(&mut self) {\n        self.sent = self.confirmed;",
        replacement: "fn retransmit(&mut self) {\n        self.sent = self.next_number() - 1;",
        breaks: "a refused body is sent again",
    },
    Mutation {
        file: "outbox.rs",
        text: "filter(|(after, _)| *after <= self.sent)",
        replacement: "filter(|_| true)",
        breaks: "volatile events keep their place among the others",
    },
    Mutation {
        file: "outbox.rs",
        text: "volatile.map_or_else(|| self.last_sendable(), |(after, _)| *after)",
        replacement: "volatile.map_or_else(|| self.last_sendable(), |_| self.last_sendable())",
        breaks: "volatile events keep their place where many packets go out at once",
    },
    Mutation {
        file: "outbox.rs",
        text: "if *old_after == after {",
        replacement: "if *old_after <= after {",
        breaks: "the latest event of a key overtakes no tracked packet",
    },
    Mutation {
        file: "outbox.rs",
        text: "self.bytes.saturating_add(cost(packet)) <= limit",
        replacement: "self.bytes <= limit",
        breaks: "the outbox stays within its limit",
    },
    Mutation {
        file: "outbox.rs",
        text: "for _ in confirmed..transmitted {",
        replacement: "for _ in confirmed + 1..transmitted {",
        breaks: "only what was never sent goes on in the next session",
    },
    Mutation {
        file: "outbox.rs",
        text: "            self.skipped = true;",
        replacement: "            self.skipped = false;",
        breaks: "a skipped position is stated",
    },
    Mutation {
        file: "attach.rs",
        text: "self.outbox.rewind(attachment.peer_received)?;",
        replacement: "let _ = self.outbox.confirm(attachment.peer_received);",
        breaks: "a new carrier replays",
    },
    Mutation {
        file: "attach.rs",
        text: "let newer = attachment.counter > self.counter;",
        replacement: "let newer = attachment.counter >= self.counter;",
        breaks: "an attachment counts once",
    },
    Mutation {
        file: "owner.rs",
        text: "self.owner.is_none_or(|owner| owner == take.from)",
        replacement: "self.owner.is_some()",
        breaks: "only who names the owner takes a session over",
    },
    Mutation {
        file: "owner.rs",
        text: "Some(owner) if owner != instance =>",
        replacement: "Some(owner) if owner == u64::MAX =>",
        breaks: "what the former owner posts is not taken",
    },
    Mutation {
        file: "attach.rs",
        text: "if !lacks && self.inbox.received() <= known {",
        replacement: "if !lacks {",
        breaks: "a session is not taken over by who does not know all that was sent",
    },
    Mutation {
        file: "attach.rs",
        text: "let lacks = attachment.peer_received < self.outbox.confirmed();",
        replacement: "let lacks = false;",
        breaks: "a session is not taken over by who lacks what was confirmed",
    },
    Mutation {
        file: "outbox.rs",
        text: "self.transmitted = self.transmitted.max(last.min(self.last_number()));",
        replacement: "let _ = last;",
        breaks: "what another instance may send is not sent again",
    },
    Mutation {
        file: "attach.rs",
        text: "closing.is_sent = false;",
        replacement: "",
        breaks: "a close is told again to a carrier that attaches after it",
    },
    Mutation {
        file: "mod.rs",
        text: "let ignored = self.closing.is_some();",
        replacement: "let ignored = false;",
        breaks: "a session that is over receives nothing more",
    },
    Mutation {
        file: "requests.rs",
        text: "let open = &mut self.0.as_mut()?.open;\n        let request = open.remove(index);",
        replacement: "let open = &mut self.0.as_mut()?.open;\n        let request = open[index];",
        breaks: "a request is answered once",
    },
    Mutation {
        file: "outbox.rs",
        text: "if gone.next_if_eq(&&number).is_some() {",
        replacement: "if gone.next_if_eq(&&number).is_some() && number == 0 {",
        breaks: "a request that timed out unsent is withdrawn",
    },
    Mutation {
        file: "outbox.rs",
        text: "*after -= through(numbers, *after);",
        replacement: "*after -= 0;",
        breaks: "volatile events keep their place when something before them is withdrawn",
    },
    Mutation {
        file: "outbox.rs",
        text: "self.sent < self.last_sendable() || self.volatile.is_some()",
        replacement: "self.sent < self.last_number() || self.volatile.is_some()",
        breaks: "what is held waits until the session is set up",
    },
    Mutation {
        file: "application.rs",
        text: "        self.requests.move_back(number);\n",
        replacement: "",
        breaks: "requests that are held get their own answers",
    },
    Mutation {
        file: "application.rs",
        text: "packet.is_answer() || old <= set_up",
        replacement: "packet.is_answer()",
        breaks: "the next session gets nothing of the set-up of a lost one",
    },
    Mutation {
        file: "application.rs",
        text: "        self.requests.move_up(numbers);\n",
        replacement: "",
        breaks: "requests behind one that is withdrawn get their own answers",
    },
    Mutation {
        file: "application.rs",
        text: "request.number <= self.outbox.transmitted()",
        replacement: "request.number <= self.outbox.confirmed()",
        breaks: "a request that was sent is not withdrawn",
    },
    Mutation {
        file: "application.rs",
        text: "self.moved += numbers.len() as u64;",
        replacement: "self.moved += 0;",
        breaks: "no two requests have the same id",
    },
    Mutation {
        file: "transmit.rs",
        text: "        if unsent {",
        replacement: "        if unsent && !ending {",
        breaks: "the close goes out after everything else",
    },
    Mutation {
        file: "../stream/window.rs",
        text: "Ok(has_place && size <= self.window.bytes - self.bytes)",
        replacement: "Ok(size <= self.window.bytes - self.bytes)",
        breaks: "a stream's window counts bytes only",
    },
    Mutation {
        file: "../stream/window.rs",
        text: "Ok(has_place && size <= self.window.bytes - self.bytes)",
        replacement: "Ok(has_place)",
        breaks: "a stream's window counts items only",
    },
    Mutation {
        file: "../stream/window.rs",
        text: "if taken <= self.taken || taken > sent {",
        replacement: "if taken <= self.taken {",
        breaks: "a stream takes credit for items that were never sent",
    },
    Mutation {
        file: "../stream/window.rs",
        text: "            || self.unreported.bytes.saturating_mul(4) >= self.window.bytes;",
        replacement: ";",
        breaks: "a stream's receiver reports no bytes",
    },
    Mutation {
        file: "../stream/window.rs",
        text: "self.unreported.items * 4 >= self.window.items",
        replacement: "false",
        breaks: "a stream's receiver reports no items",
    },
    Mutation {
        file: "../stream/window.rs",
        text: "            self.unreported = Window { items: 0, bytes: 0 };\n            self.taken\n",
        replacement: "            self.taken -= self.unreported.items;\n            self.taken\n",
        breaks: "a credit states less than was taken",
    },
    Mutation {
        file: "../stream/window.rs",
        text: "        self.bytes -= size;\n        self.taken += 1;",
        replacement: "        self.taken += 1;",
        breaks: "a stream's receiver keeps counting what was taken",
    },
];
