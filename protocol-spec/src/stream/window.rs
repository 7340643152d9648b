//! The window of one direction of a stream, at either end.
//!
//! Spec: 12-streams, "Windows".

use std::collections::VecDeque;
use std::fmt;

/// How much a receiver allows its peer to send ahead of what it has taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Window {
    /// The number of outstanding items, at most: 1 to 65,536.
    pub items: u64,
    /// The bytes of all outstanding items, at most, and at least 1,024. One item may have half of
    /// it.
    pub bytes: u64,
}

impl Window {
    /// True if both numbers are allowed.
    #[must_use]
    pub const fn is_valid(self) -> bool {
        self.items >= 1 && self.items <= MAX_ITEMS && self.bytes >= MIN_BYTES
    }
}

/// A sender keeps a number for each outstanding item.
const MAX_ITEMS: u64 = 65_536;
const MIN_BYTES: u64 = 1_024;

/// The sender's end of a window: which items are outstanding.
#[derive(Debug, Clone)]
pub struct SendWindow {
    window: Window,
    /// The sizes of the outstanding items, oldest first.
    outstanding: VecDeque<u64>,
    bytes: u64,
    taken: u64,
}

/// The receiver's end of a window: which items have arrived and were not taken, and when its peer
/// has to be notified.
#[derive(Debug, Clone)]
pub struct ReceiveWindow {
    window: Window,
    outstanding: u64,
    bytes: u64,
    taken: u64,
    /// What was taken since the peer was notified.
    unreported: Window,
}

/// The peer has sent more than the window allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowExceeded;

/// The item is larger than half the window of its receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ItemTooLarge {
    /// The largest size of an item, in bytes.
    pub limit: u64,
}

impl SendWindow {
    /// Nothing is outstanding.
    #[must_use]
    pub const fn new(window: Window) -> Self {
        Self { window, outstanding: VecDeque::new(), bytes: 0, taken: 0 }
    }

    /// True if some item may be sent now: one that is small enough.
    #[must_use]
    pub fn has_room(&self) -> bool {
        (self.outstanding.len() as u64) < self.window.items && self.bytes < self.window.bytes
    }

    /// True if an item of this size may be sent now.
    ///
    /// # Errors
    /// When it may never be sent.
    pub fn fits(&self, size: u64) -> Result<bool, ItemTooLarge> {
        let limit = self.window.bytes / 2;
        if size > limit {
            return Err(ItemTooLarge { limit });
        }
        let has_place = (self.outstanding.len() as u64) < self.window.items;
        Ok(has_place && size <= self.window.bytes - self.bytes)
    }

    /// An item of this size was sent. It must [fit](Self::fits).
    pub fn sent(&mut self, size: u64) {
        debug_assert_eq!(self.fits(size), Ok(true), "an item is sent when it fits");
        self.outstanding.push_back(size);
        self.bytes += size;
    }

    /// The receiver has taken so many items since the stream was opened. True if that makes room.
    pub fn taken(&mut self, taken: u64) -> bool {
        let sent = self.taken + self.outstanding.len() as u64;
        if taken <= self.taken || taken > sent {
            return false;
        }
        for _ in self.taken..taken {
            self.bytes -= self.outstanding.pop_front().unwrap_or_default();
        }
        self.taken = taken;
        true
    }

    /// The number of outstanding items, and their bytes.
    #[must_use]
    pub fn outstanding(&self) -> Window {
        Window { items: self.outstanding.len() as u64, bytes: self.bytes }
    }
}

impl ReceiveWindow {
    /// Nothing has arrived.
    #[must_use]
    pub const fn new(window: Window) -> Self {
        let unreported = Window { items: 0, bytes: 0 };
        Self { window, outstanding: 0, bytes: 0, taken: 0, unreported }
    }

    /// An item of this size has arrived.
    ///
    /// # Errors
    /// When the peer was not allowed to send it.
    pub fn received(&mut self, size: u64) -> Result<(), WindowExceeded> {
        let bytes = self.bytes.saturating_add(size);
        let is_too_large = size > self.window.bytes / 2;
        if is_too_large || self.outstanding >= self.window.items || bytes > self.window.bytes {
            return Err(WindowExceeded);
        }
        self.outstanding += 1;
        self.bytes = bytes;
        Ok(())
    }

    /// The application has taken the oldest item, of this size. Returns the number of items taken
    /// in all, when the peer has to receive it now.
    #[must_use]
    pub fn take(&mut self, size: u64) -> Option<u64> {
        self.outstanding -= 1;
        self.bytes -= size;
        self.taken += 1;
        self.unreported.items += 1;
        self.unreported.bytes += size;
        // The sum of a quarter: what is outstanding may be blocked by one item of half the window.
        let is_due = self.unreported.items * 4 >= self.window.items
            || self.unreported.bytes.saturating_mul(4) >= self.window.bytes;
        is_due.then(|| {
            self.unreported = Window { items: 0, bytes: 0 };
            self.taken
        })
    }

    /// The bytes of the items that have arrived and were not taken.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl fmt::Display for WindowExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the peer has sent more of a stream than the window allows")
    }
}

impl std::error::Error for WindowExceeded {}

impl fmt::Display for ItemTooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit = self.limit;
        write!(f, "an item has at most {limit} bytes, half the receiver's window: send it in parts")
    }
}

impl std::error::Error for ItemTooLarge {}

#[cfg(test)]
mod tests {
    use super::{ItemTooLarge, ReceiveWindow, SendWindow, Window, WindowExceeded};

    const WINDOW: Window = Window { items: 4, bytes: 100 };

    #[test]
    fn a_sender_stops_at_the_smaller_bound() {
        let mut window = SendWindow::new(WINDOW);
        for _ in 0..2 {
            assert_eq!(window.fits(40), Ok(true));
            window.sent(40);
        }
        assert_eq!(window.fits(40), Ok(false), "bytes");
        window.sent(20);
        assert!(!window.has_room(), "bytes");
        assert!(window.taken(2));
        assert_eq!(window.outstanding(), Window { items: 1, bytes: 20 });
        (0..3).for_each(|_| window.sent(0));
        assert_eq!((window.fits(0), window.has_room()), (Ok(false), false), "items");
    }

    #[test]
    fn an_item_that_might_never_fit_is_refused() {
        let window = SendWindow::new(WINDOW);
        assert_eq!((window.fits(50), window.fits(51)), (Ok(true), Err(ItemTooLarge { limit: 50 })));
    }

    #[test]
    fn a_credit_that_cannot_be_is_ignored() {
        let mut window = SendWindow::new(WINDOW);
        window.sent(1);
        assert!(!window.taken(2), "more than was sent");
        assert!(window.taken(1) && !window.taken(1) && !window.taken(0));
        assert_eq!(window.outstanding(), Window { items: 0, bytes: 0 });
    }

    #[test]
    fn a_receiver_notices_what_exceeds_its_window() {
        let mut window = ReceiveWindow::new(WINDOW);
        assert_eq!(window.received(51), Err(WindowExceeded), "no item has so many bytes");
        assert_eq!((window.received(50), window.received(50)), (Ok(()), Ok(())));
        assert_eq!(window.received(1), Err(WindowExceeded), "bytes");
        assert_eq!((window.received(0), window.received(0)), (Ok(()), Ok(())));
        assert_eq!(window.received(0), Err(WindowExceeded), "items");
        assert_eq!((window.take(50), window.bytes()), (Some(1), 50));
        assert_eq!(window.received(u64::MAX), Err(WindowExceeded));
    }

    #[test]
    fn no_sender_waits_for_a_receiver_that_has_taken_everything() {
        // Whatever the sizes are, once all items are taken and their credits have arrived, the
        // largest item fits.
        let sizes = [0, 1, 10, 24, 25, 26, 49, 50];
        for seed in 0..4096_usize {
            let (mut sender, mut receiver) = (SendWindow::new(WINDOW), ReceiveWindow::new(WINDOW));
            for step in 0..4 {
                let size = sizes[seed >> (3 * step) & 7];
                if sender.fits(size) == Ok(true) {
                    sender.sent(size);
                    receiver.received(size).unwrap();
                    if let Some(taken) = receiver.take(size) {
                        assert!(sender.taken(taken));
                    }
                }
            }
            assert_eq!(sender.fits(50), Ok(true), "{seed:o}");
        }
    }
}
