//! What of a record is kept, under each policy.

use vocab::{Id, Time};

use super::*;
use crate::record::Outcome;

fn talk() -> Record {
    let started = Time(1_795_996_800_000_000);
    Record {
        outcome: Outcome::Ok,
        metadata: Some(r#"{"tier":"gold"}"#.into()),
        variables: Some(r#"{"name":"Ann"}"#.into()),
        request_body: r#"{"messages":[{"role":"user","content":"Weather?"}]}"#.into(),
        response_body: Capture::Whole(
            r#"{"choices":[{"message":{"content":"One moment.","tool_calls":[{"type":"function","function":{"name":"weather","arguments":"{}"}}]}}]}"#.into(),
        ),
        ..Record::begin(Id::at(started), "default".into(), started, Endpoint::ChatCompletions)
    }
}

fn stream(pieces: &[&'static str]) -> Record {
    Record { response_body: Capture::Stream(pieces.iter().map(|piece| (*piece).into()).collect()), ..talk() }
}

#[test]
fn a_policy_says_what_is_kept() {
    let record = talk();
    let kept = |bodies| {
        let row = Row::new(&record, "n", &Policy { bodies, ..Policy::default() }, false);
        let given = row.metadata.is_some() && row.variables.is_some();
        (row.body_state.as_str(), given, !row.bodies.is_empty(), row.request_preview.is_some())
    };
    assert_eq!(kept(BodyPolicy::Full), ("full", true, true, true));
    assert_eq!(kept(BodyPolicy::Metadata), ("metadata", true, false, false));
    assert_eq!(kept(BodyPolicy::Off), ("off", false, false, false));
    let shed = Row::new(&record, "n", &Policy::default(), true);
    assert_eq!((shed.body_state.as_str(), shed.bodies.is_empty()), ("shed", true));
    assert!(shed.metadata.is_some(), "narrow rows keep what they are filtered by");
}

#[test]
fn what_was_said_is_drawn_out() {
    let record = talk();
    let row = Row::new(&record, "n", &Policy::default(), false);
    assert_eq!(row.request_preview.as_deref(), Some("Weather?"));
    assert!(row.response_preview.unwrap().starts_with("One moment."));
    assert_eq!(row.tool_names, ["weather"]);
}

#[test]
fn a_stream_is_put_together_and_odd_bytes_are_kept_as_they_are() {
    let whole = stream(&[
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Sun",
        "ny\"}}]}\n\ndata: [DONE]\n\n",
    ]);
    let row = Row::new(&whole, "n", &Policy::default(), false);
    assert_eq!(row.said.response, "Sunny");
    let odd = stream(&["<html>", "oops"]);
    let row = Row::new(&odd, "n", &Policy::default(), false);
    assert_eq!(row.bodies.response.as_deref(), Some(&b"<html>oops"[..]));
    let nothing =
        Record { request_body: Bytes::new(), response_body: Capture::Whole(Bytes::new()), ..talk() };
    assert!(Row::new(&nothing, "n", &Policy::default(), false).bodies.is_empty());
}

#[test]
fn pictures_do_not_reach_the_store() {
    let mut picture = b"\x89PNG\r\n\x1a\n".to_vec();
    picture.resize(10_000, 3);
    let picture = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, picture);
    let body = format!(
        r#"{{"messages":[{{"role":"user","content":[{{"type":"text","text":"Look"}},{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{picture}"}}}}]}}]}}"#
    );
    let variables = format!(r#"{{"photo":"data:image/png;base64,{picture}"}}"#);
    let record = Record { request_body: body.into(), variables: Some(variables.into()), ..talk() };
    let row = Row::new(&record, "n", &Policy::default(), false);
    let mark = "weir-media:image/png;bytes=10000;sha256=";
    assert!(String::from_utf8_lossy(row.bodies.request.as_deref().unwrap()).contains(mark));
    assert!(row.variables.unwrap().contains(mark));
    assert_eq!(row.said.request, "Look");
}
