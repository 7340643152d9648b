//! What the server says.

use std::time::Duration;

use bowline_protocol::{Batch, Close, Limits, Packet, ProtocolError, Retry, Time, Welcome};
use bytes::Bytes;

use super::{Driver, Identity, Phase, Probe};
use crate::carrier::{End, Incoming};
use crate::status::Status;

impl Driver {
    pub(super) fn incoming(&mut self, incoming: Incoming, now: Time) {
        match incoming {
            Incoming::Ready => {}
            Incoming::Batch(batch) => self.batch(batch, now),
            Incoming::Binary(message) => {
                let taken =
                    Packet::parse_binary(&message).and_then(|packet| self.packet(packet, now));
                if let Err(error) = taken {
                    self.violated(error, now);
                }
            }
            Incoming::Answer { body, last } => self.answer(body, last, now),
            Incoming::Ended(end) => self.carrier_ended(end, now),
        }
    }

    fn batch(&mut self, body: Bytes, now: Time) {
        let Phase::Serving(service) = &self.phase else { return };
        if body.is_empty() && service.welcomed.is_none() {
            return self.lost("a poll was answered with nothing".to_owned(), now);
        }
        if let Err(error) = self.packets(body, now) {
            self.violated(error, now);
        }
    }

    fn packets(&mut self, body: Bytes, now: Time) -> Result<(), ProtocolError> {
        let mut batch = Batch::new(body, &self.inbound_limits())?;
        while let Some(packet) = batch.next_packet() {
            self.packet(packet?, now)?;
            if !matches!(self.phase, Phase::Serving(_)) {
                // A close has ended the carrier, and with it the batch.
                break;
            }
        }
        Ok(())
    }

    /// What we accept: whoever accepts large packets may also send them.
    pub(super) fn inbound_limits(&self) -> Limits {
        let own = Limits::default();
        Limits {
            packet: own.packet.max(self.limits.packet),
            batch: own.batch.max(self.limits.batch),
        }
    }

    /// A POST was answered; perhaps the server did not take all of it.
    fn answer(&mut self, body: Bytes, last: u64, now: Time) {
        self.batch(body, now);
        let confirmed = self.shared.lock().session.confirmed();
        let Phase::Serving(service) = &mut self.phase else { return };
        if confirmed >= last {
            service.retransmits = 0;
        } else {
            service.retransmit_at = Some(now + RETRANSMIT * (1 << service.retransmits.min(4)));
            service.retransmits += 1;
        }
    }

    fn packet(&mut self, packet: Packet, now: Time) -> Result<(), ProtocolError> {
        let Phase::Serving(service) = &mut self.phase else { return Ok(()) };
        match packet {
            Packet::Close(close) => {
                self.close(close, now);
                return Ok(());
            }
            Packet::Welcome(welcome) if service.welcomed.is_none() => {
                return self.welcome(&welcome, now);
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
        self.shared.lock().session.handle_packet(service.received, packet, now)
    }

    /// A close that stops the client is the session's affair, and is answered; any other ends the
    /// carrier.
    fn close(&mut self, close: Close, now: Time) {
        let Phase::Serving(service) = &self.phase else { return };
        if close.code.retry() == Retry::Stop && service.welcomed.is_some() {
            let taken = self.shared.lock().session.handle_packet(0, Packet::Close(close), now);
            taken.expect("a close is always taken");
        } else {
            self.carrier_ended(End::Close(close), now);
        }
    }

    fn welcome(&mut self, welcome: &Welcome, now: Time) -> Result<(), ProtocolError> {
        let resumed = self.recognize(welcome)?;
        let Phase::Serving(service) = &mut self.phase else { return Ok(()) };
        let transport = service.transport;
        self.limits = welcome.limits;
        self.reopening = false;
        self.ladder.welcomed(now);
        let mut core = self.shared.lock();
        core.session.handle_welcome(welcome, now)?;
        service.welcomed = Some(now);
        service.received = welcome.next.saturating_sub(1);
        service.probe = Probe::Wanted;
        if let Some(before) = self.last_transport.replace(transport) {
            core.stats.reconnects += 1;
            core.stats.resumes += u64::from(resumed);
            core.stats.transport_switches += u64::from(before != transport);
        }
        core.limits = Some(welcome.limits);
        core.session_id = Some(welcome.session);
        core.board.set(Status::Connected { transport, resumed });
        core.welcomed();
        Ok(())
    }

    /// True if the welcome is to the session that we have, false if it is to a new one, whose identity
    /// is taken over.
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

/// How long a server that did not take all of a body has to recover, at first.
const RETRANSMIT: Duration = Duration::from_millis(100);
