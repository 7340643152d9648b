//! Counts what Redis publishes, and tells messages of a room from nodes that say that they live.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

use bowline_processes::calls_in;

/// One connection that listens to the channel of all nodes and asks for the count of all messages.
/// Both come in the order in which they happened, so what was heard up to an answer is exactly what
/// is in its count.
#[derive(Debug)]
pub(super) struct Witness {
    stream: BufReader<TcpStream>,
    beats: u64,
}

/// What there was until now.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen {
    /// All messages that Redis has published, by its own count.
    pub(super) publishes: u64,
    /// Those to all nodes since the witness listens: that one lives.
    pub(super) beats: u64,
}

impl Witness {
    pub(super) fn new(port: u16) -> Result<Self, String> {
        let stream = TcpStream::connect(("127.0.0.1", port)).map_err(|error| error.to_string())?;
        let mut witness = Self { stream: BufReader::new(stream), beats: 0 };
        // In RESP3 a connection that listens may ask, too.
        witness.say("HELLO 3\r\nSUBSCRIBE bowline:all\r\n")?;
        Ok(witness)
    }

    pub(super) fn look(&mut self) -> Result<Seen, String> {
        self.say("INFO commandstats\r\n")?;
        loop {
            let line = self.line()?;
            let length = || {
                let digits = std::str::from_utf8(&line[1..]).unwrap_or_default();
                digits.trim().parse::<usize>().map_err(|error| format!("Redis: {error}"))
            };
            match line.first() {
                Some(b'$') => self.beats += u64::from(self.bytes(length()?)? == b"message"),
                Some(b'=') => {
                    let stats = self.bytes(length()?)?;
                    let publishes = calls_in(&String::from_utf8_lossy(&stats), "publish");
                    return Ok(Seen { publishes, beats: self.beats });
                }
                Some(b'-') => return Err(String::from_utf8_lossy(&line).into_owned()),
                // How many elements there are, and numbers.
                _ => {}
            }
        }
    }

    fn say(&mut self, words: &str) -> Result<(), String> {
        self.stream.get_mut().write_all(words.as_bytes()).map_err(|error| error.to_string())
    }

    fn line(&mut self) -> Result<Vec<u8>, String> {
        let mut line = Vec::new();
        match self.stream.read_until(b'\n', &mut line) {
            Ok(0) => Err("Redis has closed the connection".to_owned()),
            Ok(_) => Ok(line),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Of a string, and what ends it.
    fn bytes(&mut self, length: usize) -> Result<Vec<u8>, String> {
        let mut bytes = vec![0; length + 2];
        self.stream.read_exact(&mut bytes).map_err(|error| error.to_string())?;
        bytes.truncate(length);
        Ok(bytes)
    }
}
