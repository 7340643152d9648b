//! Several servers that form a cluster, in one process.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bowline_client::{Backoff, Client, ClientBuilder, Transport};
use bowline_server::broker::{LocalBroker, RedisBroker};
use bowline_server::{BowlineBuilder, SessionId, Socket};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::app;
use crate::contract::{Join, KickMe};
use crate::fault_proxy::FaultProxy;
use crate::redis_server::RedisServer;
use crate::shaky_broker::{Line, ShakyBroker};
use crate::test_server::{Shape, TestServer};

/// How nodes reach each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bus {
    /// Within the process.
    Local,
    /// Within the process, over connections that can be broken.
    Shaky,
    /// Through a Redis.
    Redis,
    /// Through three of them that form a cluster.
    RedisCluster,
}

/// The cluster.
#[derive(Debug)]
pub struct Nodes {
    /// Its nodes.
    pub servers: Vec<TestServer>,
    /// The way between them, when it is within the process.
    pub local: Option<LocalBroker>,
    /// What breaks the connection of each node, when it is shaky.
    pub lines: Vec<Line>,
    /// The way between them, when it is Redis.
    pub redis: Vec<RedisServer>,
    bus: Bus,
}

impl Nodes {
    /// So many nodes that know each other.
    pub async fn start(bus: Bus, number: usize) -> Self {
        Self::start_with(bus, number, builder).await
    }

    /// As [`Self::start`], with other settings.
    ///
    /// # Panics
    /// When Redis does not start.
    pub async fn start_with(bus: Bus, number: usize, builder: impl Fn() -> BowlineBuilder) -> Self {
        let redis = match bus {
            Bus::Local | Bus::Shaky => Vec::new(),
            Bus::Redis => vec![RedisServer::start()],
            Bus::RedisCluster => RedisServer::start_cluster().into(),
        };
        let local = matches!(bus, Bus::Local | Bus::Shaky).then(LocalBroker::new);
        let mut nodes = Self { servers: Vec::new(), local, lines: Vec::new(), redis, bus };
        for _ in 0..number {
            nodes.add(builder()).await;
        }
        nodes.know_each_other().await;
        nodes
    }

    /// One more node.
    ///
    /// # Panics
    /// When Redis is gone.
    pub async fn add(&mut self, builder: BowlineBuilder) {
        let builder = match &self.local {
            Some(local) if self.bus == Bus::Shaky => {
                let (broker, line) = ShakyBroker::new(local.neighbour());
                self.lines.push(line);
                builder.broker(broker)
            }
            Some(local) => builder.broker(local.neighbour()),
            None => builder.broker(self.redis_broker().await),
        };
        // Each request of a client may go to another node.
        let shape = Shape { one_request_per_connection: true, ..Shape::default() };
        let server = TestServer::start_with(builder.build(), shape);
        // A node takes sessions over once it has served a request.
        let mut stream = TcpStream::connect(server.address()).await.expect("the server listens");
        let health = b"GET /bowline/health HTTP/1.1\r\nhost: node\r\nconnection: close\r\n\r\n";
        stream.write_all(health).await.expect("the server reads");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("the server answers");
        self.servers.push(server);
    }

    /// A way to the same Redis.
    ///
    /// # Panics
    /// When it is gone.
    pub async fn redis_broker(&self) -> RedisBroker {
        RedisBroker::connect(&self.redis[0].url()).await.expect("Redis was started")
    }

    /// Waits until every node knows of all others.
    pub async fn know_each_other(&self) {
        let others = self.servers.len() - 1;
        let knows_all = |server| stats(server).nodes == others && stats(server).takers == others;
        eventually(|| self.servers.iter().all(knows_all)).await;
    }

    /// A client of one node.
    ///
    /// # Panics
    /// When it is not let in.
    pub async fn client(&self, node: usize) -> Client {
        let client = self.builder(node).build().expect("the address is valid");
        client.connect().await.expect("the node lets it in");
        client
    }

    /// A client of one node that is in a room, on whose messages it may rely.
    ///
    /// # Panics
    /// When it is not let in.
    pub async fn member(&self, node: usize, room: &str) -> Client {
        let client = self.client(node).await;
        client.request(Join, &room.to_owned()).await.expect("anyone may join");
        client
    }

    /// A client of one node with settings still open.
    pub fn builder(&self, node: usize) -> ClientBuilder {
        let address = self.servers[node].address();
        builder_for(&format!("http://{address}/bowline"))
    }

    /// A bad network, and behind it a load balancer that gives each connection to the next node.
    ///
    /// # Panics
    /// When there is no port.
    pub async fn front(&self) -> (FaultProxy, Balancer) {
        let targets = self.servers.iter().map(TestServer::address).collect();
        let balancer = Balancer::start(targets).await;
        let proxy = FaultProxy::start(balancer.address()).await.expect("a port is free");
        (proxy, balancer)
    }

    /// The node that holds a session.
    ///
    /// # Panics
    /// When none does.
    #[must_use]
    pub fn owner(&self, session: &SessionId) -> &TestServer {
        let mut servers = self.servers.iter();
        servers.find(|server| server.bowline().socket(session).is_some()).expect("one holds it")
    }
}

/// Gives each connection to the next of some servers: round robin, without cookies.
#[derive(Debug)]
pub struct Balancer {
    address: SocketAddr,
    targets: Arc<Mutex<Vec<SocketAddr>>>,
    task: JoinHandle<()>,
}

impl Balancer {
    /// Listens on a port of its own.
    ///
    /// # Panics
    /// When there is none.
    pub async fn start(targets: Vec<SocketAddr>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("a bound socket has an address");
        let targets = Arc::new(Mutex::new(targets));
        let shared = Arc::clone(&targets);
        let task = tokio::spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((mut client, _)) = listener.accept().await {
                let target = {
                    let mut targets = shared.lock().unwrap_or_else(PoisonError::into_inner);
                    targets.rotate_left(1);
                    targets[0]
                };
                open.spawn(async move {
                    if let Ok(mut server) = TcpStream::connect(target).await {
                        let _ = (client.set_nodelay(true), server.set_nodelay(true));
                        let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                    }
                });
            }
        });
        Self { address, targets, task }
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Gives new connections to other servers from now on.
    pub fn set_targets(&self, targets: Vec<SocketAddr>) {
        *self.targets.lock().unwrap_or_else(PoisonError::into_inner) = targets;
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A client that comes back soon.
pub fn builder_for(url: &str) -> ClientBuilder {
    Client::builder(url)
        .transports([Transport::WebSocket])
        .backoff(Backoff { base: Duration::from_millis(20), cap: Duration::from_millis(200) })
}

/// The application of the tests for several nodes.
pub fn builder() -> BowlineBuilder {
    app::builder()
        .on(Join, |socket: Socket, room: String| async move { socket.join_everywhere(room).await })
        .on("i-am", |socket: Socket, user: String| async move { socket.set_user(user) })
        .on("kick", |socket: Socket, room: String| async move {
            let close = bowline_server::Close::new(
                bowline_server::CloseCode::application(4501)
                    .expect("4501 is an application's code"),
            );
            socket.to(room).disconnect(&close);
        })
        .on(KickMe, |socket: Socket, (): ()| async move { socket.disconnect() })
}

/// What a node says of the others.
///
/// # Panics
/// When it is alone.
#[must_use]
pub fn stats(server: &TestServer) -> bowline_server::ClusterStats {
    server.bowline().cluster_stats().expect("the node has a broker")
}

/// Waits for something that nothing tells of.
pub async fn eventually(mut holds: impl FnMut() -> bool) {
    while !holds() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
