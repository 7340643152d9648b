//! Logs in Redis: a stream contains the messages, a hash beside it the epoch and the last offset.
//!
//! A script appends and publishes in one step, so that listeners receive the messages of a log in
//! the order of their offsets, from whichever nodes they come.

#![expect(clippy::disallowed_methods, reason = "a task for each request to a log in Redis")]

use std::time::Duration;

use bowline_protocol::Position;
use bytes::Bytes;
use redis::{Cmd, RedisError, cmd};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::link::{Connection, Link};
use crate::broker::logs::{REMEMBERED, new_position};
use crate::broker::{Appended, Keep, LogEntry, Once, Slice, Unavailable};
use crate::complaints::limited;

/// Receives the outcome.
pub(super) type Done<T> = oneshot::Sender<Result<T, Unavailable>>;

/// The answer of the scripts about a log: epoch, last offset, time, entries.
type Raw = (String, u64, u64, Vec<(String, (String, u64, String, Vec<u8>))>);

impl Link {
    /// Appends, concurrently with everything else.
    pub(super) fn append(
        &self,
        log: &str,
        message: &Bytes,
        keep: Keep,
        once: Option<Once>,
        done: Done<Appended>,
    ) {
        let mut command = self.script_with(APPEND, log, keep, once.map(|once| once.id));
        command
            .arg(&**message)
            .arg(keep.messages)
            .arg(keep.bytes)
            .arg(self.publish_command())
            .arg(self.name(log))
            .arg(once.map_or(0, |once| millis(once.age)));
        let connection = self.commands();
        tokio::spawn(async move { report(done, append(connection, command).await) });
    }

    /// Reads, concurrently with everything else.
    pub(super) fn read(&self, log: &str, keep: Keep, done: Done<Slice>) {
        let (command, connection) = (self.script(READ, log, keep), self.commands());
        tokio::spawn(async move { report(done, read(connection, command, keep).await) });
    }

    /// Deletes messages, concurrently with everything else.
    pub(super) fn trim(&self, log: &str, to: Option<Position>, keep: Keep, done: Done<u64>) {
        let mut command = self.script(TRIM, log, keep);
        let Position { epoch, offset } =
            to.unwrap_or_else(|| Position { epoch: String::new(), offset: 0 });
        command.arg(epoch).arg(offset).arg(self.publish_command()).arg(self.name(log));
        let mut connection = self.commands();
        tokio::spawn(async move { report(done, connection.query(&command).await) });
    }

    /// A script with the keys of the log, an epoch for a new one, and the times after which the
    /// messages and the end of the log may be dropped.
    fn script(&self, script: &str, log: &str, keep: Keep) -> Cmd {
        self.script_with(script, log, keep, None)
    }

    /// As [`Self::script`], with the key of a message's id, if it has one.
    fn script_with(&self, script: &str, log: &str, keep: Keep, id: Option<Uuid>) -> Cmd {
        let name = match self.commands() {
            Connection::One(_) => self.name(log),
            // The braces put all keys on the server that has the channel.
            Connection::Cluster(_) => format!("{{{}}}", self.name(log)),
        };
        let mut command = cmd("EVAL");
        command.arg(script).arg(2 + usize::from(id.is_some()));
        command.arg(format!("{name}:end")).arg(format!("{name}:log"));
        if let Some(id) = id {
            command.arg(format!("{name}:once:{id}"));
        }
        command.arg(new_position().epoch);
        command.arg(millis(keep.age)).arg(millis(keep.age.saturating_add(REMEMBERED)));
        command
    }
}

fn report<T>(done: Done<T>, outcome: Result<T, RedisError>) {
    let _ = done.send(outcome.map_err(|error| {
        limited!(warn: "a log in Redis: {error}");
        Unavailable
    }));
}

async fn append(mut connection: Connection, command: Cmd) -> Result<Appended, RedisError> {
    let (epoch, offset, is_repeated) = connection.query(&command).await?;
    Ok(Appended { at: Position { epoch, offset }, is_repeated })
}

async fn read(mut connection: Connection, command: Cmd, keep: Keep) -> Result<Slice, RedisError> {
    let (epoch, offset, now, entries): Raw = connection.query(&command).await?;
    let entry = |(id, (_, time, _, message)): (String, (String, u64, String, Vec<u8>))| LogEntry {
        offset: id.split('-').next().and_then(|offset| offset.parse().ok()).unwrap_or(0),
        age: Duration::from_millis(now.saturating_sub(time)),
        message: message.into(),
    };
    let entries = entries.into_iter().map(entry).filter(|entry| entry.age < keep.age);
    Ok(Slice { end: Position { epoch, offset }, entries: entries.collect() })
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).clamp(1, LONGEST)
}

/// The longest time to live that Redis accepts: some 290,000 years.
const LONGEST: u64 = i64::MAX as u64 / 1000;

/// KEYS: end, log, and the id of the message if it has one. ARGV: epoch, milliseconds for the
/// messages and for the end, message, how many are kept, how many bytes, command that publishes,
/// channel, milliseconds for the id.
const APPEND: &str = "\
local first = KEYS[3] and redis.call('GET', KEYS[3])
if first then
  local at, offset = string.match(first, '^(%S+) (%d+)$')
  return {at, tonumber(offset), 1}
end
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if not epoch then
  epoch = ARGV[1]
  redis.call('HSET', KEYS[1], 'epoch', epoch)
  redis.call('DEL', KEYS[2])
end
local offset = redis.call('HINCRBY', KEYS[1], 'offset', 1)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if redis.call('XLEN', KEYS[2]) == 0 then redis.call('HSET', KEYS[1], 'bytes', 0) end
redis.call('XADD', KEYS[2], offset .. '-0', 'time', string.format('%d', now), 'message', ARGV[4])
local count = redis.call('XLEN', KEYS[2])
local bytes = redis.call('HINCRBY', KEYS[1], 'bytes', #ARGV[4] + 64)
local before = bytes
local done = false
while not done do
  local old = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 16)
  done = true
  for _, entry in ipairs(old) do
    local over = count > tonumber(ARGV[5]) or (count > 1 and bytes > tonumber(ARGV[6]))
    done = not over and now - tonumber(entry[2][2]) < tonumber(ARGV[2])
    if done then break end
    redis.call('XDEL', KEYS[2], entry[1])
    count = count - 1
    bytes = bytes - #entry[2][4] - 64
  end
end
if bytes ~= before then redis.call('HSET', KEYS[1], 'bytes', string.format('%d', bytes)) end
redis.call('PEXPIRE', KEYS[2], ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
if KEYS[3] then redis.call('SET', KEYS[3], epoch .. ' ' .. offset, 'PX', ARGV[9]) end
redis.call(ARGV[7], ARGV[8], epoch .. ' ' .. offset .. '\\n' .. ARGV[4])
return {epoch, offset, 0}
";

/// KEYS and the first arguments as those of [`APPEND`], then the epoch and the offset of the last
/// message to delete, no epoch for all; command that publishes, channel.
const TRIM: &str = "\
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if not epoch or (ARGV[4] ~= '' and ARGV[4] ~= epoch) then return 0 end
local last = tonumber(redis.call('HGET', KEYS[1], 'offset'))
if ARGV[4] ~= '' then last = math.min(last, tonumber(ARGV[5])) end
last = string.format('%d', last)
local count = 0
local bytes = 0
while true do
  local old = redis.call('XRANGE', KEYS[2], '-', last .. '-0', 'COUNT', 64)
  if #old == 0 then break end
  for _, entry in ipairs(old) do
    redis.call('XDEL', KEYS[2], entry[1])
    count = count + 1
    bytes = bytes + #entry[2][4] + 64
  end
end
if count > 0 then redis.call('HINCRBY', KEYS[1], 'bytes', string.format('%d', -bytes)) end
redis.call(ARGV[6], ARGV[7], epoch .. ' ' .. last .. '\\n')
return count
";

/// KEYS and the first arguments as those of [`APPEND`].
const READ: &str = "\
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if not epoch then
  epoch = ARGV[1]
  redis.call('HSET', KEYS[1], 'epoch', epoch, 'offset', 0)
  redis.call('DEL', KEYS[2])
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
local time = redis.call('TIME')
local now = string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000))
return {epoch, redis.call('HGET', KEYS[1], 'offset'), now, redis.call('XRANGE', KEYS[2], '-', '+')}
";
