//! What a client sends, request by request.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::AsyncRead;

use crate::ending::Ending;
use crate::faults::{Direction, Faults, Refusal, Upgrade};
use crate::life::Life;
use crate::line::Entry;
use crate::posts::Passed;
use crate::requests::{Head, Part, Requests};
use crate::shared::Shared;
use crate::source::Source;

pub(crate) struct Uplink<'a> {
    shared: &'a Shared,
    life: &'a Life,
    up: Entry,
    down: Entry,
    /// The POST that is passing, if something is to happen when it has passed.
    post: Option<Post>,
    /// The request that is being read was refused: the rest of it does not get through either.
    is_refused: bool,
}

struct Post {
    /// Bytes of its body that are missing.
    missing: usize,
    /// The request so far and how long after it a copy follows.
    copy: Option<(BytesMut, Duration)>,
    /// It overtakes one that is held.
    releases: bool,
}

impl<'a> Uplink<'a> {
    pub(crate) const fn new(shared: &'a Shared, life: &'a Life, up: Entry, down: Entry) -> Self {
        Self { shared, life, up, down, post: None, is_refused: false }
    }

    pub(crate) async fn run(mut self, from_client: impl AsyncRead + Unpin) -> Result<(), Ending> {
        let mut requests = Requests::new();
        let mut source = Source::new(self.shared, self.life, Direction::Up, from_client);
        while let Some(bytes) = source.next().await? {
            requests.push(&bytes);
            while let Some(part) = requests.next_part() {
                match part {
                    Part::Head(head) => self.head(head, &mut requests).await,
                    Part::Body(_) | Part::Raw(_) if self.is_refused => {}
                    Part::Body(bytes) => self.body(bytes).await,
                    Part::Raw(bytes) => self.send(bytes).await,
                }
                if self.life.is_mute(Direction::Up) {
                    source.silence();
                    drop(requests.rest());
                }
            }
        }
        self.life.client_ends();
        self.send(requests.rest()).await;
        self.up.end(self.due(0));
        // The end of this direction alone is not the end of the connection; an idle one has its
        // time.
        Ok(())
    }

    async fn head(&mut self, head: Head, requests: &mut Requests) {
        let faults = self.shared.faults();
        let refusal = refusal(&head, &faults);
        self.is_refused = refusal.is_some();
        if let Some(refusal) = refusal {
            return self.refuse(&head, refusal).await;
        }
        self.life.ask(!head.is_head);
        let bytes = self.shared.rewrite(head.bytes.clone(), &faults);
        if head.is_upgrade && !faults.http_1_0 {
            self.shared.count(|counters| counters.upgrades += 1);
            requests.give_up();
            if let Upgrade::Mute(direction) = faults.upgrade {
                self.life.set_mute(direction);
            }
        }
        self.life.arm_cut();
        if head.is_post {
            self.post = self.begin_post(head.body, &bytes, &faults).await;
        }
        self.send(bytes).await;
        self.finish_post();
    }

    async fn begin_post(&self, body: Option<usize>, head: &[u8], faults: &Faults) -> Option<Post> {
        let mut releases = false;
        if let Some(limit) = faults.reorder_posts {
            match self.shared.posts.hold(limit).await {
                Some(overtaken) => {
                    self.shared.count(|counters| counters.reordered += usize::from(overtaken));
                }
                None => releases = true,
            }
        }
        let replay = faults.replay_posts.filter(|_| body.is_some_and(|body| body <= MAX_REPLAY));
        let copy = replay.map(|after| (BytesMut::from(head), after));
        Some(Post { missing: body.unwrap_or(0), copy, releases })
    }

    async fn body(&mut self, bytes: Bytes) {
        if let Some(post) = &mut self.post {
            post.missing -= bytes.len();
            if let Some((copy, _)) = &mut post.copy {
                copy.extend_from_slice(&bytes);
            }
        }
        self.send(bytes).await;
        self.finish_post();
    }

    fn finish_post(&mut self) {
        let Some(post) = self.post.take_if(|post| post.missing == 0) else { return };
        if let Some((request, after)) = post.copy {
            self.up.mark(self.due(0), Passed::Replay(request.freeze(), after));
        }
        if post.releases {
            self.up.mark(self.due(0), Passed::Release);
        }
    }

    async fn refuse(&self, head: &Head, refusal: Refusal) {
        self.shared.count(|counters| match head.is_upgrade {
            true => counters.refused_upgrades += 1,
            false => counters.refused_requests += 1,
        });
        match refusal {
            Refusal::Status(status) => {
                let page = format!(
                    "HTTP/1.1 {status} By Proxy\r\nContent-Type: text/html\r\n\
                     Content-Length: {}\r\n\r\n{PAGE}",
                    PAGE.len()
                );
                let due = self.shared.due(Direction::Down, page.len());
                self.down.send(due, page.into()).await;
                if head.body.is_none() {
                    // Where its body ends is not known, so nothing can come after it.
                    self.down.end(self.shared.due(Direction::Down, 0));
                }
            }
            Refusal::Silence => self.life.set_mute(Direction::Both),
        }
    }

    async fn send(&self, bytes: Bytes) {
        self.up.send(self.due(bytes.len()), bytes).await;
    }

    fn due(&self, size: usize) -> tokio::time::Instant {
        self.shared.due(Direction::Up, size)
    }
}

fn refusal(head: &Head, faults: &Faults) -> Option<Refusal> {
    match faults.upgrade {
        Upgrade::Refuse(refusal) if head.is_upgrade => Some(refusal),
        _ if head.is_post => None,
        _ => faults.only_posts,
    }
}

/// What people see when a proxy does not let them pass.
const PAGE: &str = "<!doctype html><title>Blocked</title><h1>This was refused by a proxy</h1>\n";

/// Bytes of a body that is sent twice at most.
const MAX_REPLAY: usize = 64 * 1024;
