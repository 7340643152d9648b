//! One timer for every deadline of the driver.

use std::task::{Context, Poll};

use bowline_protocol::Time;
use futures::FutureExt;

use crate::platform::{BoxFuture, Platform};

/// Resolves at a deadline, or earlier. When the deadline moves back, as the one for silence does
/// with every packet, the timer is reset only when the earlier deadline is reached.
#[derive(Default)]
pub(crate) struct Timer(Option<(Time, BoxFuture<()>)>);

impl Timer {
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        deadline: Option<Time>,
        now: Time,
        platform: &dyn Platform,
    ) -> Poll<()> {
        let Some(deadline) = deadline else { return Poll::Pending };
        if self.0.as_ref().is_none_or(|(at, _)| deadline < *at) {
            self.0 = Some((deadline, platform.sleep(deadline - now)));
        }
        let Some((_, sleep)) = &mut self.0 else { return Poll::Pending };
        std::task::ready!(sleep.poll_unpin(cx));
        self.0 = None;
        Poll::Ready(())
    }
}
