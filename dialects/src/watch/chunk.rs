//! Chunks of chat completions and of legacy completions; whole answers have the same members.

use super::{Choices, Facts, StreamWatch, Verdict};
use crate::cursor::{Cursor, NotJson, Text};
use crate::fault::{FailureClass, Fault};

/// What one chunk, or one whole answer, holds.
#[derive(Debug, Default)]
pub(super) struct Chunk<'a> {
    pub(super) model: Option<Text<'a>>,
    pub(super) usage: Option<&'a str>,
    service: Option<Text<'a>>,
    pub(super) choices: Choices,
    /// The reason of the choice with the lowest index that ended here.
    pub(super) finish: Option<(u64, Text<'a>)>,
    pub(super) text_bytes: u64,
    has_content: bool,
    has_choices_member: bool,
    error: Option<&'a str>,
    is_error: bool,
}

impl StreamWatch {
    pub(super) fn chunk(&mut self, data: &[u8]) -> Result<Verdict, NotJson> {
        let chunk = Chunk::read(data)?;
        if let Some(fault) = chunk.fault(data) {
            chunk.tell(&mut self.facts);
            return Ok(Verdict::Failed(fault));
        }
        let was_finished = self.finished();
        self.choices.begun |= chunk.choices.begun;
        self.choices.ended |= chunk.choices.ended;
        chunk.tell(&mut self.facts);
        Ok(chunk.verdict(was_finished))
    }
}

impl<'a> Chunk<'a> {
    pub(super) fn read(data: &'a [u8]) -> Result<Self, NotJson> {
        let mut chunk = Self::default();
        let mut json = Cursor::new(data)?;
        json.object(|json, key| chunk.member(json, key))?;
        json.end()?;
        Ok(chunk)
    }

    fn member(&mut self, json: &mut Cursor<'a>, key: &str) -> Result<(), NotJson> {
        match key {
            "choices" => {
                self.has_choices_member = true;
                json.array(|json| self.choice(json))?;
            }
            "model" => self.model = json.text()?,
            "service_tier" => self.service = json.text()?,
            "usage" => self.usage = json.raw()?.or(self.usage),
            "error" => self.error = json.raw()?.or(self.error),
            "object" => self.is_error = json.text()?.is_some_and(|object| object.is("error")),
            "x_groq" => {
                json.object(|json, key| match key {
                    "usage" | "error" => self.member(json, key),
                    _ => json.skip(),
                })?;
            }
            _ => json.skip()?,
        }
        Ok(())
    }

    fn choice(&mut self, json: &mut Cursor<'a>) -> Result<(), NotJson> {
        let (mut index, mut reason) = (0, None);
        json.object(|json, key| {
            match key {
                "index" => index = json.number()?.unwrap_or(0),
                "finish_reason" => reason = json.text()?.filter(|reason| !reason.is_empty()),
                "delta" | "message" => {
                    json.object(|json, key| self.delta_member(json, key))?;
                }
                "text" => self.content(json)?,
                "error" => self.error = json.raw()?.or(self.error),
                "usage" => self.usage = json.raw()?.or(self.usage),
                _ => json.skip()?,
            }
            Ok(())
        })?;
        self.choices.begin(index);
        let Some(reason) = reason else { return Ok(()) };
        self.choices.end(index);
        if self.finish.is_none_or(|(lowest, _)| index < lowest) {
            self.finish = Some((index, reason));
        }
        Ok(())
    }

    /// A member that this reader does not know still counts as content, but not as text; so does audio, which
    /// is mostly base64.
    fn delta_member(&mut self, json: &mut Cursor<'a>, key: &str) -> Result<(), NotJson> {
        match key {
            "role" => json.skip(),
            "content" | "refusal" | "reasoning" | "reasoning_content" | "tool_calls" | "function_call" => {
                self.content(json)
            }
            _ => {
                self.has_content |= weigh(json)? > 0;
                Ok(())
            }
        }
    }

    fn content(&mut self, json: &mut Cursor<'a>) -> Result<(), NotJson> {
        let bytes = weigh(json)?;
        self.text_bytes += bytes;
        self.has_content |= bytes > 0;
        Ok(())
    }

    /// The failure the chunk tells of, in any of the ways providers do.
    pub(super) fn fault(&self, data: &[u8]) -> Option<Fault> {
        if self.is_error {
            return Some(Fault::inside(data));
        }
        if let Some(error) = self.error.filter(|error| !matches!(*error, "\"\"" | "{}" | "false")) {
            return Some(Fault::inside(format!("{{\"error\":{error}}}").as_bytes()));
        }
        let broke_off = self.finish.is_some_and(|(_, reason)| reason.is("error"));
        broke_off
            .then(|| Fault::new(FailureClass::Transient, "the provider broke its answer off with an error"))
    }

    /// Hands on what the chunk told.
    pub(super) fn tell(&self, facts: &mut Facts) {
        facts.output_bytes += self.text_bytes;
        if let Some(model) = self.model {
            facts.take_model(model);
        }
        if let Some(tier) = self.service {
            facts.take_service(tier);
        }
        if let Some(usage) = self.usage {
            facts.take_usage(usage);
        }
        if let Some((index, reason)) = self.finish {
            facts.take_finish_reason(index, &reason.decode());
        }
    }

    fn verdict(&self, was_finished: bool) -> Verdict {
        let has_choices = self.choices.begun != 0;
        if self.finish.is_some() {
            Verdict::Finish
        } else if self.has_content {
            Verdict::Content
        } else if self.usage.is_some() && (!has_choices || was_finished) {
            Verdict::UsageOnly
        } else if self.has_choices_member {
            Verdict::Startup
        } else {
            Verdict::Other
        }
    }
}

/// How many bytes of text a value holds: its strings, wherever they lie, without the words of its structure.
fn weigh(json: &mut Cursor<'_>) -> Result<u64, NotJson> {
    let mut bytes = 0;
    match json.peek() {
        Some(b'{') => {
            json.object(|json, key| {
                match key {
                    "type" | "id" | "index" | "format" => json.skip()?,
                    _ => bytes += weigh(json)?,
                }
                Ok(())
            })?;
        }
        Some(b'[') => json.array(|json| {
            bytes += weigh(json)?;
            Ok(())
        })?,
        _ => bytes = json.text()?.map_or(0, Text::decoded_bytes),
    }
    Ok(bytes)
}
