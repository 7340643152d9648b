//! The network of a row, put up between a client and its server.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio::process::Command;

use crate::middlebox::{self, Running};
use crate::namespace::{self, Namespaces};
use crate::program::{Ledger, Program};
use crate::record::wall_clock;
use crate::scenario::{Fault, Network, Proof, Scenario, Who, faults};
use crate::tools::{REDIS, Tools};
use bowline_fault_proxy::{Cut, FaultProxy};
use bowline_processes::RedisServer;

/// Servers and what stands before them. Dropping it takes everything down.
#[derive(Debug)]
pub(crate) struct Place {
    servers: Vec<Program>,
    /// What makes several servers of ours one.
    redis: Option<RedisServer>,
    proxy: Option<FaultProxy>,
    middlebox: Option<Running>,
    namespaces: Option<Namespaces>,
    words: &'static str,
    /// What the client connects to: scheme, host and port.
    origin: String,
    /// The proxy that the client is told of.
    forward: Option<SocketAddr>,
    authority: Option<PathBuf>,
}

/// What became of a fault.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Strike {
    /// When the client could first notice, in milliseconds of the wall clock.
    pub(crate) begun: f64,
    /// The moment from which recovery counts.
    pub(crate) at: f64,
    /// True if there was something to break.
    pub(crate) found: bool,
}

impl Place {
    pub(crate) async fn put_up(
        scenario: &Scenario,
        who: Who,
        tools: &Tools,
        ledger: &Ledger,
    ) -> Result<Self, String> {
        let mut place = Self {
            servers: Vec::new(),
            redis: None,
            proxy: None,
            middlebox: None,
            namespaces: None,
            words: "",
            origin: String::new(),
            forward: None,
            authority: None,
        };
        match &scenario.network {
            Network::Proxy(words) => {
                let server = place.serve(scenario, who, tools, ledger).await?;
                place.front(([127, 0, 0, 1], server).into(), words).await?;
            }
            Network::Front { middlebox, words, servers, tls } => {
                if *servers > 1 && who.is_ours() {
                    place.redis = Some(RedisServer::start());
                }
                let mut ports = Vec::new();
                for _ in 0..*servers {
                    ports.push(place.serve(scenario, who, tools, ledger).await?);
                }
                let running = Running::start(*middlebox, &tools.configs, &ports).await?;
                place.front(running.address, words).await?;
                if *tls {
                    place.origin = place.origin.replace("http://127.0.0.1", "https://localhost");
                    place.authority = Some(running.authority());
                }
                place.middlebox = Some(running);
            }
            Network::Forward { middlebox, words } => {
                let server = place.serve(scenario, who, tools, ledger).await?;
                let running = Running::start(*middlebox, &tools.configs, &[server]).await?;
                place.front(running.address, words).await?;
                place.forward = place.proxy.as_ref().map(FaultProxy::addr);
                place.origin = format!("http://127.0.0.1:{server}");
                place.middlebox = Some(running);
            }
            Network::Namespaces(commands) => {
                place.namespaces = Some(Namespaces::new().await?);
                place.commands(commands).await?;
                let port = place.serve(scenario, who, tools, ledger).await?;
                place.origin = format!("http://{}:{port}", namespace::SERVER.0);
            }
        }
        Ok(place)
    }

    /// The client of this place.
    pub(crate) fn client(&self, scenario: &Scenario, who: Who, tools: &Tools) -> Command {
        let path = match who {
            Who::Native | Who::Chromium => "/bowline",
            Who::SocketIo => "",
            Who::SignalR => "/hub",
        };
        let namespace = self.namespaces.as_ref().map(|pair| &*pair.client);
        let mut command = tools.client(who, namespace, scenario);
        command.arg(format!("{}{path}", self.origin));
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] {
            command.env_remove(name).env_remove(name.to_lowercase());
        }
        if let Some(proxy) = self.forward {
            command.env("HTTP_PROXY", format!("http://{proxy}"));
        }
        if let Some(authority) = &self.authority {
            command.env("SSL_CERT_FILE", authority).env("NODE_EXTRA_CA_CERTS", authority);
        }
        command
    }

    /// Breaks something, and mends it if that is part of it.
    pub(crate) async fn strike(
        &self,
        scenario: &Scenario,
        client: &Program,
    ) -> Result<Strike, String> {
        let begun = wall_clock();
        let proxy = || self.proxy.as_ref().ok_or("this fault needs a fault proxy");
        let mut found = true;
        match scenario.fault {
            Fault::None => {}
            Fault::Cut(how) => found = proxy()?.cut_all(how) > 0,
            Fault::Heal => proxy()?.set(faults("--delay 25ms")),
            Fault::Moment(words, lasts) => {
                proxy()?.set(faults(words));
                tokio::time::sleep(lasts).await;
                proxy()?.set(faults(self.words));
            }
            Fault::Outage(words, lasts) => {
                proxy()?.set(faults(words));
                found = proxy()?.cut_all(Cut::Reset) > 0;
                tokio::time::sleep(lasts).await;
                proxy()?.set(faults(self.words));
                return Ok(Strike { begun, at: wall_clock(), found });
            }
            Fault::Sleep(lasts) => {
                let client = client.id().ok_or("the client has died")?;
                signal("-STOP", client).await?;
                found = proxy()?.cut_all(Cut::Vanish) > 0;
                tokio::time::sleep(lasts).await;
                let woken = wall_clock();
                signal("-CONT", client).await?;
                return Ok(Strike { begun: woken, at: woken, found });
            }
            Fault::Commands(hit, lasts, heal) => {
                self.commands(hit).await?;
                tokio::time::sleep(lasts).await;
                found = self.proves(scenario.proof).await;
                self.commands(heal).await?;
                return Ok(Strike { begun, at: wall_clock(), found });
            }
            Fault::KillSockets => {
                let pair = self.namespaces.as_ref().ok_or("this fault needs namespaces")?;
                found = pair.kill_sockets().await? > 0;
            }
        }
        Ok(Strike { begun, at: begun, found })
    }

    /// True if the network did what its name says, as far as it has not shown that before.
    pub(crate) async fn proves(&self, proof: Proof) -> bool {
        match (proof, &self.proxy, &self.namespaces) {
            (Proof::Fault, ..) => true,
            (Proof::Counted(is_proof), Some(proxy), _) => {
                let counters = proxy.counters();
                log::info!("{counters:?}");
                is_proof(&counters)
            }
            (Proof::Command(command), _, Some(pair)) => pair.run(command).await.is_ok(),
            _ => false,
        }
    }

    /// How many servers there are.
    pub(crate) const fn programs(&self) -> usize {
        self.servers.len()
    }

    /// Tells the servers to send nothing new.
    pub(crate) async fn stop(&mut self) {
        for server in &mut self.servers {
            server.stop().await;
        }
    }

    pub(crate) async fn take_down(mut self) {
        for server in &mut self.servers {
            server.kill().await;
        }
    }

    /// Starts one more server and returns its port.
    async fn serve(
        &mut self,
        scenario: &Scenario,
        who: Who,
        tools: &Tools,
        ledger: &Ledger,
    ) -> Result<u16, String> {
        let namespace = self.namespaces.as_ref().map(|pair| &*pair.server);
        let (host, port) = match namespace {
            Some(_) => namespace::SERVER,
            None => ("127.0.0.1", middlebox::free_port().await?),
        };
        let mut command = tools.server(who, namespace, (host, port), scenario);
        if let Some(redis) = &self.redis {
            command.env(REDIS, redis.url());
        }
        self.servers.push(Program::start(command, ledger)?);
        let listening = ledger.find(|books| books.port.filter(|known| *known == port));
        tokio::time::timeout(START, listening)
            .await
            .map_err(|_| format!("the server of {} does not start", who.name()))
    }

    async fn front(&mut self, target: SocketAddr, words: &'static str) -> Result<(), String> {
        let proxy = FaultProxy::start(target).await.map_err(|error| error.to_string())?;
        proxy.set(faults(words));
        self.words = words;
        self.origin = proxy.url("");
        self.proxy = Some(proxy);
        Ok(())
    }

    async fn commands(&self, commands: &[&str]) -> Result<(), String> {
        let Some(pair) = &self.namespaces else { return Ok(()) };
        for command in commands {
            drop(pair.run(command).await?);
        }
        Ok(())
    }
}

async fn signal(which: &str, process: u32) -> Result<(), String> {
    let sent = Command::new("kill").args([which, &process.to_string()]).status().await;
    match sent {
        Ok(status) if status.success() => Ok(()),
        _ => Err(format!("kill {which} did not work")),
    }
}

/// How long a program may take to start on a busy machine.
pub(crate) const START: Duration = Duration::from_secs(30);
