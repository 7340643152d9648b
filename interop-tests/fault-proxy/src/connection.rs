//! One connection through the proxy.

use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::downlink;
use crate::ending::Ending;
use crate::faults::Cut;
use crate::life::Life;
use crate::line::line;
use crate::replay;
use crate::shared::Shared;
use crate::uplink;

/// Takes connections for ever.
pub(crate) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut number = 0;
    loop {
        let Ok((client, _)) = listener.accept().await else { continue };
        if shared.faults().refuse_connections {
            shared.count(|counters| counters.refused_connections += 1);
            // Fails only when the peer was faster.
            let _ = client.set_zero_linger();
            continue;
        }
        number += 1;
        shared.spawn(serve(shared.clone(), number, client));
    }
}

async fn serve(shared: Arc<Shared>, number: u64, mut client: TcpStream) {
    let ordered = shared.opened(number);
    let mut server = None;
    let how = tokio::select! {
        biased;
        Ok(how) = ordered => how,
        ending = relay(&shared, &mut client, &mut server) => {
            if matches!(ending, Ending::MidBody | Ending::TimeUp(_)) {
                shared.count(|counters| counters.cut += 1);
            }
            ending.how()
        }
    };
    if let Some(server) = server {
        end(how, server).await;
    }
    if how == Cut::Vanish {
        listen_in_vain(client).await;
    } else {
        end(how, client).await;
    }
    shared.closed(number);
}

async fn end(how: Cut, mut stream: TcpStream) {
    // Either fails only when the peer was faster, and then the connection is over as well.
    let _ = match how {
        Cut::Reset | Cut::Vanish => stream.set_zero_linger(),
        Cut::Finish => stream.shutdown().await,
    };
}

/// The client may say what it likes; nobody is there any more.
async fn listen_in_vain(mut client: TcpStream) {
    let mut unheard = [0; 1024];
    while client.read(&mut unheard).await.is_ok_and(|read| read > 0) {}
}

async fn relay(
    shared: &Arc<Shared>,
    client: &mut TcpStream,
    server: &mut Option<TcpStream>,
) -> Ending {
    shared.handshake().await;
    let _turn = shared.turn().await;
    let Ok(stream) = TcpStream::connect(shared.target()).await else {
        shared.count(|counters| counters.refused_connections += 1);
        return Ending::Broken;
    };
    let server = server.insert(stream);
    if client.set_nodelay(true).is_err() || server.set_nodelay(true).is_err() {
        return Ending::Broken;
    }
    let ((from_client, to_client), (from_server, to_server)) = (client.split(), server.split());
    let ((up, up_exit), (down, down_exit)) = (line(), line());
    let life = Life::new(shared.clone());
    let relayed = async {
        tokio::try_join!(
            uplink::Uplink::new(shared, &life, up, down.clone()).run(from_client),
            up_exit.deliver(
                to_server,
                |bytes| shared.count(|counters| counters.bytes_up += bytes),
                |passed| replay::post_passed(shared, passed),
            ),
            downlink::Downlink::new(shared, &life, down).run(from_server),
            down_exit.deliver(
                to_client,
                |bytes| shared.count(|counters| counters.bytes_down += bytes),
                drop,
            )
        )
    };
    tokio::select! {
        relayed = relayed => relayed.err().unwrap_or(Ending::Over),
        how = life.over() => Ending::TimeUp(how),
    }
}
