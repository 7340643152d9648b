//! Messages of other nodes, for `server/fuzz`.

use std::sync::Arc;

use bowline_protocol::NodeId;
use bytes::{BufMut as _, Bytes, BytesMut};

use super::Cluster;
use super::bus::wire::{Head, Message, VERSION};
use crate::broker::Delivery;
use crate::local::Local;

/// Receives a message on a channel. Its form states whether it is complete, or begins with the
/// description of one, which ends at a newline and gets the head that it needs.
pub(crate) fn message(
    (cluster, local): (&Arc<Cluster>, &Arc<Local>),
    channel: u8,
    form: u8,
    rest: Bytes,
) {
    let message = if form == 0 { rest } else { framed(form, &rest) };
    if let Some(head) = Head::read(&message)
        && let Some((read, bytes)) = Message::read(&message)
    {
        let again = head.write(&read, &bytes);
        assert_eq!(Head::read(&again).map(|head| head.call), Some(head.call));
        assert_eq!(Message::read(&again), Some((read, bytes)));
    }
    let own = format!("n:{}", local.id);
    let channel = [&*own, "all", "r:room", "p:room", "h:room"][usize::from(channel) % 5].into();
    cluster.receive(local, Delivery::Message { channel, message });
    for session in local.registry.all() {
        local.registry.remove(&session, local.now());
    }
}

/// One of a few nodes sends it; its numbers are small, or the largest.
fn framed(form: u8, rest: &[u8]) -> Bytes {
    let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    let (json, bytes) = rest.split_at(end);
    let sender = NodeId::from_bytes([form & 3; 6]);
    let number = [0, 1, 2, u64::MAX][usize::from(form >> 2 & 3)];
    let mut message = BytesMut::new();
    message.put_slice(b"BW");
    message.put_slice(&[VERSION, form >> 4 & 1]);
    message.put_slice(sender.as_bytes());
    message.put_u64(number);
    message.put_u64([1, 2, 0, u64::MAX][usize::from(form >> 5 & 3)]);
    message.put_u32(json.len() as u32);
    message.put_slice(json);
    message.put_slice(bytes.get(1..).unwrap_or_default());
    message.freeze()
}
