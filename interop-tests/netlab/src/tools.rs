//! Where the programs of the rows are.

use std::path::PathBuf;

use bowline_processes::NodeTools;
use clap::Args;
use tokio::process::Command;

use crate::scenario::{Scenario, Who};

/// The variable that tells a server of its Redis.
pub(crate) const REDIS: &str = "BOWLINE_REDIS";

/// What the command line names.
#[derive(Debug, Clone, Args)]
pub struct Tools {
    /// The configurations of the middleboxes.
    #[arg(long, value_name = "DIR", default_value = "interop-tests/netlab/configs")]
    pub configs: PathBuf,
    /// This program, which is the native client and its server as well.
    #[arg(skip = std::env::current_exe().expect("the system names the program that runs"))]
    pub native: PathBuf,
    /// What the clients in Node and Chromium need; they are left out without it.
    #[command(flatten)]
    pub node: Option<NodeTools>,
}

impl Tools {
    pub(crate) fn client(&self, who: Who, namespace: Option<&str>, scenario: &Scenario) -> Command {
        let mut command = match who {
            Who::Native => {
                let mut command = within(namespace, &self.native);
                command.arg("client");
                command
            }
            Who::Chromium => self.script(namespace, "chromium.mjs"),
            Who::SocketIo => self.script(namespace, "socketio-client.mjs"),
            Who::SignalR => self.script(namespace, "signalr-client.mjs"),
        };
        set_times(&mut command, scenario);
        command
    }

    pub(crate) fn server(
        &self,
        who: Who,
        namespace: Option<&str>,
        (host, port): (&str, u16),
        scenario: &Scenario,
    ) -> Command {
        let mut command = match who {
            Who::SocketIo => self.script(namespace, "socketio-server.mjs"),
            Who::SignalR => self.script(namespace, "signalr-server.mjs"),
            Who::Native | Who::Chromium => {
                let mut command = within(namespace, &self.native);
                command.arg("server");
                command
            }
        };
        command.arg(host).arg(port.to_string());
        if let Some((heartbeat, grace)) = scenario.heartbeat.filter(|_| who.is_ours()) {
            command.arg(heartbeat.to_string()).arg(grace.to_string());
        }
        set_times(&mut command, scenario);
        command
    }

    fn script(&self, namespace: Option<&str>, name: &str) -> Command {
        let node = self.node.as_ref().expect("rows that need Node are left out without it");
        let mut command = within(namespace, &PathBuf::from("node"));
        command.arg(node.scripts.join(name));
        command.env("BOWLINE_MODULES", &node.modules).env("BOWLINE_PACKAGE", &node.package);
        command
    }
}

/// What the programs for Node read; ours take what they need as words. Everybody gets the same
/// numbers.
fn set_times(command: &mut Command, scenario: &Scenario) {
    if let Some(tick) = scenario.tick {
        command.env("BOWLINE_TICK", tick.as_millis().to_string());
    }
    if let Some((heartbeat, grace)) = scenario.heartbeat {
        command.env("BOWLINE_HEARTBEAT", heartbeat.to_string());
        command.env("BOWLINE_GRACE", grace.to_string());
    }
}

fn within(namespace: Option<&str>, program: &PathBuf) -> Command {
    let Some(namespace) = namespace else { return Command::new(program) };
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new("ip");
    command.env("PATH", format!("{path}:/usr/sbin:/sbin"));
    command.args(["netns", "exec", namespace]).arg(program);
    command
}
