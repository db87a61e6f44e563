//! Events of the responses endpoint, and the `response` object that the last one holds.

use super::{Facts, StreamWatch, Verdict};
use crate::cursor::{Cursor, NotJson, Text};
use crate::fault::Fault;

/// What one event holds.
#[derive(Debug, Default)]
struct ResponseEvent<'a> {
    kind: Option<Text<'a>>,
    sequence_number: Option<u64>,
    response: Option<&'a str>,
    delta_bytes: u64,
    has_image: bool,
}

/// What a `response` object holds.
#[derive(Debug, Default)]
pub(super) struct Response<'a> {
    pub(super) error: Option<&'a str>,
    pub(super) status: Option<Text<'a>>,
    model: Option<Text<'a>>,
    usage: Option<&'a str>,
    service: Option<Text<'a>>,
    incomplete: Option<Text<'a>>,
    has_calls: bool,
    text_bytes: u64,
}

impl StreamWatch {
    pub(super) fn response_event(&mut self, data: &[u8], name: Option<&[u8]>) -> Result<Verdict, NotJson> {
        let event = ResponseEvent::read(data)?;
        if let Some(number) = event.sequence_number {
            self.next_sequence_number = number.saturating_add(1);
        }
        let named = || std::str::from_utf8(name?).ok();
        let Some(kind) = event.kind.map(Text::raw).or_else(named) else {
            return Ok(Verdict::Other);
        };
        if kind != "response.audio.delta" {
            self.facts.output_bytes += event.delta_bytes;
        }
        match kind {
            "response.completed" | "response.incomplete" => self.terminal(&event),
            "response.failed" => {
                self.terminal(&event).map(|_| Verdict::Failed(Fault::inside(event.error(data))))
            }
            "error" => Ok(Verdict::Failed(Fault::inside(data))),
            "response.created" | "response.in_progress" | "response.queued" => self.begin(&event),
            _ => Ok(event.verdict(kind)),
        }
    }

    fn begin(&mut self, event: &ResponseEvent<'_>) -> Result<Verdict, NotJson> {
        let response = Response::read(event.response.unwrap_or("null").as_bytes())?;
        response.tell(&mut self.facts);
        Ok(Verdict::Startup)
    }

    fn terminal(&mut self, event: &ResponseEvent<'_>) -> Result<Verdict, NotJson> {
        let response = Response::read(event.response.unwrap_or("null").as_bytes())?;
        response.tell(&mut self.facts);
        response.tell_finish(&mut self.facts);
        self.facts.output_bytes = self.facts.output_bytes.max(response.text_bytes);
        self.terminated = true;
        Ok(Verdict::Terminator)
    }
}

impl<'a> ResponseEvent<'a> {
    fn read(data: &'a [u8]) -> Result<Self, NotJson> {
        let mut event = Self::default();
        let mut json = Cursor::new(data)?;
        json.object(|json, key| {
            match key {
                "type" => event.kind = json.text()?,
                "sequence_number" => event.sequence_number = json.number()?,
                "response" => event.response = json.raw()?,
                "delta" => event.delta_bytes = json.text()?.map_or(0, Text::decoded_bytes),
                "partial_image_b64" => event.has_image = json.text()?.is_some(),
                _ => json.skip()?,
            }
            Ok(())
        })?;
        json.end()?;
        Ok(event)
    }

    fn verdict(&self, kind: &str) -> Verdict {
        if self.delta_bytes > 0 || self.has_image {
            Verdict::Content
        } else if matches!(kind.rsplit('.').next(), Some("added" | "delta")) {
            Verdict::Startup
        } else {
            Verdict::Other
        }
    }

    /// The part of a `response.failed` event that says why.
    fn error<'b>(&'b self, data: &'b [u8]) -> &'b [u8] {
        self.response.map_or(data, str::as_bytes)
    }
}

impl<'a> Response<'a> {
    pub(super) fn read(data: &'a [u8]) -> Result<Self, NotJson> {
        let mut response = Self::default();
        let mut json = Cursor::new(data)?;
        json.object(|json, key| {
            match key {
                "error" => response.error = json.raw()?,
                "status" => response.status = json.text()?,
                "model" => response.model = json.text()?,
                "usage" => response.usage = json.raw()?,
                "service_tier" => response.service = json.text()?,
                "incomplete_details" => {
                    json.object(|json, key| {
                        if key != "reason" {
                            return json.skip();
                        }
                        response.incomplete = json.text()?;
                        Ok(())
                    })?;
                }
                "output" => json.array(|json| response.item(json))?,
                _ => json.skip()?,
            }
            Ok(())
        })?;
        json.end()?;
        Ok(response)
    }

    fn item(&mut self, json: &mut Cursor<'a>) -> Result<(), NotJson> {
        json.object(|json, key| {
            match key {
                "type" => self.has_calls |= json.text()?.is_some_and(|kind| kind.raw().ends_with("_call")),
                "arguments" | "input" => self.text_bytes += json.text()?.map_or(0, Text::decoded_bytes),
                "content" | "summary" => json.array(|json| self.part(json))?,
                _ => json.skip()?,
            }
            Ok(())
        })?;
        Ok(())
    }

    fn part(&mut self, json: &mut Cursor<'a>) -> Result<(), NotJson> {
        json.object(|json, key| {
            match key {
                "text" | "refusal" => self.text_bytes += json.text()?.map_or(0, Text::decoded_bytes),
                _ => json.skip()?,
            }
            Ok(())
        })?;
        Ok(())
    }

    pub(super) fn tell(&self, facts: &mut Facts) {
        if let Some(model) = self.model {
            facts.take_model(model);
        }
        if let Some(tier) = self.service {
            facts.take_service(tier);
        }
        if let Some(usage) = self.usage {
            facts.take_usage(usage);
        }
    }

    /// Says in chat's words why the answer ended.
    pub(super) fn tell_finish(&self, facts: &mut Facts) {
        let status = self.status.map(Text::raw).unwrap_or_default();
        let incomplete = self.incomplete.map(Text::raw);
        let reason = match (status, incomplete) {
            ("queued" | "in_progress", _) => return,
            (_, Some("max_output_tokens")) => "length",
            (_, Some(reason)) => reason,
            ("failed", None) => "error",
            ("cancelled", None) => "cancelled",
            _ if self.has_calls => "tool_calls",
            _ => "stop",
        };
        facts.take_finish_reason(0, reason);
    }

    pub(super) fn tell_text(&self, facts: &mut Facts) {
        facts.output_bytes += self.text_bytes;
    }
}
