//! Faults as words of a command line.

use std::str::FromStr;
use std::time::Duration;

use crate::faults::{Answers, Cut, Direction, Faults, Refusal, Upgrade};

impl Faults {
    /// Reads faults from words such as `--upgrade refuse=403 --delay 25ms`: see [`FAULTS_HELP`].
    ///
    /// # Errors
    /// A sentence about the word that is wrong.
    pub fn from_words<S: AsRef<str>>(words: &[S]) -> Result<Self, String> {
        let mut faults = Self::default();
        let mut words = words.iter().map(AsRef::as_ref);
        while let Some(name) = words.next() {
            match name {
                "--refuse-connections" => faults.refuse_connections = true,
                "--http-1.0" => faults.http_1_0 = true,
                _ => {
                    let value = words.next().unwrap_or_default();
                    let known = faults.read(name, value);
                    known.map_err(|wanted| format!("{name} wants {wanted}, not {value:?}"))?;
                }
            }
        }
        Ok(faults)
    }

    /// Reads one fault that has a value; fails with what it wants to be.
    fn read(&mut self, name: &str, value: &str) -> Result<(), &'static str> {
        match name {
            "--delay" => self.delay = duration(value)?,
            "--jitter" => self.jitter = duration(value)?,
            "--rate" => self.rate = Some(number(value)?),
            "--connections" => self.connections = Some(number(value)?),
            "--idle" => self.idle = Some(duration_and_cut(value)?),
            "--mute" => self.mute = Some(direction(value)?),
            "--upgrade" => self.upgrade = upgrade(value)?,
            "--only-posts" => self.only_posts = Some(refusal(value)?),
            "--answers" => self.answers = answers(value)?,
            "--cut-mid-body" => self.cut_mid_body = Some(number(value)?),
            "--replay-posts" => self.replay_posts = Some(duration(value)?),
            "--reorder-posts" => self.reorder_posts = Some(duration(value)?),
            "--strip" => self.strip.push(some(value, "the name of a header")?),
            "--set" => self.set.push(header(value)?),
            "--rename-cookies" => self.rename_cookies = Some(some(value, "a prefix")?),
            _ => return Err("to be another fault: this one is not known"),
        }
        Ok(())
    }
}

fn upgrade(value: &str) -> Result<Upgrade, &'static str> {
    match value.split_once('=') {
        None if value == "pass" => Ok(Upgrade::Pass),
        Some(("kill", rest)) => duration_and_cut(rest).map(|(after, how)| Upgrade::Kill(after, how)),
        Some(("mute", rest)) => direction(rest).map(Upgrade::Mute),
        _ => refusal(value).map(Upgrade::Refuse).map_err(|_| {
            "pass, refuse=STATUS, swallow, kill=DURATION[,reset|finish|vanish] or mute=up|down|both"
        }),
    }
}

fn refusal(value: &str) -> Result<Refusal, &'static str> {
    match value.split_once('=') {
        None if value == "swallow" => Ok(Refusal::Silence),
        Some(("refuse", status)) => number(status).map(Refusal::Status),
        _ => Err("refuse=STATUS or swallow"),
    }
}

fn answers(value: &str) -> Result<Answers, &'static str> {
    match value.split_once('=') {
        None if value == "pass" => Ok(Answers::Pass),
        None if value == "whole" => Ok(Answers::Whole),
        None if value == "hold-last" => Ok(Answers::HoldLast),
        Some(("buffer", bytes)) => number(bytes).map(Answers::Buffer),
        _ => Err("pass, buffer=BYTES, whole or hold-last"),
    }
}

fn direction(value: &str) -> Result<Direction, &'static str> {
    match value {
        "up" => Ok(Direction::Up),
        "down" => Ok(Direction::Down),
        "both" => Ok(Direction::Both),
        _ => Err("up, down or both"),
    }
}

fn duration_and_cut(value: &str) -> Result<(Duration, Cut), &'static str> {
    let (after, how) = value.split_once(',').unwrap_or((value, "finish"));
    let how = match how {
        "reset" => Cut::Reset,
        "finish" => Cut::Finish,
        "vanish" => Cut::Vanish,
        _ => return Err("DURATION[,reset|finish|vanish]"),
    };
    Ok((duration(after)?, how))
}

fn duration(value: &str) -> Result<Duration, &'static str> {
    let (digits, unit) = match value.strip_suffix("ms") {
        Some(digits) => (digits, 0.001),
        None => (value.strip_suffix('s').unwrap_or("no unit"), 1.0),
    };
    let seconds = digits.parse::<f64>().ok().filter(|number| (0.0..1e6).contains(number));
    seconds
        .map(|number| Duration::from_secs_f64(number * unit))
        .ok_or("a duration such as 25ms or 5s")
}

fn header(value: &str) -> Result<(String, String), &'static str> {
    let (name, value) = value.split_once(':').ok_or("NAME: VALUE")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

fn number<T: FromStr>(value: &str) -> Result<T, &'static str> {
    value.parse().map_err(|_| "a number")
}

fn some(value: &str, wanted: &'static str) -> Result<String, &'static str> {
    if value.is_empty() { Err(wanted) } else { Ok(value.to_owned()) }
}

/// The faults of [`Faults::from_words`], for people.
pub const FAULTS_HELP: &str = "\
--delay DURATION            each way; a connection takes a round trip more to be made
--jitter DURATION           up to so much more, at random; order is kept
--rate BYTES                a second, each way, all connections together
--refuse-connections        resets each new one
--connections N             at a time; others wait
--idle DURATION[,reset|finish|vanish]
                            ends connections on which nothing passes for so long
--mute up|down|both         swallows what is sent; connections stay open
--upgrade refuse=STATUS | swallow | kill=DURATION[,reset|finish|vanish] | mute=up|down|both
--only-posts refuse=STATUS | swallow
                            what becomes of requests that are not POST
--answers buffer=BYTES | whole | hold-last
                            nothing passes before so much of the body, or all of it, is there; or
                            what came last waits for what comes next
--cut-mid-body BYTES        of the next answer, once
--replay-posts DURATION     each POST once more, so long after
--reorder-posts DURATION    every other POST waits for the next, so long at most
--http-1.0                  speaks HTTP/1.0 both ways
--strip NAME                a header, out of requests and answers; may be repeated
--set 'NAME: VALUE'         a header, in place of others of that name; may be repeated
--rename-cookies PREFIX     cookies come down under another name
Durations are such as 25ms or 5s.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_words() {
        let words = "--delay 25ms --jitter 5ms --rate 20000 --refuse-connections --connections 1 \
             --idle 5s,reset --mute up --upgrade kill=0.5s,vanish --only-posts refuse=403 \
             --answers buffer=8192 --cut-mid-body 9 --replay-posts 0s --reorder-posts 200ms \
             --http-1.0 --strip Upgrade --strip Connection --set Via:1.1 --rename-cookies x";
        let millis = Duration::from_millis;
        let expected = Faults {
            delay: millis(25),
            jitter: millis(5),
            rate: Some(20_000),
            refuse_connections: true,
            connections: Some(1),
            idle: Some((millis(5000), Cut::Reset)),
            mute: Some(Direction::Up),
            upgrade: Upgrade::Kill(millis(500), Cut::Vanish),
            only_posts: Some(Refusal::Status(403)),
            answers: Answers::Buffer(8192),
            cut_mid_body: Some(9),
            replay_posts: Some(Duration::ZERO),
            reorder_posts: Some(millis(200)),
            http_1_0: true,
            strip: vec!["Upgrade".into(), "Connection".into()],
            set: vec![("Via".into(), "1.1".into())],
            rename_cookies: Some("x".into()),
        };
        let words: Vec<&str> = words.split_whitespace().collect();
        assert_eq!(Faults::from_words(&words), Ok(expected));
        for name in words.iter().filter(|word| word.starts_with("--")) {
            assert!(FAULTS_HELP.contains(name), "{name} is not explained");
        }
    }

    #[test]
    fn what_happens_to_upgrades_and_answers_is_one_of_several() {
        let upgrade = |value| Faults::from_words(&["--upgrade", value]).map(|it| it.upgrade);
        assert_eq!(upgrade("pass"), Ok(Upgrade::Pass));
        assert_eq!(upgrade("refuse=426"), Ok(Upgrade::Refuse(Refusal::Status(426))));
        assert_eq!(upgrade("swallow"), Ok(Upgrade::Refuse(Refusal::Silence)));
        assert_eq!(upgrade("mute=down"), Ok(Upgrade::Mute(Direction::Down)));
        let answers = |value| Faults::from_words(&["--answers", value]).map(|it| it.answers);
        assert_eq!(answers("pass"), Ok(Answers::Pass));
        assert_eq!(answers("whole"), Ok(Answers::Whole));
        assert_eq!(answers("hold-last"), Ok(Answers::HoldLast));
    }

    #[test]
    fn a_wrong_word_is_named() {
        let wrong = |words: &str| {
            Faults::from_words(&words.split_whitespace().collect::<Vec<_>>()).unwrap_err()
        };
        assert!(wrong("--delay 25").contains("--delay wants a duration"));
        assert!(wrong("--upgrade no").contains("--upgrade wants pass, refuse=STATUS"));
        assert!(wrong("--idle 5s,slowly").contains("reset|finish|vanish"));
        assert!(wrong("--speed 5").contains("not known"));
        assert!(wrong("--rate").contains("a number"));
    }
}
