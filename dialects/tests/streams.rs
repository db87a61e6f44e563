//! Streams in the shapes providers send them: what each event is taken for, what the stream told, and the answer
//! it stands for. The first word of a file's name is its endpoint.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use dialects::Endpoint;
use dialects::fold::{fold, response_text, tool_names};
use dialects::sse::{Event, EventReader};
use dialects::watch::{StreamWatch, Verdict};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

const STREAMS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/streams");

#[test]
fn each_stream_is_read_as_its_golden_file_says() {
    let mut settings = insta::Settings::new();
    settings.set_snapshot_path("golden/streams");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for path in streams() {
        let told = told(endpoint_of(&path), &[read_file(&path)]);
        settings.bind(|| insta::assert_json_snapshot!(name_of(&path), told));
    }
}

#[test]
fn each_stream_is_read_the_same_however_it_is_cut() {
    for path in streams() {
        let (endpoint, stream) = (endpoint_of(&path), read_file(&path));
        let whole = told(endpoint, std::slice::from_ref(&stream));
        for size in [1, 2, 3, 7, 64, 1000] {
            let pieces: Vec<Bytes> = stream.chunks(size).map(|piece| stream.slice_ref(piece)).collect();
            assert_eq!(told(endpoint, &pieces), whole, "{} in pieces of {size}", path.display());
        }
    }
}

proptest! {
    #[test]
    fn a_damaged_stream_is_read_without_panic(
        number in any::<Index>(),
        damages in prop::collection::vec((any::<Index>(), 0_usize..4, prop::collection::vec(any::<u8>(), 0..4)), 1..6),
    ) {
        let streams = streams();
        let path = number.get(&streams);
        let mut stream = read_file(path).to_vec();
        for (place, cut, put) in damages {
            let start = place.index(stream.len());
            let end = (start + cut).min(stream.len());
            stream.splice(start..end, put);
        }
        let stream = Bytes::from(stream);
        let endpoint = endpoint_of(path);
        let pieces: Vec<Bytes> = stream.chunks(97).map(|piece| stream.slice_ref(piece)).collect();
        prop_assert_eq!(told(endpoint, &pieces), told(endpoint, &[stream]));
    }
}

fn streams() -> Vec<PathBuf> {
    let entries = fs::read_dir(STREAMS).expect("the golden files are there");
    let paths = entries.map(|entry| entry.expect("the folder can be read").path());
    let mut streams: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|kind| kind == "sse")).collect();
    streams.sort();
    assert!(streams.len() > 20, "the golden files are there");
    streams
}

fn read_file(path: &Path) -> Bytes {
    Bytes::from(fs::read(path).expect("a golden file can be read"))
}

fn name_of(path: &Path) -> &str {
    path.file_stem().and_then(|name| name.to_str()).unwrap_or_default()
}

fn endpoint_of(path: &Path) -> Endpoint {
    match name_of(path).split('_').next() {
        Some("responses") => Endpoint::Responses,
        Some("completions") => Endpoint::Completions,
        _ => Endpoint::ChatCompletions,
    }
}

fn told(endpoint: Endpoint, pieces: &[Bytes]) -> Value {
    let mut watch = StreamWatch::new(endpoint);
    let events = read(pieces);
    let verdicts: Vec<Verdict> = events.iter().map(|event| watch.event(event)).collect();
    let raw: Vec<u8> = events.iter().flat_map(|event| event.raw.to_vec()).collect();
    assert_eq!(raw, pieces.concat(), "the events put together are the stream");
    let facts = watch.facts();
    let folded = fold(endpoint, pieces).unwrap_or_default();
    json!({
        "events": count(&verdicts),
        "finished": watch.finished(),
        "terminated": watch.terminated(),
        "usage": facts.usage,
        "usage_raw": facts.usage_raw,
        "finish_reason": facts.finish_reason,
        "response_model": facts.response_model,
        "stated_cost": facts.stated_cost,
        "output_bytes": facts.output_bytes,
        "text": response_text(endpoint, &folded),
        "tool_names": tool_names(endpoint, &folded),
        "answer": serde_json::from_slice::<Value>(&folded).ok(),
    })
}

fn read(pieces: &[Bytes]) -> Vec<Event> {
    let mut reader = EventReader::new();
    let mut events = Vec::new();
    for piece in pieces {
        reader.push(piece.clone());
        while let Some(Ok(event)) = reader.next_event() {
            events.push(event);
        }
    }
    events.extend(reader.finish().and_then(Result::ok));
    events
}

/// The verdicts in order, equal neighbours counted.
fn count(verdicts: &[Verdict]) -> Vec<String> {
    let runs = verdicts.chunk_by(|a, b| a == b);
    runs.map(|run| match run {
        [Verdict::Failed(fault), ..] => {
            format!("failed: {}, code {:?}, {}", fault.class.as_str(), fault.code, fault.message)
        }
        [one] => format!("{one:?}"),
        [first, ..] => format!("{first:?} x {}", run.len()),
        [] => String::new(),
    })
    .collect()
}
