//! The words of a call that exact filters look for: user, session, tags, metadata and variables, folded, all in
//! the one indexed column `words`.
//!
//! A word is `user=ann`, `tag=checkout`, `metadata.tier=gold`. Its value is folded as search folds what it looks
//! for; the key of metadata and variables stays as it is, but for `=`, which would end it.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::value::RawValue;

use crate::filter::Field;
use crate::folding;
use crate::row::Row;

/// The longest value that a word says in full, in bytes; of a longer one it has the beginning.
const VALUE_BYTES: usize = 256;

/// The word for a field having a value, the value folded before; `None` for fields that leave no words. False
/// with it says that the value is too long for a word and other values may have the same.
pub(super) fn sought(field: &Field, value: &str) -> Option<(String, bool)> {
    let mut word = Vec::new();
    match field {
        Field::User => word.extend_from_slice(b"user="),
        Field::Session => word.extend_from_slice(b"session="),
        Field::Tag => word.extend_from_slice(b"tag="),
        Field::Metadata(key) => begin_member("metadata.", key, &mut word),
        Field::Variable(key) => begin_member("variable.", key, &mut word),
        _ => return None,
    }
    let kept = cut(value.as_bytes());
    word.extend_from_slice(kept);
    Some((String::from_utf8_lossy(&word).into_owned(), kept.len() == value.len()))
}

/// Gives every word of a call to `word`. `room` is emptied for each.
pub(super) fn leave(row: &Row<'_>, room: &mut Vec<u8>, mut word: impl FnMut(&[u8])) {
    let record = &*row.record;
    let plain = [("user=", record.user.as_deref()), ("session=", record.session.as_deref())];
    let tags = record.tags.iter().map(|tag| ("tag=", Some(&**tag)));
    for (begin, value) in plain.into_iter().chain(tags) {
        let Some(value) = value else { continue };
        room.clear();
        room.extend_from_slice(begin.as_bytes());
        word(finish(value, room));
    }
    for (begin, json) in [("metadata.", row.metadata.as_deref()), ("variable.", row.variables.as_deref())] {
        for (key, value) in json.and_then(members).into_iter().flatten() {
            room.clear();
            begin_member(begin, &key, room);
            word(finish(&plain_text(value), room));
        }
    }
}

/// The word in `room` with its value behind it.
fn finish<'a>(value: &str, room: &'a mut Vec<u8>) -> &'a [u8] {
    let begin = room.len();
    folding::fold_into(value, room);
    let end = begin + cut(&room[begin..]).len();
    &room[..end]
}

fn begin_member(begin: &str, key: &str, word: &mut Vec<u8>) {
    word.extend_from_slice(begin.as_bytes());
    word.extend(key.bytes().map(|byte| if byte == b'=' { 0x1f } else { byte }));
    word.push(b'=');
}

/// The beginning of a folded value, cut between characters.
fn cut(value: &[u8]) -> &[u8] {
    let mut end = value.len().min(VALUE_BYTES);
    while value.get(end).is_some_and(|byte| byte & 0xc0 == 0x80) {
        end -= 1;
    }
    &value[..end]
}

fn members(json: &str) -> Option<HashMap<Cow<'_, str>, &RawValue>> {
    serde_json::from_str(json).ok()
}

/// A value as people write it in a search: text without quotes, everything else as JSON.
fn plain_text(value: &RawValue) -> Cow<'_, str> {
    let raw = value.get();
    match raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')) {
        Some(text) if !text.contains('\\') => Cow::Borrowed(text),
        Some(_) => serde_json::from_str(raw).map_or(Cow::Borrowed(raw), Cow::Owned),
        None => Cow::Borrowed(raw),
    }
}

#[cfg(test)]
mod tests {
    use dialects::Endpoint;
    use vocab::{Id, Time};

    use super::*;
    use crate::policy::Policy;
    use crate::record::Record;

    fn words(record: &Record) -> Vec<String> {
        let row = Row::new(record, "node", &Policy::default(), false);
        let mut words = Vec::new();
        leave(&row, &mut Vec::new(), |word| words.push(String::from_utf8(word.to_vec()).unwrap()));
        words.sort();
        words
    }

    fn record() -> Record {
        Record::begin(Id::at(Time(0)), "default".into(), Time(0), Endpoint::ChatCompletions)
    }

    #[test]
    fn what_a_call_leaves_is_what_a_filter_seeks() {
        let record = Record {
            user: Some("Zoë".into()),
            tags: vec!["A  b".into(), "c".into()],
            metadata: Some(r#"{"Tier":"GOLD","n":1,"a=b":"c","list":[1, 2]}"#.into()),
            variables: Some(r#"{"name":"Straße\n"}"#.into()),
            ..record()
        };
        let expected = [
            "metadata.Tier=gold",
            "metadata.a\u{1f}b=c",
            "metadata.list=[1, 2]",
            "metadata.n=1",
            "tag=a b",
            "tag=c",
            "user=zoë",
            "variable.name=strasse",
        ];
        assert_eq!(words(&record), expected);
        let word = |field, value| sought(&field, value);
        assert_eq!(word(Field::User, "zoë"), Some(("user=zoë".to_owned(), true)));
        assert_eq!(word(Field::Metadata("a=b".into()), "c"), Some((expected[1].to_owned(), true)));
        assert_eq!(word(Field::Provider, "openai"), None);
    }

    #[test]
    fn a_long_value_leaves_its_beginning_cut_between_characters() {
        let long = "ö".repeat(VALUE_BYTES / 2 + 1);
        let record = Record { session: Some(format!("x{long}").into()), ..record() };
        let left = words(&record);
        assert_eq!(left[0].len(), "session=".len() + VALUE_BYTES - 1);
        assert_eq!(sought(&Field::Session, &format!("x{long}")), Some((left[0].clone(), false)));
    }

    #[test]
    fn what_is_no_object_leaves_no_words() {
        let record = Record { metadata: Some("[1]".into()), variables: Some("{".into()), ..record() };
        assert!(words(&record).is_empty());
    }
}
