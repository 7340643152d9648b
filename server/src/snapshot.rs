//! A session when it leaves its process, for another node or for a store, in one form.
//!
//! The description is JSON, to which fields are only added, so that versions read each other. The
//! packets of the outbox follow it as they go to the client.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use bowline_protocol::{Encoded, OpenKey, Ownership, Position, Secret, SessionId, Taken};
use bytes::{BufMut as _, Bytes, BytesMut};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::presence::{Info, Moving, People};
use crate::rates::RateLimits;
use crate::session::{Granted, LiveSession, Parted, Validity};

/// A session that was removed from its process. Its packets follow it, one after another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    pub(crate) session: Id<SessionId>,
    pub(crate) secret: Hidden,
    pub(crate) key: Hidden,
    pub(crate) address: Option<IpAddr>,
    pub(crate) counter: u64,
    /// The instance of its client to which it belongs, and how that instance obtained it. Nodes
    /// that do not know instances omit it: then the session belongs to the next instance that
    /// attaches.
    #[serde(default)]
    pub(crate) owner: Option<u64>,
    #[serde(default)]
    pub(crate) taken: Option<(Option<u64>, u64)>,
    pub(crate) received: u64,
    pub(crate) confirmed: u64,
    pub(crate) rooms: Vec<String>,
    /// Its client is away.
    #[serde(default)]
    pub(crate) is_away: bool,
    /// The values that the application keeps with it: names and JSON.
    pub(crate) values: Vec<(String, String)>,
    /// The sizes of the packets.
    pub(crate) packets: Vec<usize>,
    /// The histories that it follows, and its position in each.
    #[serde(default)]
    pub(crate) follows: Follows,
    #[serde(default)]
    pub(crate) presence: Belongings,
    /// For how many milliseconds the server trusts its client, and how many of them are left.
    #[serde(default)]
    pub(crate) validity: Option<(u64, u64)>,
    /// The topics to which its client is subscribed, whether it may publish to them, and for how
    /// many milliseconds still.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) grants: Vec<(String, bool, Option<u64>)>,
    /// The streams that were open: they do not move.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) streams: Vec<u64>,
    /// How fast its client may send, if that was set for this session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) limits: Option<RateLimits>,
    /// For how many more milliseconds it waits for its client, if that had no carrier. Nodes omit
    /// it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) window: Option<u64>,
}

/// The content of a snapshot: a session, and what belongs to it elsewhere.
pub(crate) struct Unpacked {
    pub(crate) id: SessionId,
    pub(crate) secrets: (Secret, OpenKey),
    pub(crate) address: Option<IpAddr>,
    pub(crate) parted: Parted,
    pub(crate) follows: Follows,
    pub(crate) moving: Moving,
}

/// Rooms, and the positions in their histories.
pub(crate) type Follows = Vec<(String, Position)>;

/// The presence of a session that moves: see `Moving`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Belongings {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    present: Vec<(String, Info)>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    untold: Vec<(String, Each)>,
}

/// Sessions and their infos.
pub(crate) type Each = Vec<(Id<SessionId>, Info)>;

/// A secret, which is never logged.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Hidden(pub(crate) String);

/// An identifier, as its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Id<T>(pub(crate) T);

impl Snapshot {
    /// Of a session that was parted, and its packets.
    pub(crate) fn new(
        session: &LiveSession,
        parted: Parted,
        follows: Follows,
        moving: Moving,
    ) -> (Self, Bytes) {
        let mut bytes = BytesMut::new();
        parted.kept.iter().for_each(|packet| bytes.extend_from_slice(packet.as_bytes()));
        let snapshot = Self {
            session: Id(session.id),
            secret: Hidden(session.secret.reveal()),
            key: Hidden(session.key.reveal()),
            address: session.address,
            counter: parted.counter,
            owner: parted.ownership.owner,
            taken: parted.ownership.taken.map(|taken| (taken.from, taken.last)),
            received: parted.received,
            confirmed: parted.confirmed,
            follows,
            rooms: parted.rooms.iter().map(|room| room.to_string()).collect(),
            is_away: parted.is_away,
            values: parted.values,
            presence: moving.into(),
            validity: parted
                .validity
                .map(|validity| (millis(validity.length), millis(validity.left))),
            grants: parted.grants.iter().map(written).collect(),
            streams: parted.streams,
            limits: parted.limits,
            packets: parted.kept.iter().map(|packet| packet.as_bytes().len()).collect(),
            window: None,
        };
        (snapshot, bytes.freeze())
    }

    /// Restores what [`Self::new`] has made. `None` if it is invalid.
    pub(crate) fn unpack(self, mut bytes: Bytes) -> Option<Unpacked> {
        let Id(id) = self.session;
        // Beyond what any session reaches: what is counted on from there shall not overflow.
        (self.received.max(self.confirmed) < MOST).then_some(())?;
        let secrets = (self.secret.0.parse().ok()?, self.key.0.parse().ok()?);
        let mut kept = Vec::with_capacity(self.packets.len());
        for size in self.packets {
            let packet = (size <= bytes.len()).then(|| bytes.split_to(size))?;
            kept.push(Encoded::from_bytes(packet).ok()?);
        }
        let parted = Parted {
            counter: self.counter,
            ownership: Ownership {
                owner: self.owner,
                taken: self.taken.map(|(from, last)| Box::new(Taken { from, last })),
            },
            received: self.received,
            confirmed: self.confirmed,
            kept,
            rooms: self.rooms.iter().map(|room| Arc::from(&**room)).collect(),
            is_away: self.is_away,
            is_stale: false,
            validity: self.validity.map(|(length, left)| Validity {
                length: Duration::from_millis(length),
                left: Duration::from_millis(left),
            }),
            grants: self.grants.into_iter().map(granted).collect(),
            streams: self.streams,
            limits: self.limits,
            values: self.values,
        };
        let (address, follows, moving) = (self.address, self.follows, self.presence.into());
        Some(Unpacked { id, secrets, address, parted, follows, moving })
    }

    /// The snapshot and its packets as one piece of bytes, added to `out`.
    pub(crate) fn write(&self, packets: &[u8], out: &mut BytesMut) {
        let json = serde_json::to_vec(self).expect("a snapshot is plain data");
        out.reserve(4 + json.len() + packets.len());
        out.put_u32(u32::try_from(json.len()).expect("a description is small"));
        out.put_slice(&json);
        out.put_slice(packets);
    }

    /// Reads what [`Self::write`] has written.
    pub(crate) fn read(bytes: &Bytes) -> Option<(Self, Bytes)> {
        let length = bytes.get(..4)?.try_into().map(u32::from_be_bytes).ok()?;
        let end = 4_usize.checked_add(usize::try_from(length).ok()?)?;
        let json = bytes.get(4..end)?;
        Some((serde_json::from_slice(json).ok()?, bytes.slice(end..)))
    }
}

fn written(granted: &Granted) -> (String, bool, Option<u64>) {
    (granted.topic.to_string(), granted.may_publish, granted.left.map(millis))
}

fn granted((topic, may_publish, left): (String, bool, Option<u64>)) -> Granted {
    Granted { topic: topic.into(), may_publish, left: left.map(Duration::from_millis) }
}

/// Numbers of packets end before this.
const MOST: u64 = 1 << 53;

pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

pub(crate) fn each(people: People) -> Each {
    people.into_iter().map(|(session, info)| (Id(session), info)).collect()
}

pub(crate) fn people(each: Each) -> People {
    each.into_iter().map(|(Id(session), info)| (session, info)).collect()
}

impl From<Moving> for Belongings {
    fn from(moving: Moving) -> Self {
        let present = moving.present.into_iter();
        let untold = moving.untold.into_iter();
        Self {
            present: present.map(|(room, info)| (room.to_string(), info)).collect(),
            untold: untold.map(|(room, people)| (room.to_string(), each(people))).collect(),
        }
    }
}

impl From<Belongings> for Moving {
    fn from(belongings: Belongings) -> Self {
        let present = belongings.present.into_iter();
        let untold = belongings.untold.into_iter();
        Self {
            present: present.map(|(room, info)| (room.into(), info)).collect(),
            untold: untold.map(|(room, each)| (room.into(), people(each))).collect(),
        }
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden(masked)")
    }
}

impl<T: fmt::Display> Serialize for Id<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de, T: FromStr> Deserialize<'de> for Id<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(|_| serde::de::Error::custom("no identifier"))
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::{Bytes, Snapshot};

    const JSON: &str = r#"{"session":"AQEBAQEB.AgICAgICAgICAgIC","secret":"AwMDAwMDAwMDAwMDAwMDAw","key":"BAQEBAQEBAQEBAQEBAQEBA","address":null,"counter":5,"received":9,"confirmed":4,"rooms":[],"values":[],"packets":[6]}"#;

    #[test]
    fn what_is_no_session_is_refused() {
        let packets = Bytes::from_static(b"e news");
        let read = |json: &str, packets: &Bytes| {
            let snapshot: Snapshot = serde_json::from_str(json).unwrap();
            snapshot.unpack(packets.clone()).map(|unpacked| unpacked.parted.kept.len())
        };
        assert_eq!(read(JSON, &packets), Some(1));
        assert_eq!(read(JSON, &Bytes::from_static(b"e new")), None, "a packet is cut");
        assert_eq!(read(&JSON.replace(":9", ":18446744073709551615"), &packets), None);
        assert_eq!(read(&JSON.replace("[6]", "[18446744073709551615,7]"), &packets), None);
        assert_eq!(read(&JSON.replace("AwMD", "Aw!D"), &packets), None);
    }

    #[test]
    fn a_record_is_read_as_it_was_written_and_not_when_it_is_cut() {
        let snapshot: Snapshot = serde_json::from_str(JSON).unwrap();
        let mut record = BytesMut::new();
        snapshot.write(b"e news", &mut record);
        let record = record.freeze();
        let read = Snapshot::read(&record);
        assert_eq!(read, Some((snapshot, Bytes::from_static(b"e news"))));
        for end in 0..record.len() - 6 {
            assert_eq!(Snapshot::read(&record.slice(..end)), None, "{end}");
        }
    }
}
