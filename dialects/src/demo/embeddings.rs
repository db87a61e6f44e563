//! Embeddings of the demo provider: unit vectors in which texts that share words lie close together.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::Value;

use super::ask::Ask;
use super::refuse;
use super::words::{hash, next_random};
use crate::fault::Fault;

const DIMENSIONS: u64 = 256;
const DIMENSIONS_MAX: u64 = 4096;
/// OpenAI's own limit.
const INPUTS_MAX: usize = 2048;
/// Words times dimensions in one request: some hundredths of a second.
const WORK_MAX: u64 = 32_000_000;

#[derive(Serialize)]
struct Answer<'a> {
    object: &'static str,
    data: Vec<Embedding>,
    model: &'a str,
    usage: Usage,
}

#[derive(Serialize)]
struct Embedding {
    object: &'static str,
    index: usize,
    #[serde(rename = "embedding")]
    vector: Vector,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Vector {
    Floats(Vec<f32>),
    Base64(String),
}

#[derive(Serialize)]
struct Usage {
    prompt_tokens: u64,
    total_tokens: u64,
}

pub(super) fn whole(ask: &Ask) -> Result<Vec<u8>, Fault> {
    let inputs = inputs(&ask.body["input"])?;
    let dimensions = dimensions(&ask.body["dimensions"])?;
    let words = inputs.iter().flatten().count() as u64;
    if words * dimensions > WORK_MAX {
        let message =
            format!("the demo provider embeds at most {} words in one request", WORK_MAX / dimensions);
        return Err(refuse(message, "invalid_request"));
    }
    let as_base64 = ask.body["encoding_format"] == "base64";
    let embed = |(index, words): (usize, &Vec<String>)| {
        let floats = embed(words, dimensions);
        let vector = if as_base64 { Vector::Base64(encode(&floats)) } else { Vector::Floats(floats) };
        Embedding { object: "embedding", index, vector }
    };
    let tokens = inputs.iter().flatten().map(|word| word.len().div_ceil(4) as u64).sum();
    let answer = Answer {
        object: "list",
        data: inputs.iter().enumerate().map(embed).collect(),
        model: &ask.model,
        usage: Usage { prompt_tokens: tokens, total_tokens: tokens },
    };
    serde_json::to_vec(&answer).map_err(|error| refuse(error.to_string(), "invalid_request"))
}

/// Each input as its words; a list of token ids is one input.
fn inputs(input: &Value) -> Result<Vec<Vec<String>>, Fault> {
    let inputs: Vec<Vec<String>> = match input {
        Value::Array(items) if items.iter().all(Value::is_number) => vec![words(input)],
        Value::Array(items) => items.iter().map(words).collect(),
        _ => vec![words(input)],
    };
    if inputs.iter().any(Vec::is_empty) || inputs.len() > INPUTS_MAX {
        let message = format!("input must be 1 to {INPUTS_MAX} texts or token lists, none of them empty");
        return Err(refuse(message, "invalid_request"));
    }
    Ok(inputs)
}

fn words(input: &Value) -> Vec<String> {
    match input {
        Value::String(text) => text.split_whitespace().map(str::to_lowercase).collect(),
        Value::Array(tokens) => {
            tokens.iter().filter_map(Value::as_u64).map(|token| token.to_string()).collect()
        }
        _ => Vec::new(),
    }
}

fn dimensions(wanted: &Value) -> Result<u64, Fault> {
    if wanted.is_null() {
        return Ok(DIMENSIONS);
    }
    wanted.as_u64().filter(|wanted| (1..=DIMENSIONS_MAX).contains(wanted)).ok_or_else(|| {
        refuse(format!("dimensions must be a whole number from 1 to {DIMENSIONS_MAX}"), "invalid_request")
    })
}

/// The sum of one random direction for each word, scaled to length one.
fn embed(words: &[String], dimensions: u64) -> Vec<f32> {
    let mut vector = vec![0.0_f64; usize::try_from(dimensions).unwrap_or_default()];
    for word in words {
        let word = word.trim_matches(|c: char| c.is_ascii_punctuation());
        let mut state = hash(word.as_bytes(), 0);
        for component in &mut vector {
            *component += next_random(&mut state) as f64 / u64::MAX as f64 - 0.5;
        }
    }
    let length = vector.iter().map(|component| component * component).sum::<f64>().sqrt();
    vector.iter().map(|component| (component / length.max(f64::MIN_POSITIVE)) as f32).collect()
}

fn encode(floats: &[f32]) -> String {
    let bytes: Vec<u8> = floats.iter().flat_map(|float| float.to_le_bytes()).collect();
    STANDARD.encode(bytes)
}
