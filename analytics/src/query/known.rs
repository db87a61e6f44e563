//! The fields a search text may name, as people are told of them.

use crate::filter::{FIELDS as WORDS, Field};

/// A field.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// Its name; `<key>` and `<name>` stand for one's own.
    pub name: &'static str,
    /// What kind of thing it holds.
    pub holds: Holds,
    /// What that is.
    pub says: &'static str,
    /// A term with it.
    pub example: &'static str,
}

/// What kind of thing a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// Words, compared case aside.
    Words,
    /// A number.
    Number,
    /// A while: `2s`, `500ms`.
    Duration,
    /// US dollars.
    Dollars,
}

/// Every field, in the order people look for them.
pub const FIELDS: &[Known] = &[
    words("model", "the model as requested or as served", "model:gpt-5*"),
    words("provider", "the provider that answered last", "provider:openai,azure"),
    words("prompt", "the prompt's name or id, perhaps with @version or @label", "prompt:support/reply@7"),
    Known {
        name: "version",
        holds: Holds::Number,
        says: "the prompt version's number",
        example: "version:7",
    },
    words("label", "the label the prompt was reached by", "label:production"),
    words("variable.<key>", "a prompt variable as sent", "variable.customer:ada"),
    words("experiment", "the experiment", "experiment:support/reply/production"),
    words("arm", "the experiment's arm", "arm:b"),
    words("arm_unit", "what the call was assigned to its arm by, or none", "arm_unit:none"),
    Known {
        name: "status",
        holds: Holds::Number,
        says: "the HTTP status the caller saw",
        example: "status:5*",
    },
    words("outcome", "how the call ended", "outcome:timeout,upstream_error"),
    words("error", "the error's code, or words of its message", "error:rate_limit_exceeded"),
    words("user", "the end user", "user:u-17"),
    words("session", "the session", "session:s-4"),
    words("tag", "any of the tags", "tag:checkout"),
    words("metadata.<key>", "one entry of the caller's metadata", "metadata.tier:gold"),
    words("key", "the virtual key's id", "key:*"),
    words("endpoint", "the endpoint", "endpoint:chat_completions"),
    words("stream", "whether it was streamed", "stream:true"),
    words("cache", "hit, miss or off", "cache:hit"),
    Known { name: "cost", holds: Holds::Dollars, says: "the cost in US dollars", example: "cost>0.01" },
    Known { name: "latency", holds: Holds::Duration, says: "the whole call", example: "latency>2s" },
    Known {
        name: "ttft",
        holds: Holds::Duration,
        says: "the time to the first content",
        example: "ttft>500ms",
    },
    Known { name: "tokens", holds: Holds::Number, says: "input and output tokens", example: "tokens>=4k" },
    Known { name: "input_tokens", holds: Holds::Number, says: "input tokens", example: "input_tokens>1000" },
    Known { name: "output_tokens", holds: Holds::Number, says: "output tokens", example: "output_tokens<10" },
    Known {
        name: "score.<name>",
        holds: Holds::Number,
        says: "a score of this name",
        example: "score.helpful<0.5",
    },
    words("trace", "the trace id", "trace:4bf92f3577b34da6a3ce929d0e0e4736"),
    words("id", "the call's id", "id:019aa2d8-5a00-7c3e-9d5b-0f6c2a1b3c4d"),
];

const fn words(name: &'static str, says: &'static str, example: &'static str) -> Known {
    Known { name, holds: Holds::Words, says, example }
}

/// A name that is no field with values to suggest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoValues(String);

/// The field of words with this name, for suggesting its values.
pub fn field(name: &str) -> Result<Field, NoValues> {
    match name.split_once('.') {
        Some(("metadata", key)) if !key.is_empty() => return Ok(Field::Metadata(key.to_owned())),
        Some(("variable", key)) if !key.is_empty() => return Ok(Field::Variable(key.to_owned())),
        _ => {}
    }
    let known = WORDS.iter().find(|(known, field)| *known == name && *field != Field::Id);
    known.map(|(_, field)| field.clone()).ok_or_else(|| {
        let names: Vec<_> = suggested().collect();
        NoValues(format!(
            "there are no values to suggest for `{}`: use one of {}",
            name.escape_debug(),
            names.join(", ")
        ))
    })
}

fn suggested() -> impl Iterator<Item = &'static str> {
    FIELDS.iter().filter(|known| known.holds == Holds::Words && known.name != "id").map(|known| known.name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::filter::MEASURES;
    use crate::query::parse;

    #[test]
    fn every_field_is_told_of_with_an_example_that_reads_as_it() {
        for known in FIELDS {
            let filter =
                parse(known.example).unwrap_or_else(|problem| panic!("{}: {problem}", known.example));
            let printed = filter.to_string();
            let stem = known.name.split('<').next().unwrap();
            assert!(filter.terms.len() == 1 && printed.starts_with(stem), "{}: {printed}", known.name);
        }
        let told: BTreeSet<_> =
            FIELDS.iter().map(|known| known.name).filter(|name| !name.contains('<')).collect();
        let words = WORDS.iter().map(|(name, _)| *name);
        assert_eq!(told, words.chain(MEASURES.iter().map(|(name, _)| *name)).collect());
    }

    #[test]
    fn values_are_suggested_for_fields_of_words_only() {
        assert_eq!(field("model"), Ok(Field::Model));
        assert_eq!(field("metadata.a.b"), Ok(Field::Metadata("a.b".to_owned())));
        for name in ["", "id", "latency", "metadata", "metadata.", "colour"] {
            let error = field(name).unwrap_err().to_string();
            assert!(error.contains("provider") && !error.contains("latency,"), "{name}: {error}");
        }
    }
}
