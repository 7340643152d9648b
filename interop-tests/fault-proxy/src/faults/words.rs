//! Faults as words of a command line.

use std::str::FromStr;
use std::time::Duration;

use clap::{Parser as _, ValueEnum as _};

use super::{Answers, Cut, Direction, Faults, Refusal, Upgrade};

impl Faults {
    /// Reads faults from words such as `--upgrade refuse=403 --delay 25ms`.
    ///
    /// # Errors
    /// What is wrong, with the word and its value.
    pub fn from_words<S: AsRef<str>>(words: &[S]) -> Result<Self, String> {
        let words = ["faults"].into_iter().chain(words.iter().map(AsRef::as_ref));
        Self::try_parse_from(words).map_err(|error| error.to_string())
    }
}

pub(super) fn upgrade(value: &str) -> Result<Upgrade, &'static str> {
    match value.split_once('=') {
        None if value == "pass" => Ok(Upgrade::Pass),
        Some(("kill", rest)) => {
            let (after, how) = duration_and_cut(rest)?;
            Ok(Upgrade::Kill(after, how))
        }
        Some(("mute", rest)) => direction(rest).map(Upgrade::Mute),
        _ => refusal(value).map(Upgrade::Refuse).map_err(|_| {
            "pass, refuse=STATUS, swallow, kill=DURATION[,reset|finish|vanish] or mute=up|down|both"
        }),
    }
}

pub(super) fn refusal(value: &str) -> Result<Refusal, &'static str> {
    match value.split_once('=') {
        None if value == "swallow" => Ok(Refusal::Silence),
        Some(("refuse", status)) => number(status).map(Refusal::Status),
        _ => Err("refuse=STATUS or swallow"),
    }
}

pub(super) fn answers(value: &str) -> Result<Answers, &'static str> {
    match value.split_once('=') {
        None if value == "pass" => Ok(Answers::Pass),
        None if value == "whole" => Ok(Answers::Whole),
        None if value == "hold-last" => Ok(Answers::HoldLast),
        Some(("buffer", bytes)) => number(bytes).map(Answers::Buffer),
        _ => Err("pass, buffer=BYTES, whole or hold-last"),
    }
}

fn direction(value: &str) -> Result<Direction, &'static str> {
    Direction::from_str(value, false).map_err(|_| "up, down or both")
}

pub(super) fn duration_and_cut(value: &str) -> Result<(Duration, Cut), &'static str> {
    let (after, how) = value.split_once(',').unwrap_or((value, "finish"));
    let how = Cut::from_str(how, false).map_err(|_| "DURATION[,reset|finish|vanish]")?;
    Ok((duration(after)?, how))
}

pub(super) fn duration(value: &str) -> Result<Duration, &'static str> {
    let (digits, unit) = match value.strip_suffix("ms") {
        Some(digits) => (digits, 0.001),
        None => (value.strip_suffix('s').unwrap_or("no unit"), 1.0),
    };
    let seconds = digits.parse::<f64>().ok().filter(|number| (0.0..1e6).contains(number));
    seconds
        .map(|number| Duration::from_secs_f64(number * unit))
        .ok_or("a duration such as 25ms or 5s")
}

pub(super) fn header(value: &str) -> Result<(String, String), &'static str> {
    let (name, value) = value.split_once(':').ok_or("NAME: VALUE")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

fn number<T: FromStr>(value: &str) -> Result<T, &'static str> {
    value.parse().map_err(|_| "a number")
}

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
        assert!(wrong("--delay 25").contains("'25' for '--delay <DURATION>': a duration such as"));
        assert!(wrong("--upgrade no").contains("pass, refuse=STATUS"));
        assert!(wrong("--idle 5s,slowly").contains("reset|finish|vanish"));
        assert!(wrong("--speed 5").contains("unexpected argument '--speed'"));
        assert!(wrong("--rate").contains("'--rate <BYTES>'"));
    }
}
