//! Output to the server.

use bowline_protocol::{
    Attach, Attachment, CarrierId, Form, KeptPacket, Millis, Open, Packet, Time, Transmit,
};

use super::{Engine, FirstLine, Identity, Outgoing, Output, PROBE, Phase, Probe, Route, Transport};

impl<F: Form> Engine<F> {
    /// Measures the round trip again; [`Output::Measured`] follows.
    pub const fn measure(&mut self) {
        if let Phase::Serving(service) = &mut self.phase {
            service.want_probe();
        }
    }

    /// The next output for the carrier.
    pub(super) fn transmit(&mut self, now: Time) -> Option<Output<F>> {
        let Phase::Serving(service) = &mut self.phase else { return None };
        if service.transport == Transport::WebSocket && !service.opening {
            service.opening = true;
            return Some(Output::Open);
        }
        // The poll comes first, because its line confirms as well.
        if service.wants_poll(now) {
            service.receiving = true;
            service.poll_at = Time::ZERO;
            self.counter += 1;
            let line = self.first_line(self.counter, false);
            return Some(Output::Send(Route::Poll, Outgoing { line, packets: Vec::new() }));
        }
        if !service.ready {
            return None;
        }
        let transport = service.transport;
        match service.attachment {
            None if service.poll_at > now => None,
            None => Some(self.greet(transport, now)),
            Some(attachment) => self.next_batch(attachment, now),
        }
    }

    /// Attaches the session to the carrier.
    ///
    /// Packets that wait are sent together with an `open`, in the first round trip. With an
    /// `attach` they wait for the welcome: the server may not have the session any more, and
    /// packets sent beside the `attach` would count as possibly handled, although they were not.
    /// The welcome also states which packets the client need not send again.
    fn greet(&mut self, transport: Transport, now: Time) -> Output<F> {
        self.counter += 1;
        let attachment = Attachment {
            counter: self.counter,
            peer_received: self.session.confirmed(),
            ..Attachment::default()
        };
        let attachment = self
            .session
            .attach(attachment, now)
            .expect("the counter grows, and what is not confirmed is kept");
        let line = self.first_line(self.counter, transport == Transport::Polling);
        let outgoing = if self.sends_at_once() {
            self.collect(line, attachment, now)
        } else {
            Outgoing { line, packets: Vec::new() }
        };
        let route = match transport {
            Transport::WebSocket => Route::Socket,
            Transport::Sse => Route::Stream,
            Transport::Polling => Route::Poll,
        };
        let patience = self.patience(now);
        if let Phase::Serving(service) = &mut self.phase {
            service.attachment = Some(attachment);
            service.greeted = now;
            service.poll_at = Time::ZERO;
            // A WebSocket that took long to open may take as long to receive its welcome.
            service.give_up = service.give_up.max(now + patience);
            service.receiving = true;
            service.ready = transport.is_http();
        }
        self.output(route, outgoing)
    }

    /// The next output on a carrier that serves already. After an `open`, HTTP bodies wait for the
    /// welcome, which contains the secret for their first line.
    fn next_batch(&mut self, attachment: CarrierId, now: Time) -> Option<Output<F>> {
        let at_once = self.sends_at_once();
        let Phase::Serving(service) = &mut self.phase else { return None };
        let (http, transport) = (service.transport.is_http(), service.transport);
        let greeted = service.welcomed.is_some() || (at_once && !http);
        if !greeted || service.retransmit_at < Time::NEVER {
            return None;
        }
        if service.probe == Probe::Wanted {
            self.session.probe(PROBE.into());
        }
        if !self.session.wants_transmit(now) {
            return None;
        }
        let line = if http { self.first_line(0, false) } else { None };
        let outgoing = self.collect(line, attachment, now);
        // A poll is a sign of life by itself.
        if transport == Transport::Polling && outgoing.packets.iter().all(is_alive) {
            return None;
        }
        if let Phase::Serving(service) = &mut self.phase {
            service.ready = false;
            service.posted = self.session.next_number() - 1;
            if http {
                service.answer_by = now + POST_DEADLINE;
            }
        }
        Some(self.output(if http { Route::Post } else { Route::Socket }, outgoing))
    }

    fn output(&mut self, route: Route, outgoing: Outgoing<F>) -> Output<F> {
        self.close_sent |= outgoing.packets.iter().any(is_close);
        Output::Send(route, outgoing)
    }

    /// The line that names the session and the position. A counter of 0 does not attach.
    fn first_line(&mut self, counter: u64, greet: bool) -> Option<FirstLine> {
        Some(match &self.identity {
            Identity::Fresh { key, auth } => {
                let auth = auth.clone().unwrap_or_default();
                let (instance, take) = (self.instance, self.take);
                FirstLine::Open(Open { key: (*key)?, counter, instance, take, auth })
            }
            Identity::Known { session, secret } => FirstLine::Attach(Attach {
                session: *session,
                secret: *secret,
                counter,
                received: self.session.state_received(),
                next: self.session.next_number(),
                // A body that does not attach needs no `last`.
                last: if counter > 0 { self.session.transmitted() } else { 0 },
                instance: self.instance,
                take: self.take,
                greet,
            }),
        })
    }

    /// Collects packets of the session for one batch, at least one.
    fn collect(
        &mut self,
        line: Option<FirstLine>,
        attachment: CarrierId,
        now: Time,
    ) -> Outgoing<F> {
        let limits = self.limits.unwrap_or_default();
        let used = line.as_ref().map_or(0, FirstLine::most_bytes);
        // The size of the next packet is unknown, so there must be room for the largest.
        let largest = limits.packet.saturating_mul(4) / 3 + 8;
        let budget = limits.batch.saturating_sub(largest + used).min(BUDGET);
        let mut packets = Vec::new();
        let mut bytes = 0;
        while (bytes < budget || packets.is_empty())
            && let Ok(Some(packet)) = self.session.poll_transmit(attachment, now)
        {
            bytes += size(&packet);
            if let Transmit::Control(Packet::Heartbeat(token)) = &packet
                && &**token == PROBE
                && let Phase::Serving(service) = &mut self.phase
            {
                service.probe = Probe::Sent(now);
            }
            packets.push(packet);
        }
        if let Phase::Serving(service) = &mut self.phase
            && !(packets.is_empty() && line.is_none())
        {
            service.active = now;
        }
        Outgoing { line, packets }
    }
}

fn size<F: Form>(packet: &Transmit<F>) -> usize {
    match packet {
        Transmit::Tracked { packet, .. } | Transmit::Volatile(packet) => packet.size() + 1,
        Transmit::Control(_) => CONTROL,
    }
}

fn is_alive<F: Form>(packet: &Transmit<F>) -> bool {
    matches!(packet, Transmit::Control(Packet::Alive(token)) if token.is_empty())
}

const fn is_close<F: Form>(packet: &Transmit<F>) -> bool {
    matches!(packet, Transmit::Control(Packet::Close(_)))
}

/// Bytes in a batch, roughly: large enough to amortize a request, small enough not to delay a
/// heartbeat.
const BUDGET: usize = 64 * 1024;
/// The assumed size of a control packet, generous.
const CONTROL: usize = 64;
/// Long enough for a batch on a slow line, short enough for a POST that no server will answer.
const POST_DEADLINE: Millis = Millis::from_secs(30);
