//! Runs every packet, batch and SSE vector, in both directions where both are defined.
//!
//! `vectors/README.md` describes the format.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use bowline_protocol::{
    Batch, CloseCode, Limits, Packet, ProtocolError, SseDecoder, write_sse_event,
};
use bytes::{Bytes, BytesMut};
use serde::Deserialize;
use serde_json::Value;

use common::values::{TYPES, encoded, line, type_name, value};
use common::{Chapters, hex, read_json, to_hex, vector_files};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PacketVector {
    name: String,
    spec: String,
    line: Option<String>,
    binary: Option<String>,
    #[serde(default = "yes")]
    canonical: bool,
    packet: Option<Value>,
    error: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BatchVector {
    name: String,
    spec: String,
    batch: Option<String>,
    hex: Option<String>,
    limits: Option<LimitsVector>,
    next: u64,
    packets: Vec<NumberedLine>,
    error: Option<String>,
}

#[derive(Deserialize, PartialEq, Debug)]
#[serde(deny_unknown_fields)]
struct NumberedLine {
    number: Option<u64>,
    line: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SseVector {
    name: String,
    spec: String,
    write: Option<SseWrite>,
    stream: Option<String>,
    hex: Option<String>,
    limits: Option<LimitsVector>,
    events: Vec<SseExpected>,
    error: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SseWrite {
    id: u64,
    batch: String,
}

#[derive(Deserialize, PartialEq, Debug)]
#[serde(deny_unknown_fields)]
struct SseExpected {
    id: String,
    data: String,
}

/// `interop-tests/suite/tests/raw/vectors.rs` plays these against a whole server.
#[derive(Deserialize)]
struct CarrierVector {
    name: String,
    spec: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CloseCodeVector {
    name: String,
    spec: String,
    code: u16,
    class: Option<String>,
    http: Option<u16>,
    error: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitsVector {
    packet: usize,
    batch: usize,
}

#[test]
fn valid_packets_are_read_as_their_value_and_written_as_they_were() {
    for vector in packet_vectors() {
        let Some(expected) = &vector.packet else { continue };
        assert!(vector.line.is_some() || vector.binary.is_some(), "{}", vector.name);
        for (form, packet) in vector.read() {
            let packet = packet.unwrap_or_else(|error| panic!("{} ({form}): {error}", vector.name));
            assert_eq!(&value(&packet), expected, "{} ({form})", vector.name);
            vector.check_written(&packet);
        }
    }
}

#[test]
fn invalid_packets_are_refused_with_their_error() {
    for vector in packet_vectors() {
        let Some(expected) = &vector.error else { continue };
        for (form, packet) in vector.read() {
            let error = packet.expect_err(&vector.name);
            assert_eq!(code_name(error), expected, "{} ({form}): {error}", vector.name);
        }
    }
}

#[test]
fn close_codes_have_the_class_and_status_of_their_vector() {
    let vectors: Vec<CloseCodeVector> = read_json("close-codes.json");
    for vector in &vectors {
        let read = Packet::parse(&format!("x {}", vector.code).into());
        let actual = match read.map_err(code_name) {
            Ok(Packet::Close(close)) => {
                let class = format!("{:?}", close.code.retry());
                (Some(class), Some(close.code.http_status()), None)
            }
            Err(error) => (None, None, Some(error.to_owned())),
            other => panic!("{}: {other:?}", vector.name),
        };
        let expected = (vector.class.clone(), vector.http, vector.error.clone());
        assert_eq!(actual, expected, "{}", vector.name);
    }
    for code in CloseCode::ALL {
        let is_covered = vectors.iter().any(|vector| vector.code == code.get());
        assert!(is_covered, "{code:?} has no vector");
    }
}

#[test]
fn each_vector_says_either_a_packet_or_an_error_and_no_name_stands_twice() {
    let mut names = BTreeSet::new();
    for vector in packet_vectors() {
        assert_ne!(vector.packet.is_some(), vector.error.is_some(), "{}", vector.name);
        assert!(names.insert(vector.name.clone()), "{} stands twice", vector.name);
    }
}

#[test]
fn every_packet_type_has_valid_and_invalid_vectors() {
    let mut valid: BTreeMap<&str, usize> = BTreeMap::new();
    let mut invalid: BTreeMap<String, usize> = BTreeMap::new();
    for vector in packet_vectors() {
        match vector.read().next().expect("a line or a message").1 {
            Ok(packet) => *valid.entry(type_name(&packet)).or_default() += 1,
            Err(_) => {
                let subject = vector.name.split(':').next().unwrap_or_default();
                *invalid.entry(subject.to_owned()).or_default() += 1;
            }
        }
    }
    for name in TYPES {
        assert!(valid.contains_key(name), "no valid vector of {name}");
        assert!(invalid.contains_key(*name), "no invalid vector of {name}");
    }
}

#[test]
fn batches_are_cut_into_lines_and_numbered() {
    for vector in read_json::<Vec<BatchVector>>("batches.json") {
        let limits = limits(vector.limits.as_ref());
        let body = source(vector.batch.as_ref(), vector.hex.as_ref());
        let mut read = Vec::new();
        let error = number_lines(body, &limits, vector.next, &mut read).err();
        assert_eq!(read, vector.packets, "{}", vector.name);
        assert_eq!(error.map(code_name), vector.error.as_deref(), "{}", vector.name);
    }
}

#[test]
fn streams_are_read_as_their_events_wherever_they_are_cut() {
    for vector in read_json::<Vec<SseVector>>("sse.json") {
        let stream = source(vector.stream.as_ref(), vector.hex.as_ref());
        for size in [stream.len(), 1, 2, 3] {
            let mut decoder = SseDecoder::new(&limits(vector.limits.as_ref()));
            let mut events = Vec::new();
            let error = decode(&mut decoder, stream.chunks(size), &mut events).err();
            assert_eq!(events, vector.events, "{} in pieces of {size}", vector.name);
            assert_eq!(error.map(code_name), vector.error.as_deref(), "{}", vector.name);
        }
    }
}

#[test]
fn events_are_written_as_the_stream_says() {
    for vector in read_json::<Vec<SseVector>>("sse.json") {
        let Some(write) = &vector.write else { continue };
        let mut out = BytesMut::new();
        write_sse_event(write.id, write.batch.as_bytes(), &mut out);
        assert_eq!(out, vector.stream.expect("what is written is text"), "{}", vector.name);
    }
}

#[test]
fn every_vector_names_a_heading_of_the_specification() {
    let chapters = Chapters::read();
    let named = packet_vectors().into_iter().map(|vector| (vector.name, vector.spec));
    let batches = read_json::<Vec<BatchVector>>("batches.json");
    let named = named.chain(batches.into_iter().map(|vector| (vector.name, vector.spec)));
    let carriers = read_json::<Vec<CarrierVector>>("carriers.json");
    let named = named.chain(carriers.into_iter().map(|vector| (vector.name, vector.spec)));
    let codes = read_json::<Vec<CloseCodeVector>>("close-codes.json");
    let named = named.chain(codes.into_iter().map(|vector| (vector.name, vector.spec)));
    let streams = read_json::<Vec<SseVector>>("sse.json");
    for (name, spec) in named.chain(streams.into_iter().map(|vector| (vector.name, vector.spec))) {
        assert!(chapters.has_anchor(&spec), "{name}: no heading has the anchor {spec}");
    }
}

impl PacketVector {
    /// Parses each form of the vector.
    fn read(&self) -> impl Iterator<Item = (&'static str, Result<Packet, ProtocolError>)> {
        let text = self.line.as_ref().map(|line| ("text", Packet::parse(&line.clone().into())));
        let binary = self
            .binary
            .as_ref()
            .map(|binary| ("binary", Packet::parse_binary(&hex(binary).into())));
        text.into_iter().chain(binary)
    }

    fn check_written(&self, packet: &Packet) {
        if !self.canonical {
            return;
        }
        let line = line(packet);
        assert_eq!(Some(&line), self.line.as_ref(), "{}", self.name);
        let binary = encoded(packet).and_then(|packet| packet.binary_message().cloned());
        assert_eq!(binary.map(|message| to_hex(&message)), self.binary, "{}", self.name);
        if let Some(packet) = encoded(packet) {
            assert_eq!(packet.text_line(), &line, "{}", self.name);
        }
    }
}

fn packet_vectors() -> Vec<PacketVector> {
    vector_files("packets").iter().flat_map(read_json::<Vec<PacketVector>>).collect()
}

fn number_lines(
    body: Bytes,
    limits: &Limits,
    next: u64,
    read: &mut Vec<NumberedLine>,
) -> Result<(), ProtocolError> {
    let mut batch = Batch::new(body, limits)?;
    let mut next = next;
    while let Some(packet) = batch.next_packet() {
        let packet = packet?;
        let number = packet.is_tracked().then_some(next);
        next += u64::from(packet.is_tracked());
        read.push(NumberedLine { number, line: line(&packet) });
    }
    Ok(())
}

fn decode<'a>(
    decoder: &mut SseDecoder,
    chunks: impl Iterator<Item = &'a [u8]>,
    events: &mut Vec<SseExpected>,
) -> Result<(), ProtocolError> {
    for chunk in chunks {
        decoder.push(chunk);
        while let Some(event) = decoder.next_event()? {
            events.push(SseExpected { id: event.id, data: event.data });
        }
    }
    Ok(())
}

fn source(text: Option<&String>, raw: Option<&String>) -> Bytes {
    match (text, raw) {
        (Some(text), None) => text.clone().into(),
        (None, Some(raw)) => hex(raw).into(),
        _ => panic!("a vector is either text or hex"),
    }
}

fn limits(limits: Option<&LimitsVector>) -> Limits {
    limits.map_or_else(Limits::default, |limits| Limits {
        packet: limits.packet,
        batch: limits.batch,
    })
}

fn code_name(error: ProtocolError) -> &'static str {
    error.close_code().name().expect("every protocol error has a code of the registry")
}

const fn yes() -> bool {
    true
}
