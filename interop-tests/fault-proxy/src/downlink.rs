//! What a server sends, answer by answer.

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncRead;
use tokio::time::Instant;

use crate::answers::{Answers, Part};
use crate::ending::Ending;
use crate::faults::{self, Direction, Upgrade};
use crate::life::Life;
use crate::line::Entry;
use crate::shared::Shared;
use crate::source::Source;

pub(crate) struct Downlink<'a> {
    shared: &'a Shared,
    life: &'a Life,
    down: Entry,
    /// What is held back.
    held: BytesMut,
    /// Bytes of the body so far.
    body: usize,
    /// Bytes of the body that pass before it is cut.
    missing: Option<usize>,
}

impl<'a> Downlink<'a> {
    pub(crate) fn new(shared: &'a Shared, life: &'a Life, down: Entry) -> Self {
        Self { shared, life, down, held: BytesMut::new(), body: 0, missing: None }
    }

    pub(crate) async fn run(mut self, from_server: impl AsyncRead + Unpin) -> Result<(), Ending> {
        let mut answers = Answers::new();
        let mut source = Source::new(self.shared, self.life, Direction::Down, from_server);
        while let Some(bytes) = source.next().await? {
            answers.push(&bytes);
            while let Some(part) = answers.next_part(|| self.life.answers_with_a_body()) {
                if self.part(part).await {
                    self.down.cut(self.due(0));
                    return Ok(());
                }
            }
            if !self.held.is_empty() {
                self.shared.count(|counters| counters.held += 1);
            }
            if self.life.is_mute(Direction::Down) {
                source.silence();
            }
        }
        if !self.life.client_has_ended() {
            self.shared.count(|counters| counters.closed_by_server += 1);
        }
        self.hold(answers.rest()).await;
        self.flush().await;
        self.down.end(self.due(0));
        Ok(())
    }

    /// Passes a part on, or keeps it. True if the connection is to be cut behind it.
    async fn part(&mut self, part: Part) -> bool {
        match part {
            Part::Head(head) => {
                self.body = 0;
                self.missing = self.life.cut_body_after();
                let (faults, is_upgrade) = (self.shared.faults(), is_upgrade(&head));
                if let (Upgrade::Kill(after, how), true) = (faults.upgrade, is_upgrade) {
                    self.life.end_at(Instant::now() + after, how);
                }
                self.shared.count(|counters| counters.upgraded += usize::from(is_upgrade));
                self.hold(self.shared.rewrite(head, &faults)).await;
                if is_upgrade || self.missing == Some(0) {
                    self.flush().await;
                }
                return self.missing == Some(0);
            }
            Part::Body(mut bytes) => {
                if let Some(missing) = &mut self.missing {
                    bytes.truncate(*missing);
                    *missing -= bytes.len();
                }
                self.body += bytes.len();
                self.hold(bytes).await;
                if self.missing == Some(0) {
                    self.flush().await;
                    return true;
                }
            }
            Part::End => self.flush().await,
            Part::Raw(bytes) => {
                self.flush().await;
                self.send(bytes).await;
            }
        }
        false
    }

    /// Part of an answer, which passes as far as answers pass at the moment.
    async fn hold(&mut self, bytes: Bytes) {
        if bytes.is_empty() {
            return;
        }
        match self.shared.faults().answers {
            faults::Answers::Pass => {}
            faults::Answers::Buffer(size) if self.body >= size => {}
            faults::Answers::Buffer(_) | faults::Answers::Whole => {
                return self.held.extend_from_slice(&bytes);
            }
            faults::Answers::HoldLast => {
                // The head waits for nothing: it is what follows that is looked at.
                if self.body > 0 {
                    self.flush().await;
                    return self.held.extend_from_slice(&bytes);
                }
            }
        }
        self.flush().await;
        self.send(bytes).await;
    }

    async fn flush(&mut self) {
        if !self.held.is_empty() {
            let held = self.held.split().freeze();
            self.send(held).await;
        }
    }

    async fn send(&self, bytes: Bytes) {
        self.down.send(self.due(bytes.len()), bytes).await;
    }

    fn due(&self, size: usize) -> Instant {
        self.shared.due(Direction::Down, size)
    }
}

fn is_upgrade(head: &[u8]) -> bool {
    head.get(9..12) == Some(b"101")
}
