//! What a carrier is to send next.

use std::ops::ControlFlow;

use super::{CarrierGone, CarrierId, Session, Transmit};
use crate::{Form, Packet, Time};

/// The next packet to send.
enum Next<F: Form> {
    Control(Packet<F>),
    Volatile(F::Packet),
    /// A packet of the outbox.
    Kept,
}

impl<F: Form> Session<F> {
    /// The next packet to send on this carrier, `None` when there is none for now.
    ///
    /// # Errors
    /// When the carrier does not serve the session any more: its driver ends it.
    pub fn poll_transmit(
        &mut self,
        carrier: CarrierId,
        now: Time,
    ) -> Result<Option<Transmit<F>>, CarrierGone> {
        if let Some(gone) = self.gone(carrier) {
            return Err(gone);
        }
        let Some(next) = self.next_transmit(now) else { return Ok(None) };
        self.liveness.sent(now);
        Ok(match next {
            Next::Kept => self
                .outbox
                .send_next()
                .map(|(number, packet)| Transmit::Tracked { number, packet: packet.clone() }),
            Next::Volatile(packet) => Some(Transmit::Volatile(packet)),
            Next::Control(packet) => Some(Transmit::Control(packet)),
        })
    }

    /// Passes all packets that are to be sent on this carrier to `take`, in order, until it breaks:
    /// [`Self::poll_transmit`] for a driver that writes at once. Packets of the outbox are
    /// borrowed, not cloned. Returns true if there was at least one.
    ///
    /// # Errors
    /// As [`Self::poll_transmit`].
    pub fn drain(
        &mut self,
        carrier: CarrierId,
        now: Time,
        mut take: impl FnMut(Transmit<F, &F::Packet>) -> ControlFlow<()>,
    ) -> Result<bool, CarrierGone> {
        if let Some(gone) = self.gone(carrier) {
            return Err(gone);
        }
        let mut any = false;
        // The last packet on a carrier ends it.
        while self.serves(carrier)
            && let Some(next) = self.next_transmit(now)
        {
            any = true;
            let flow = match next {
                Next::Kept => self
                    .outbox
                    .send_kept(|number, packet| take(Transmit::Tracked { number, packet })),
                Next::Volatile(packet) => take(Transmit::Volatile(packet)),
                Next::Control(packet) => take(Transmit::Control(packet)),
            };
            if flow.is_break() {
                break;
            }
        }
        if any {
            self.liveness.sent(now);
        }
        Ok(any)
    }

    /// True if [`Self::poll_transmit`] on the current carrier would yield something.
    #[must_use]
    pub fn wants_transmit(&self, now: Time) -> bool {
        self.attached
            && (self.outbox.has_unsent()
                || self.owes_alive.is_some()
                || self.owes_heartbeat.is_some()
                || self.inbox.owes_confirmation(now)
                || self.dismissal.is_some()
                || self.closing.as_ref().is_some_and(|closing| !closing.is_sent))
    }

    /// The next packet to send. A packet of the outbox stays there.
    fn next_transmit(&mut self, now: Time) -> Option<Next<F>> {
        if let Some(token) = self.owes_alive.take() {
            return Some(Next::Control(Packet::Alive(token)));
        }
        let ending = self.closing.as_ref().is_some_and(|closing| !closing.is_sent);
        let unsent = self.outbox.has_unsent();
        let beside = unsent && self.inbox.confirms_beside();
        if self.inbox.owes_confirmation(now) || beside || (ending && self.inbox.has_unconfirmed()) {
            return Some(Next::Control(Packet::Confirm(self.inbox.confirm())));
        }
        if let Some(packet) = self.outbox.next_volatile() {
            return Some(Next::Volatile(packet));
        }
        if unsent {
            if self.outbox.take_skipped() {
                return Some(Next::Control(Packet::Position(self.outbox.next_number())));
            }
            return Some(Next::Kept);
        }
        if let Some(token) = self.owes_heartbeat.take() {
            return Some(Next::Control(Packet::Heartbeat(token)));
        }
        if F::SERVES
            && let Some(close) = self.dismissal.take()
        {
            self.leave(CarrierGone::Detached, now);
            return Some(Next::Control(Packet::Close(*close)));
        }
        let closing = self.closing.as_mut().filter(|closing| !closing.is_sent)?;
        closing.is_sent = true;
        // The close may be lost with its carrier, so the session stays a little longer to send it
        // again.
        let linger = if closing.by_peer { std::time::Duration::ZERO } else { self.config.grace };
        self.expires = Some(now + linger);
        Some(Next::Control(Packet::Close(closing.close.clone())))
    }
}
