//! The program that puts a bad network in front of anything.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;

#[tokio::test]
async fn the_program_is_a_network_with_the_faults_of_its_words() {
    within_a_minute(async {
        let target = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = target.local_addr().unwrap().to_string();
        let mut program = Command::new(env!("CARGO_BIN_EXE_fault-proxy"))
            .args(["--target", &address, "--upgrade", "refuse=403"])
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut said = BufReader::new(program.stdout.take().unwrap()).lines();
        let line = said.next_line().await.unwrap().unwrap();
        let (own, relays_to) = line.split_once(" relays to ").unwrap();
        assert_eq!(relays_to, address);
        let mut client = TcpStream::connect(own.parse::<SocketAddr>().unwrap()).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n").await.unwrap();
        let mut answer = [0; 12];
        client.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 403");
    })
    .await;
}

#[tokio::test]
async fn the_program_explains_itself_when_it_is_called_wrongly() {
    let called = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fault-proxy"));
        command.args(words).kill_on_drop(true);
        async move {
            let output = command.output().await.unwrap();
            assert!(!output.status.success());
            String::from_utf8(output.stderr).unwrap()
        }
    };
    within_a_minute(async {
        let said = called(&["--upgrade", "refuse=403"]).await;
        assert!(said.contains("--target <ADDRESS>"), "{said}");
        let said = called(&[]).await;
        assert!(said.contains("--target <ADDRESS>") && said.contains("--rate <BYTES>"), "{said}");
        let said = called(&["--target", "127.0.0.1:1", "--delay", "fast"]).await;
        assert!(said.contains("'--delay <DURATION>': a duration"), "{said}");
    })
    .await;
}

async fn within_a_minute(test: impl Future<Output = ()>) {
    tokio::time::timeout(Duration::from_secs(60), test).await.expect("the program hangs");
}
