//! What the client says.

use bowline_protocol::{Attach, Attachment, CarrierId, Limits, Open, Packet, Time, Transmit};
use bytestring::ByteString;

use super::{Driver, Identity, PROBE, Phase, Probe, Service};
use crate::Transport;
use crate::carrier::Outgoing;
use crate::shared::Core;

impl Driver {
    /// Gives the carrier what waits, if it can take it.
    pub(super) fn transmit(&mut self, now: Time) {
        let Phase::Serving(service) = &mut self.phase else { return };
        let mut core = self.shared.lock();
        // The poll comes first, because its line confirms as well.
        if service.carrier.wants_poll() {
            self.counter += 1;
            let line = first_line(&self.identity, self.counter, false, &mut core);
            service.carrier.poll_again(line);
        }
        let mut batch = None;
        if service.carrier.is_ready() {
            batch = match service.attachment {
                None => {
                    self.counter += 1;
                    Some(greet(&self.identity, self.counter, self.limits, service, &mut core, now))
                }
                Some(attachment) => {
                    next_batch(&self.identity, attachment, self.limits, service, &mut core, now)
                }
            };
        }
        if let Some(batch) = batch {
            self.told |= batch.packets.iter().any(is_close);
            service.carrier.send(batch);
        }
    }
}

/// Attaches the session to the carrier.
///
/// What waits goes out together with an open, in the first round trip. With an attach it waits for the
/// welcome: the server may not have the session any more, and then a packet that went out beside the
/// attach would count as one that may have been handled, although it was not. The welcome also says
/// which packets need not be sent again.
fn greet(
    identity: &Identity,
    counter: u64,
    limits: Limits,
    service: &mut Service,
    core: &mut Core,
    now: Time,
) -> Outgoing {
    let attachment = Attachment { counter, peer_received: core.session.confirmed() };
    let attachment = core
        .session
        .attach(attachment, now)
        .expect("the counter grows, and what is not confirmed is kept");
    service.attachment = Some(attachment);
    let greet = service.transport == Transport::Polling;
    let line = first_line(identity, counter, greet, core);
    match identity {
        Identity::Fresh { .. } => collect(Some(line), attachment, limits, service, core, now),
        Identity::Known { .. } => Outgoing { line: Some(line), last: 0, packets: Vec::new() },
    }
}

/// What goes out on a carrier that serves already. After an open, HTTP bodies wait for the welcome,
/// which tells the secret that they show.
fn next_batch(
    identity: &Identity,
    attachment: CarrierId,
    limits: Limits,
    service: &mut Service,
    core: &mut Core,
    now: Time,
) -> Option<Outgoing> {
    let http = service.carrier.is_http();
    let known = matches!(identity, Identity::Known { .. });
    let greeted = service.welcomed.is_some() || !(http || known);
    if !greeted || service.retransmit_at.is_some() {
        return None;
    }
    if service.probe == Probe::Wanted {
        core.session.probe(PROBE.into());
    }
    if !core.session.wants_transmit(now) {
        return None;
    }
    let line = http.then(|| first_line(identity, 0, false, core));
    let batch = collect(line, attachment, limits, service, core, now);
    // A poll is a sign of life by itself.
    let needless = service.transport == Transport::Polling && batch.packets.iter().all(is_alive);
    (!needless).then_some(batch)
}

/// The line that says which session speaks, from which position. A counter of 0 attaches nothing.
fn first_line(identity: &Identity, counter: u64, greet: bool, core: &mut Core) -> String {
    match identity {
        Identity::Fresh { key, auth } => {
            let auth = auth.clone().unwrap_or_else(ByteString::new);
            Open { key: *key, counter, auth }.to_string()
        }
        Identity::Known { session, secret } => Attach {
            session: *session,
            secret: *secret,
            counter,
            received: core.session.state_received(),
            next: core.session.next_number(),
            greet,
        }
        .to_string(),
    }
}

/// Takes from the session what fits into one batch, at least one packet.
fn collect(
    line: Option<String>,
    attachment: CarrierId,
    limits: Limits,
    service: &mut Service,
    core: &mut Core,
    now: Time,
) -> Outgoing {
    let used = line.as_ref().map_or(0, String::len);
    // The size of the next packet is not known before it is taken, so there is room for the largest.
    let largest = limits.packet.saturating_mul(4) / 3 + 8;
    let budget = limits.batch.saturating_sub(largest + used).min(BUDGET);
    let mut packets = Vec::new();
    let mut bytes = 0;
    while (bytes < budget || packets.is_empty())
        && let Ok(Some(packet)) = core.session.poll_transmit(attachment, now)
    {
        bytes += size(&packet);
        if matches!(&packet, Transmit::Control(Packet::Heartbeat(token)) if &**token == PROBE) {
            service.probe = Probe::Sent(now);
        }
        packets.push(packet);
    }
    Outgoing { line, last: core.session.next_number() - 1, packets }
}

fn size(packet: &Transmit) -> usize {
    match packet {
        Transmit::Tracked { packet, .. } | Transmit::Volatile(packet) => packet.size() + 1,
        Transmit::Control(_) => CONTROL,
    }
}

fn is_alive(packet: &Transmit) -> bool {
    matches!(packet, Transmit::Control(Packet::Alive(token)) if token.is_empty())
}

const fn is_close(packet: &Transmit) -> bool {
    matches!(packet, Transmit::Control(Packet::Close(_)))
}

/// Bytes in a batch, roughly: enough to amortize a request, little enough to not hold up a heartbeat.
const BUDGET: usize = 64 * 1024;
/// What a control packet counts, generously.
const CONTROL: usize = 64;
