//! Cases for [`super`]: what sse must and must not do.

use proptest::prelude::*;

use super::*;

fn read(chunks: &[&[u8]]) -> Vec<Event> {
    let mut reader = EventReader::new();
    let mut events = Vec::new();
    for chunk in chunks {
        reader.push(Bytes::copy_from_slice(chunk));
        while let Some(event) = reader.next_event() {
            events.push(event.unwrap());
        }
    }
    events.extend(reader.finish().map(Result::unwrap));
    assert_eq!(reader.finish(), None);
    events
}

/// Each event as (name, data), blocks without either left out.
fn told(stream: &str) -> Vec<(Option<String>, Option<String>)> {
    let text = |bytes: Bytes| String::from_utf8(bytes.to_vec()).unwrap();
    let events = read(&[stream.as_bytes()]);
    let told = events.into_iter().map(|event| (event.name.map(text), event.data.map(text)));
    told.filter(|(name, data)| name.is_some() || data.is_some()).collect()
}

fn data(stream: &str) -> Vec<String> {
    told(stream).into_iter().filter_map(|(_, data)| data).collect()
}

#[test]
fn every_line_end_ends_a_line() {
    for stream in [
        "data: a\n\ndata: b\n\n",
        "data: a\r\rdata: b\r\r",
        "data: a\r\n\r\ndata: b\r\n\r\n",
        "data: a\r\n\ndata: b\n\r\n",
    ] {
        assert_eq!(data(stream), ["a", "b"], "{stream:?}");
    }
}

#[test]
fn one_space_after_the_colon_is_optional_and_only_one_is_cut() {
    assert_eq!(data("data:a\n\ndata: b\n\ndata:  c\n\n"), ["a", "b", " c"]);
}

#[test]
fn several_data_lines_are_joined_by_line_feeds() {
    assert_eq!(data("data: a\ndata:b\ndata\ndata: c\n\n"), ["a\nb\n\nc"]);
    assert_eq!(data("data:\ndata:\n\n"), ["\n"]);
    assert_eq!(data("data:\n\n"), [""]);
}

#[test]
fn names_are_read_and_other_fields_passed_over() {
    let stream = "event: error\nid: 7\nretry: 10\ndata: {}\n: comment\nunknown\n\nevent:\ndata: x\n\n";
    let expected = [(Some("error".to_owned()), Some("{}".to_owned())), (None, Some("x".to_owned()))];
    assert_eq!(told(stream), expected);
}

#[test]
fn comments_and_extra_blank_lines_are_blocks_without_data() {
    let events = read(&[b": OPENROUTER PROCESSING\n\n\n\r\ndata: a\n\n"]);
    let raws: Vec<&[u8]> = events.iter().map(|event| &event.raw[..]).collect();
    assert_eq!(raws, [&b": OPENROUTER PROCESSING\n\n"[..], b"\n", b"\r\n", b"data: a\n\n"]);
    assert_eq!(events.iter().filter(|event| event.data.is_some()).count(), 1);
}

#[test]
fn a_byte_order_mark_is_kept_in_raw_and_hidden_from_the_first_field() {
    let events = read(&["\u{feff}data: a\n\n".as_bytes()]);
    assert_eq!(events[0].data.as_deref(), Some(&b"a"[..]));
    assert_eq!(events[0].raw.len(), 12);
}

#[test]
fn an_event_within_one_chunk_is_a_slice_of_it() {
    let chunk = Bytes::from_static(b"data: a\n\nevent: x\ndata: b\n\n");
    let mut reader = EventReader::new();
    reader.push(chunk.clone());
    reader.next_event().unwrap().unwrap();
    let second = reader.next_event().unwrap().unwrap();
    assert_eq!(second.raw.as_ptr(), chunk[9..].as_ptr());
    assert_eq!(second.data.unwrap().as_ptr(), chunk[24..].as_ptr());
    assert_eq!(reader.next_event(), None);
}

#[test]
fn an_event_in_bare_crs_does_not_wait_for_the_next_chunk() {
    let mut reader = EventReader::new();
    reader.push(Bytes::from_static(b"data: a\r\r"));
    assert!(reader.next_event().is_some());
}

#[test]
fn a_last_event_without_its_blank_line_comes_at_the_end() {
    assert_eq!(data("data: a\n\ndata: b"), ["a", "b"]);
    assert_eq!(data("data: a\r\n\r"), ["a"]);
}

#[test]
fn an_event_may_be_larger_than_any_chunk() {
    let large = format!("data: {}\n\n", "x".repeat(100_000));
    let chunks: Vec<&[u8]> = large.as_bytes().chunks(1_000).collect();
    assert_eq!(read(&chunks)[0].raw, large);
}

#[test]
fn an_event_over_the_limit_is_an_error_and_the_end() {
    for chunks in [vec!["data: 12345\n\n"], vec!["data: 1", "2345", "\n\n"]] {
        let mut reader = EventReader::with_limit(12);
        let mut results = Vec::new();
        for chunk in chunks {
            reader.push(Bytes::from(chunk));
            results.extend(reader.next_event());
        }
        assert_eq!(results, [Err(SseError::TooLarge { limit: 12 })]);
        reader.push(Bytes::from_static(b"data: a\n\n"));
        assert_eq!((reader.next_event(), reader.finish()), (None, None));
    }
    let mut reader = EventReader::with_limit(13);
    reader.push(Bytes::from_static(b"data: 12345\n\n"));
    assert!(reader.next_event().unwrap().is_ok());
}

#[test]
fn a_flood_of_data_lines_is_joined_in_one_go() {
    let stream = "data:\n".repeat(200_000) + "\n";
    assert_eq!(data(&stream)[0].len(), 199_999);
}

#[test]
fn what_is_written_reads_back() {
    let mut out = Vec::new();
    write_event(Some("response.created"), "{\"a\":\n1}", &mut out);
    write_event(None, "plain", &mut out);
    let written = String::from_utf8(out).unwrap();
    assert_eq!(written, "event: response.created\ndata: {\"a\":\ndata: 1}\n\ndata: plain\n\n");
    assert_eq!(data(&written), ["{\"a\":\n1}", "plain"]);
}

/// Streams made of the pieces that matter to the reader.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => Just(b"\n".to_vec()),
        4 => Just(b"\r".to_vec()),
        2 => Just(b"\r\n".to_vec()),
        3 => Just(b"data: ".to_vec()),
        1 => Just(b"data".to_vec()),
        1 => Just(b"event:".to_vec()),
        1 => Just(b": ".to_vec()),
        1 => Just(BYTE_ORDER_MARK.to_vec()),
        3 => Just("né\u{1f600}".as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..6),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn a_stream_cut_anywhere_gives_the_same_events(stream in stream(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6)) {
        let whole = read(&[&stream]);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let chunks: Vec<&[u8]> = cuts.windows(2).map(|cut| &stream[cut[0]..cut[1]]).collect();
        prop_assert_eq!(&read(&chunks), &whole);
        let bytewise: Vec<&[u8]> = stream.chunks(1).collect();
        prop_assert_eq!(&read(&bytewise), &whole);
        let raw: Vec<u8> = whole.iter().flat_map(|event| event.raw.to_vec()).collect();
        prop_assert_eq!(raw, stream);
    }
}
