//! Tables of sessions by their ids.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use bowline_protocol::SessionId;

/// Values by the ids of sessions.
pub(crate) type ById<T> = HashMap<SessionId, T, BuildHasherDefault<IdHasher>>;

/// Hashes an id by its last bytes. The server has drawn them at random, and no client chooses an id
/// that is in a table, so they need no mixing, which is what costs most of a lookup.
#[derive(Debug, Default)]
pub(crate) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        if let Some((_, last)) = bytes.split_last_chunk() {
            self.0 = u64::from_le_bytes(*last);
        }
    }

    /// The lengths of the parts of an id, which are always the same.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::hash::{BuildHasher as _, BuildHasherDefault};

    use bowline_protocol::{NodeId, SessionId};

    use super::IdHasher;
    use crate::random::random;

    #[test]
    fn ids_of_one_node_have_different_hashes_in_all_their_bits() {
        let node = NodeId::from_bytes(random());
        let hasher = BuildHasherDefault::<IdHasher>::default();
        let hashes = (0..1000).map(|_| hasher.hash_one(SessionId::new(node, random())));
        let hashes: HashSet<u64> = hashes.collect();
        assert_eq!(hashes.len(), 1000);
        let (ones, zeros) =
            hashes.iter().fold((0, 0), |(ones, zeros), hash| (ones | hash, zeros | !hash));
        assert_eq!(
            (ones, zeros),
            (u64::MAX, u64::MAX),
            "each bit is sometimes set and sometimes not"
        );
    }
}
