//! The commands that Redis receives. Each script decides at once, and may be executed twice.
//!
//! ```text
//! stored            a sorted set: the names of the complete values, by when they were stored
//! unfinished:NAME   a hash that is being written: number of a chunk -> chunk
//! value:NAME        the same, complete
//! claim:NAME        who reads it, or who has taken it
//! taken:NAME        the value that was taken, for the process that has taken it
//! processes         a hash: node -> until when its sign is valid, and the nodes that issued the
//!                   ids of the sessions of its process
//! ```
//!
//! Times are those of the server. A process continues the sessions of a value when it has moved it
//! from `value` to `taken`. That happens once, whatever happens to the claims: they only prevent
//! that two processes read the same value in vain.

use std::time::Duration;

use redis::{Cmd, cmd};

use super::connection::Keys;
use super::signs::Claim;
use crate::store::MAX_AGE;

/// The outcomes of a claim other than the number of chunks.
pub(super) const GONE: i64 = -1;
pub(super) const CLAIMED: i64 = -2;

/// Writes a chunk.
pub(super) fn write(keys: &Keys, name: &str, number: u32, chunk: &[u8]) -> Cmd {
    let mut command = script(WRITE, &[keys.named("unfinished", name)]);
    command.arg(number).arg(chunk).arg(millis(UNFINISHED));
    command
}

/// Publishes what was written, as claimed. Answers 0 if chunks are missing.
pub(super) fn finish(keys: &Keys, claim: &Claim, chunks: u32) -> Cmd {
    let [value, claimed] = claimable(keys, claim);
    let unfinished = keys.named("unfinished", &claim.name);
    let mut command = script(FINISH, &[unfinished, value, claimed, keys.of("stored")]);
    command.arg(&claim.name).arg(&claim.token).arg(millis(LIFE)).arg(chunks).arg(millis(MAX_AGE));
    command
}

/// Removes an unfinished value.
pub(super) fn abandon(keys: &Keys, name: &str) -> Cmd {
    unlink(keys.named("unfinished", name))
}

/// The names of the complete values, oldest first.
pub(super) fn names(keys: &Keys) -> Cmd {
    let mut command = cmd("ZRANGE");
    command.arg(keys.of("stored")).arg(0).arg(-1);
    command
}

/// The tokens of the claims of these values, or nothing for each that is not claimed.
pub(super) fn claims(keys: &Keys, names: &[String]) -> Cmd {
    let mut command = cmd("MGET");
    for name in names {
        command.arg(keys.named("claim", name));
    }
    command
}

/// Answers how many chunks the value has, or [`GONE`] or [`CLAIMED`].
pub(super) fn claim(keys: &Keys, claim: &Claim) -> Cmd {
    let [value, claimed] = claimable(keys, claim);
    let mut command = script(CLAIM, &[value, claimed, keys.of("stored")]);
    command.arg(&claim.name).arg(&claim.token).arg(millis(LIFE));
    command
}

/// Renews a claim, unless another process has the value now.
pub(super) fn renew(keys: &Keys, claim: &Claim) -> Cmd {
    let mut command = script(RENEW, &claimable(keys, claim));
    command.arg(&claim.token).arg(millis(LIFE));
    command
}

/// Releases a claim.
pub(super) fn release(keys: &Keys, claim: &Claim) -> Cmd {
    let mut command = script(RELEASE, &claimable(keys, claim));
    command.arg(&claim.token);
    command
}

/// Moves a value to `taken` for this process alone. Answers 0 if another process has it.
pub(super) fn take(keys: &Keys, claim: &Claim) -> Cmd {
    let [value, claimed] = claimable(keys, claim);
    let taken = keys.named("taken", &claim.name);
    let mut command = script(TAKE, &[value, claimed, taken, keys.of("stored")]);
    command.arg(&claim.name).arg(&claim.token).arg(millis(TAKEN));
    command
}

/// The keys of a value and of its claim.
fn claimable(keys: &Keys, Claim { name, .. }: &Claim) -> [String; 2] {
    [keys.named("value", name), keys.named("claim", name)]
}

/// Reads a chunk, under whichever key the value is.
pub(super) fn read(keys: &Keys, name: &str, number: u32) -> Cmd {
    let mut command = script(READ, &[keys.named("value", name), keys.named("taken", name)]);
    command.arg(number);
    command
}

/// Removes a value that was taken.
pub(super) fn forget(keys: &Keys, name: &str) -> Cmd {
    unlink(keys.named("taken", name))
}

/// Writes the sign of a process: the nodes that issued the ids of its sessions, if it has any.
/// Answers the signs of others, and which values are complete.
pub(super) fn sign(keys: &Keys, own: &str, nodes: &str) -> Cmd {
    let mut command = script(SIGN, &[keys.of("processes"), keys.of("stored")]);
    command.arg(own).arg(nodes).arg(millis(LIFE));
    command
}

/// Removes the sign of a process that holds no sessions any more.
pub(super) fn leave(keys: &Keys, own: &str) -> Cmd {
    let mut command = cmd("HDEL");
    command.arg(keys.of("processes")).arg(own);
    command
}

fn unlink(key: String) -> Cmd {
    let mut command = cmd("UNLINK");
    command.arg(key);
    command
}

fn script(text: &str, keys: &[String]) -> Cmd {
    let mut command = cmd("EVAL");
    command.arg(text).arg(keys.len()).arg(keys);
    command
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).expect("times here are short")
}

/// How long a process that renews nothing counts as alive and keeps its claims.
pub(super) const LIFE: Duration = Duration::from_secs(10);
/// How long after its last chunk an unfinished value expires.
const UNFINISHED: Duration = Duration::from_secs(60);
/// How long a process may read what it has taken, and how long others know who has taken it.
const TAKEN: Duration = Duration::from_secs(600);

/// KEYS: unfinished. ARGV: number, chunk, milliseconds.
const WRITE: &str = "\
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
";

/// KEYS: unfinished, value, claim, stored. ARGV: name, token, milliseconds of the claim, chunks,
/// milliseconds of the value.
const FINISH: &str = "\
if redis.call('EXISTS', KEYS[2]) == 0 then
  if redis.call('HLEN', KEYS[1]) ~= tonumber(ARGV[4]) then return 0 end
  redis.call('RENAME', KEYS[1], KEYS[2])
  redis.call('PEXPIRE', KEYS[2], ARGV[5])
  redis.call('SET', KEYS[3], ARGV[2], 'PX', ARGV[3])
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', string.format('%d', now - ARGV[5]))
redis.call('ZADD', KEYS[4], string.format('%d', now), ARGV[1])
redis.call('PEXPIRE', KEYS[4], ARGV[5])
return 1
";

/// KEYS: value, claim, stored. ARGV: name, token, milliseconds.
const CLAIM: &str = "\
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('ZREM', KEYS[3], ARGV[1])
  return -1
end
local owner = redis.call('GET', KEYS[2])
if owner and owner ~= ARGV[2] then return -2 end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
return redis.call('HLEN', KEYS[1])
";

/// KEYS: value, claim. ARGV: token, milliseconds.
const RENEW: &str = "\
local owner = redis.call('GET', KEYS[2])
if owner and owner ~= ARGV[1] then return 0 end
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
return 1
";

/// KEYS: value, claim. ARGV: token.
const RELEASE: &str = "\
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[2])
";

/// KEYS: value, claim, taken, stored. ARGV: name, token, milliseconds.
const TAKE: &str = "\
local owner = redis.call('GET', KEYS[2])
if owner == 'taken ' .. ARGV[2] then return 1 end
if owner and owner ~= ARGV[2] then return 0 end
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('RENAME', KEYS[1], KEYS[3])
redis.call('PEXPIRE', KEYS[3], ARGV[3])
redis.call('SET', KEYS[2], 'taken ' .. ARGV[2], 'PX', ARGV[3])
redis.call('ZREM', KEYS[4], ARGV[1])
return 1
";

/// KEYS: value, taken. ARGV: number.
const READ: &str = "\
return redis.call('HGET', KEYS[1], ARGV[1]) or redis.call('HGET', KEYS[2], ARGV[1])
";

/// KEYS: processes, stored. ARGV: node, nodes, milliseconds.
const SIGN: &str = "\
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if ARGV[2] ~= '' then
  redis.call('HSET', KEYS[1], ARGV[1], string.format('%d %s', now + ARGV[3], ARGV[2]))
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
local others = {}
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local last, nodes = string.match(all[i + 1], '^(%d+) (.*)$')
  if not last or tonumber(last) <= now then
    redis.call('HDEL', KEYS[1], all[i])
  elseif all[i] ~= ARGV[1] then
    table.insert(others, nodes)
  end
end
return {others, redis.call('ZRANGE', KEYS[2], 0, -1)}
";
