//! What a node has by itself: its sessions, the rooms that they are in, the histories that they
//! follow, and who is present.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, Weak};

use crate::delivery::Delivery;
use crate::history::{Histories, ReportGap};
use crate::presence::Presences;
use crate::rooms::Rooms;
use crate::session::{Common, Surroundings};

pub(crate) struct Local {
    pub(crate) common: Arc<Common>,
    pub(crate) rooms: Arc<Rooms>,
    pub(crate) delivery: Arc<Delivery>,
    pub(crate) histories: Arc<Histories>,
    pub(crate) presence: Presences,
    surroundings: Weak<dyn Surroundings>,
}

impl Local {
    pub(crate) fn new(
        common: Arc<Common>,
        report_gap: Box<ReportGap>,
        surroundings: Weak<dyn Surroundings>,
    ) -> Self {
        let rooms = Arc::<Rooms>::default();
        Self {
            delivery: Arc::new(Delivery::new(Arc::clone(&common), Arc::clone(&rooms))),
            histories: Histories::new(&common.config, Arc::clone(&rooms), report_gap),
            presence: Presences::new(Arc::clone(&common), Arc::clone(&rooms)),
            common,
            rooms,
            surroundings,
        }
    }

    /// What a session of this node calls. `None` if the node is being dropped.
    pub(crate) fn surroundings(&self) -> Option<Arc<dyn Surroundings>> {
        self.surroundings.upgrade()
    }
}

impl Deref for Local {
    type Target = Common;

    fn deref(&self) -> &Common {
        &self.common
    }
}

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local").field("common", &self.common).finish_non_exhaustive()
    }
}
