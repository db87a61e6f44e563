//! The human text in requests and answers, for previews and search: what people and models said, tools were
//! given and gave. Media, ids and settings are left out. Bodies of any shape are read; nothing fails.

use crate::Endpoint;
use crate::cursor::{Cursor, NotJson, Text};

/// How long a text may get. Of a longer one the middle is left out: what was said last matters most.
pub const TEXT_BYTES_MAX: usize = 256 * 1024;

/// More tool names than these are not kept.
const TOOL_NAMES_MAX: usize = 64;

/// Members whose strings are said to somebody.
const SPOKEN: [&str; 14] = [
    "content",
    "text",
    "refusal",
    "arguments",
    "output",
    "input",
    "name",
    "filename",
    "reasoning",
    "reasoning_content",
    "thinking",
    "summary",
    "transcript",
    "message",
];

/// Members that hold spoken members somewhere below.
const HOLDING: [&str; 8] =
    ["messages", "choices", "delta", "tool_calls", "function_call", "function", "custom", "error"];

/// The text of a request: messages, instructions, input, prompt.
pub fn request_text(endpoint: Endpoint, body: &[u8]) -> String {
    let roots: &[&str] = match endpoint {
        Endpoint::ChatCompletions => &["messages"],
        Endpoint::Responses => &["instructions", "input"],
        Endpoint::Completions => &["prompt", "suffix"],
        Endpoint::Embeddings => &["input"],
        Endpoint::Passthrough => &["messages", "instructions", "input", "prompt", "query", "documents"],
    };
    collect(roots, body)
}

/// The text of a whole answer: what was said, refused, reasoned, and called.
pub fn response_text(endpoint: Endpoint, body: &[u8]) -> String {
    let roots: &[&str] = match endpoint {
        Endpoint::ChatCompletions | Endpoint::Completions => &["choices", "error"],
        Endpoint::Responses => &["output", "error"],
        Endpoint::Embeddings => &["error"],
        Endpoint::Passthrough => &["choices", "output", "content", "text", "error"],
    };
    collect(roots, body)
}

/// The names of the tools that a whole answer calls, each once, in the order of their first call.
pub fn tool_names(endpoint: Endpoint, body: &[u8]) -> Vec<String> {
    let root = if endpoint == Endpoint::Responses { "output" } else { "choices" };
    let mut names = Vec::new();
    // Names found before a broken place count.
    let _read = Cursor::new(body).and_then(|mut json| {
        json.object(|json, key| if key == root { find_calls(json, &mut names) } else { json.skip() })
    });
    names
}

fn find_calls(json: &mut Cursor<'_>, names: &mut Vec<String>) -> Result<(), NotJson> {
    match json.peek() {
        Some(b'[') => json.array(|json| find_calls(json, names)),
        Some(b'{') => {
            let (mut name, mut is_call) = (None, false);
            json.object(|json, key| match key {
                "message" | "tool_calls" | "function_call" | "function" | "custom" => find_calls(json, names),
                "name" => json.text().map(|text| name = text),
                "arguments" | "input" => json.skip().map(|()| is_call = true),
                _ => json.skip(),
            })?;
            if let Some(name) = name.filter(|_| is_call) {
                push_name(names, name.decode().into_owned());
            }
            Ok(())
        }
        _ => json.skip(),
    }
}

fn push_name(names: &mut Vec<String>, name: String) {
    if names.len() < TOOL_NAMES_MAX && !name.is_empty() && !names.contains(&name) {
        names.push(name);
    }
}

fn collect(roots: &[&str], body: &[u8]) -> String {
    let mut text = String::new();
    // Text found before a broken place counts.
    let _read = Cursor::new(body).and_then(|mut json| {
        json.object(|json, key| if roots.contains(&key) { walk(json, true, &mut text) } else { json.skip() })
    });
    cut_middle(text)
}

fn walk(json: &mut Cursor<'_>, spoken: bool, text: &mut String) -> Result<(), NotJson> {
    match json.peek() {
        Some(b'"') if spoken => {
            let said = json.text()?.map(Text::decode).unwrap_or_default();
            push_line(text, &said);
            Ok(())
        }
        Some(b'[') => json.array(|json| walk(json, spoken, text)),
        Some(b'{') => json.object(|json, key| walk_member(json, key, text)).map(|_| ()),
        _ => json.skip(),
    }
}

fn walk_member(json: &mut Cursor<'_>, key: &str, text: &mut String) -> Result<(), NotJson> {
    match key {
        // A few servers give arguments as an object: its JSON is what was said.
        "arguments" if json.peek() == Some(b'{') => {
            json.raw().map(|raw| push_line(text, raw.unwrap_or_default()))
        }
        _ if SPOKEN.contains(&key) => walk(json, true, text),
        _ if HOLDING.contains(&key) => walk(json, false, text),
        _ => json.skip(),
    }
}

fn push_line(text: &mut String, line: &str) {
    if line.is_empty() {
        return;
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(line);
}

fn cut_middle(text: String) -> String {
    if text.len() <= TEXT_BYTES_MAX {
        return text;
    }
    let half = TEXT_BYTES_MAX / 2 - "\n…\n".len();
    let head = text.get(..text.floor_char_boundary(half)).unwrap_or_default();
    let tail = text.get(text.ceil_char_boundary(text.len() - half)..).unwrap_or_default();
    format!("{head}\n…\n{tail}")
}
