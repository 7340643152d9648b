//! The processes: nodes, HAProxy, Redis. They end with the run.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use bowline_processes::{RedisServer, free_port};

/// All of them.
pub(super) struct Fleet {
    program: PathBuf,
    pub(super) redis: RedisServer,
    nodes: Vec<Node>,
    balancer: Child,
    config: PathBuf,
    port: u16,
    /// What nodes that are gone have counted.
    past: Vec<Value>,
    /// What a Redis that is gone had published.
    past_publishes: u64,
}

/// What everything has counted.
pub(super) struct Counted {
    pub(super) nodes: Vec<Value>,
    /// Messages that Redis has published.
    pub(super) publishes: u64,
}

struct Node {
    port: u16,
    process: Child,
}

impl Fleet {
    pub(super) async fn start(nodes: usize, program: &Path) -> Result<Self, String> {
        let redis = RedisServer::start();
        let ports: Vec<u16> = (0..nodes).map(|_| free_port()).collect();
        let port = free_port();
        let config = std::env::temp_dir().join(format!("bowline-haproxy-{port}.cfg"));
        std::fs::write(&config, haproxy(port, &ports)).map_err(|error| error.to_string())?;
        let balancer = Command::new("/usr/sbin/haproxy")
            .args(["-db", "-f"])
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("haproxy did not start ({error}); apt-get install haproxy"))?;
        let mut fleet = Self {
            program: program.to_owned(),
            redis,
            nodes: Vec::new(),
            balancer,
            config,
            port,
            past: Vec::new(),
            past_publishes: 0,
        };
        for port in ports {
            let process = fleet.spawn(port)?;
            fleet.nodes.push(Node { port, process });
        }
        fleet.wait_until_whole().await?;
        Ok(fleet)
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/bowline", self.port)
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Ends Redis without a word.
    pub(super) fn kill_redis(&mut self) {
        self.past_publishes += self.redis.calls("publish");
        self.redis.kill();
    }

    /// Ends a node without a word.
    pub(super) async fn kill(&mut self, node: usize) {
        self.past.extend(self.figures(node).await);
        let _ = self.nodes[node].process.kill().await;
    }

    /// Lets a node hand its sessions over and end.
    pub(super) async fn drain(&mut self, node: usize) -> Result<(), String> {
        let process = &mut self.nodes[node].process;
        terminate(process).await;
        let ended = timeout(PATIENCE, process.wait()).await;
        ended
            .map_err(|_| format!("node {node} does not end"))?
            .map_err(|error| error.to_string())?;
        let mut said = String::new();
        if let Some(mut out) = process.stdout.take() {
            let _ = out.read_to_string(&mut said).await;
        }
        self.past.extend(serde_json::from_str::<Value>(&said).ok());
        Ok(())
    }

    /// Starts a node again where it was.
    pub(super) fn start_again(&mut self, node: usize) -> Result<(), String> {
        self.nodes[node].process = self.spawn(self.nodes[node].port)?;
        Ok(())
    }

    /// Waits until all nodes serve and know each other, and the balancer knows them.
    pub(super) async fn wait_until_whole(&self) -> Result<(), String> {
        let others = self.nodes.len() as u64 - 1;
        let whole = async {
            for node in 0..self.nodes.len() {
                while self.figures(node).await.is_none_or(|figures| figures["takers"] != others) {
                    sleep(Duration::from_millis(20)).await;
                }
            }
            while get(self.port, "/bowline/health").await.is_none_or(|answer| answer != "ok\n") {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, whole).await.map_err(|_| "the nodes do not find each other".to_owned())
    }

    /// Ends everything.
    pub(super) async fn stop(mut self) -> Counted {
        for node in 0..self.nodes.len() {
            let figures = self.figures(node).await;
            self.past.extend(figures);
            let _ = self.nodes[node].process.kill().await;
        }
        let _ = self.balancer.kill().await;
        let _ = std::fs::remove_file(&self.config);
        let publishes = self.past_publishes + self.redis.calls("publish");
        Counted { nodes: std::mem::take(&mut self.past), publishes }
    }

    fn spawn(&self, port: u16) -> Result<Child, String> {
        Command::new(&self.program)
            .args(["node", &port.to_string(), &self.redis.url()])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("{}: {error}", self.program.display()))
    }

    async fn figures(&self, node: usize) -> Option<Value> {
        serde_json::from_str(&get(self.nodes[node].port, "/stats").await?).ok()
    }
}

/// Asks a process to end, as service managers do.
async fn terminate(process: &Child) {
    if let Some(id) = process.id() {
        let _ = Command::new("kill").args(["-TERM", &id.to_string()]).status().await;
    }
}

/// The body of an answer.
async fn get(port: u16, path: &str) -> Option<String> {
    let ask = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
        let head = format!("GET {path} HTTP/1.1\r\nhost: node\r\nconnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned())
    };
    timeout(Duration::from_secs(2), ask).await.ok().flatten()
}

fn haproxy(port: u16, nodes: &[u16]) -> String {
    let mut config = format!(
        "defaults\n  mode http\n  timeout connect 2s\n  timeout client 60s\n  timeout server \
            60s\n  \
         timeout tunnel 1h\n  retries 3\n  option redispatch\n\
         frontend clients\n  bind 127.0.0.1:{port}\n  default_backend nodes\n\
         backend nodes\n  balance roundrobin\n  option httpchk GET /bowline/health\n"
    );
    for node in nodes {
        let check = "check inter 100ms fall 1 rise 1";
        let _ = writeln!(config, "  server node{node} 127.0.0.1:{node} {check}");
    }
    config
}

const PATIENCE: Duration = Duration::from_secs(30);
