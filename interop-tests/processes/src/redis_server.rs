//! A real Redis on a port of its own.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A server that keeps nothing on disk and runs until it is dropped.
#[derive(Debug)]
pub struct RedisServer {
    port: u16,
    options: Vec<String>,
    child: Option<Child>,
}

impl RedisServer {
    /// Starts one.
    ///
    /// # Panics
    /// When Redis is not installed or does not start: says what to do.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts one with further options of its command line.
    ///
    /// # Panics
    /// As [`Self::start`].
    #[must_use]
    pub fn start_with(options: &[&str]) -> Self {
        let options = options.iter().map(|&option| option.to_owned()).collect();
        let mut server = Self { port: free_port(), options, child: None };
        server.start_again();
        server
    }

    /// Three servers that form a cluster.
    ///
    /// # Panics
    /// As [`Self::start`].
    #[must_use]
    pub fn start_cluster() -> [Self; 3] {
        // The servers talk to each other on another port, 10,000 above.
        let options = ["--cluster-enabled", "yes", "--cluster-config-file"];
        let servers = std::array::from_fn(|_| {
            let port = loop {
                let port = free_port();
                if port < 55_000 && TcpListener::bind(("127.0.0.1", port + 10_000)).is_ok() {
                    break port;
                }
            };
            let nodes = std::env::temp_dir().join(format!("bowline-redis-{port}.conf"));
            let nodes = nodes.to_str().expect("a temporary path is UTF-8").to_owned();
            let mut options: Vec<String> = options.map(str::to_owned).into();
            options.push(nodes);
            let mut server = Self { port, options, child: None };
            server.start_again();
            server
        });
        let mut create = Command::new("redis-cli");
        create.args(["--cluster", "create"]);
        create.args(servers.each_ref().map(|server| format!("127.0.0.1:{}", server.port)));
        let output = create.arg("--cluster-yes").output().expect("redis-cli comes with Redis");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        for server in &servers {
            server.wait_for("CLUSTER INFO\r\n", "cluster_state:ok");
        }
        servers
    }

    /// One server that is a cluster by itself, and says that it is reached at another port.
    ///
    /// # Panics
    /// As [`Self::start`].
    #[must_use]
    pub fn start_cluster_of_one(announced: impl FnOnce(u16) -> u16) -> Self {
        let port = free_port();
        let nodes = std::env::temp_dir().join(format!("bowline-redis-{port}.conf"));
        let nodes = nodes.to_str().expect("a temporary path is UTF-8").to_owned();
        let (bus, announced) = (free_port().to_string(), announced(port).to_string());
        let options = ["--cluster-enabled", "yes", "--cluster-port", &bus];
        let more = ["--cluster-announce-port", &announced, "--cluster-config-file", &nodes];
        let options = options.into_iter().chain(more).map(str::to_owned).collect();
        let mut server = Self { port, options, child: None };
        server.start_again();
        server.wait_for("CLUSTER ADDSLOTSRANGE 0 16383\r\n", "OK");
        server.wait_for("CLUSTER INFO\r\n", "cluster_state:ok");
        server
    }

    /// How often the server has executed a command since it started.
    #[must_use]
    pub fn calls(&self, command: &str) -> u64 {
        calls_in(&self.ask("INFO commandstats\r\n").unwrap_or_default(), command)
    }

    /// How many keys it holds.
    #[must_use]
    pub fn size(&self) -> usize {
        let answer = self.ask("DBSIZE\r\n").unwrap_or_default();
        answer.trim().trim_start_matches(':').parse().unwrap_or_default()
    }

    /// How many keys match a pattern.
    #[must_use]
    pub fn keys(&self, pattern: &str) -> usize {
        let answer = self.ask(&format!("KEYS {pattern}\r\n")).unwrap_or_default();
        let count = answer.lines().next().and_then(|line| line.strip_prefix('*'));
        count.and_then(|count| count.parse().ok()).unwrap_or_default()
    }

    /// Where it listens, without a user.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The port it listens on.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Ends it at once, with all it knew.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts it again on the same port after [`Self::kill`].
    ///
    /// # Panics
    /// As [`Self::start`].
    pub fn start_again(&mut self) {
        let port = self.port.to_string();
        let child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &port, "--save", "", "--appendonly", "no"])
            .args(&self.options)
            .current_dir(std::env::temp_dir())
            .stdout(Stdio::null())
            .spawn();
        self.child = Some(child.unwrap_or_else(|error| {
            panic!("redis-server did not start ({error}); install it: {INSTALL}")
        }));
        self.wait_for("PING\r\n", "");
    }

    /// Asks until the answer has this in it.
    fn wait_for(&self, question: &str, wanted: &str) {
        let until = Instant::now() + Duration::from_secs(30);
        while Instant::now() < until {
            if self.ask(question).is_some_and(|answer| answer.contains(wanted)) {
                return;
            }
            std::thread::yield_now();
        }
        panic!("Redis on port {} did not start", self.port);
    }

    fn ask(&self, question: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.write_all(question.as_bytes()).ok()?;
        stream.write_all(b"QUIT\r\n").ok()?;
        let lines = BufReader::new(stream).lines().map_while(Result::ok);
        let answer: Vec<String> = lines.collect();
        (!answer.is_empty()).then(|| answer.join("\n"))
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
        if let Some(file) = self.options.last().filter(|file| file.ends_with(".conf")) {
            let _ = std::fs::remove_file(file);
        }
    }
}

/// How often a command was executed, by what `INFO commandstats` says.
pub fn calls_in(stats: &str, command: &str) -> u64 {
    let start = format!("cmdstat_{command}:calls=");
    let line = stats.lines().find_map(|line| line.strip_prefix(&start));
    let calls = line.and_then(|line| line.split(',').next());
    calls.and_then(|calls| calls.parse().ok()).unwrap_or(0)
}

/// A port that nothing listens on.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    listener.local_addr().expect("a bound socket has an address").port()
}

/// How Redis is installed where Debian's packages are.
const INSTALL: &str = "apt-get install redis-server";
