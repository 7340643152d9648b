//! Input from the server.

use bowline_protocol::{Close, CloseCode, Form, Millis, Packet, ProtocolError, Time, Welcome};

use super::{End, Engine, Finding, Identity, Phase, Probe};

impl<F: Form> Engine<F> {
    /// The WebSocket has opened, or has sent everything.
    pub const fn sent(&mut self) {
        if let Phase::Serving(service) = &mut self.phase {
            service.ready = true;
        }
    }

    /// The long poll has ended; the host has already passed on its packets, if any.
    pub fn polled(&mut self, empty: bool, now: Time) {
        let Phase::Serving(service) = &mut self.phase else { return };
        service.receiving = false;
        if service.welcomed.is_some() {
            service.poll_at = if empty { now + EMPTY_PAUSE } else { Time::ZERO };
        } else if !empty {
            // The server takes long to decide: the client polls again with the next counter.
            service.attachment = None;
            service.poll_at = service.greeted + EMPTY_PAUSE;
        } else {
            self.lost(End::Lost("a poll was answered with nothing".into()), now);
        }
    }

    /// The POST has ended; the host has already passed on its packets, if any. The server may have
    /// refused a part of the body.
    pub fn posted(&mut self, now: Time) {
        let confirmed = self.session.confirmed();
        let Phase::Serving(service) = &mut self.phase else { return };
        service.ready = true;
        service.answer_by = Time::NEVER;
        if confirmed >= service.posted {
            service.retransmits = 0;
        } else {
            service.retransmit_at = now + Millis::new(RETRANSMIT << service.retransmits.min(4));
            service.retransmits += 1;
        }
    }

    /// Handles the next packet of a message or body. Returns false when the host must not use the
    /// rest.
    pub fn packet(&mut self, packet: Result<Packet<F>, ProtocolError>, now: Time) -> bool {
        let Phase::Serving(service) = &mut self.phase else { return false };
        service.prove_by = Time::NEVER;
        service.active = now;
        match packet.and_then(|packet| self.take(packet, now)) {
            // A close may have ended the carrier, and with it the batch.
            Ok(()) => matches!(self.phase, Phase::Serving(_)),
            Err(error) => {
                self.violated(error, now);
                false
            }
        }
    }

    fn take(&mut self, packet: Packet<F>, now: Time) -> Result<(), ProtocolError> {
        let Phase::Serving(service) = &mut self.phase else { return Ok(()) };
        match packet {
            Packet::Close(close) => {
                self.close_received(close, now);
                return Ok(());
            }
            Packet::Welcome(welcome) if service.welcomed.is_none() => {
                return self.welcome(&welcome, now);
            }
            Packet::Alive(_) if service.welcomed.is_none() => {
                // The transport works, and the server takes long to decide. From now on the engine
                // measures silence, as on a carrier that serves.
                service.give_up = Time::NEVER;
            }
            _ if service.welcomed.is_none() => {
                return Err(ProtocolError::Violation("the first packet is a welcome"));
            }
            Packet::Position(next) => {
                service.received = next.saturating_sub(1);
                return Ok(());
            }
            _ => {}
        }
        if packet.is_tracked() {
            service.received += 1;
        }
        self.session.handle_packet(service.received, packet, now)
    }

    fn welcome(&mut self, welcome: &Welcome, now: Time) -> Result<(), ProtocolError> {
        let resumed = self.recognize(welcome)?;
        if self.session.handle_welcome(welcome, now).is_err() {
            // An earlier process ended before it stored everything that it had sent. If the session
            // continued, some numbers would stand for two packets.
            self.session_lost(Close::new(CloseCode::SESSION_GAP), now);
            return Ok(());
        }
        let Phase::Serving(service) = &mut self.phase else { return Ok(()) };
        let (transport, began) = (service.transport, service.began);
        service.welcomed = Some(now);
        service.received = welcome.next.saturating_sub(1);
        service.probe = Probe::Wanted;
        self.limits = Some(welcome.limits);
        self.session_id = Some(welcome.session);
        self.reopening = false;
        self.take = None;
        self.ladder.welcomed(now);
        self.waits.found();
        if let Some(before) = self.last_transport.replace(transport) {
            self.stats.reconnects += 1;
            self.stats.resumes += u64::from(resumed);
            self.stats.transport_switches += u64::from(before != transport);
        }
        self.note(Finding::Serves, transport, began, now);
        self.go_on_with_set_up(resumed, now);
        Ok(())
    }

    /// True if the welcome belongs to the present session, false if it belongs to a new one, whose
    /// identity the client adopts.
    fn recognize(&mut self, welcome: &Welcome) -> Result<bool, ProtocolError> {
        match (&self.identity, welcome.secret) {
            (Identity::Known { session, .. }, _) if *session == welcome.session => Ok(true),
            (Identity::Known { .. }, _) => {
                Err(ProtocolError::Violation("a welcome to another session"))
            }
            (Identity::Fresh { .. }, Some(secret)) => {
                self.identity = Identity::Known { session: welcome.session, secret };
                Ok(false)
            }
            (Identity::Fresh { .. }, None) => {
                Err(ProtocolError::Violation("the welcome to a new session tells its secret"))
            }
        }
    }
}

/// Milliseconds that the client waits at first when a server has refused a part of a body.
const RETRANSMIT: u64 = 100;
/// The pause before the client repeats a poll that returned no packet, or at once without a
/// decision.
const EMPTY_PAUSE: Millis = Millis::from_secs(1);
