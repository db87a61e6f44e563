//! The engine `jinja`: minijinja in a sandbox.
//!
//! No files, no clock, no randomness, no other templates than snippets; undefined names are errors; values are inserted raw (no
//! escaping for HTML), lists and objects as compact JSON, null as nothing; one newline at the end of a text is cut.
//! Limits: see the constants, and `growth.rs` for what pages may build. What they do not catch is a page that sorts great
//! lists in a loop: steps are counted, not how long one step takes. Publishing, and trying what is not published, is for
//! people who are trusted.

mod environment;
mod failure;
mod growth;
mod output;
mod reading;
mod size;

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::thread;

use minijinja::value::Object;
use minijinja::{Environment, Value};
use serde_json::Value as Json;

use super::RenderError;
use super::fill::invalid;
use super::media::{self, InputPart};
use super::problem::{Flaw, Spot};
use super::slots::{Sent, Slot, Slots};
use output::LimitedOutput;

/// The most steps the pages of one prompt take together.
const STEPS: u64 = 100_000;
/// The most bytes the pages of one prompt write together.
const OUTPUT_BYTES: usize = 1 << 20;
/// The longest page.
const PAGE_BYTES: usize = 1 << 20;
/// The stack for pages that can put lists into lists as often as they have steps; the engine prints, compares and
/// frees them by recursion, and a stack that overflows ends the process.
const DEEP_STACK_BYTES: usize = 256 << 20;

/// Words of the language.
const RESERVED: [&str; 16] = [
    "true", "false", "none", "True", "False", "None", "and", "or", "not", "in", "is", "if", "else", "loop",
    "self", "super",
];

/// What keeps the names that a page sets within it, where it is included.
const ENCLOSING: (&str, &str) = ("{% with %}", "{% endwith %}");

/// A page as it stands inside another: what it sets and trims stays within it, and so does the line end it is cut by.
pub(super) fn enclosed(page: &str) -> String {
    let page = page.strip_suffix('\n').unwrap_or(page);
    let page = page.strip_suffix('\r').unwrap_or(page);
    format!("{}{page}{}", ENCLOSING.0, ENCLOSING.1)
}

/// Whether a variable may have this name.
pub(super) fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !is_reserved(name)
}

/// Whether the language itself has this name.
pub(super) fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name) || environment::has_function(name)
}

/// The pages of one prompt.
#[derive(Debug)]
pub(super) struct Library {
    environment: Environment<'static>,
    pages: usize,
    snippets: Snippets,
}

/// What pages may include, by reference: what each says, or why it cannot stand in a page.
type Snippets = HashMap<String, Result<reading::Reading, String>>;

/// The snippets a page names, and where their names stand; none in a page that cannot be parsed.
pub(super) fn includes(source: &str) -> Vec<(Range<usize>, String)> {
    reading::includes(source)
}

/// One compiled text.
#[derive(Debug)]
pub(super) struct Page {
    name: String,
    spot: Spot,
    /// The snippet it belongs to, if it is not the prompt's own.
    within: Option<Arc<str>>,
    bytes: usize,
    /// Whether it sets attributes of a namespace, the one way to carry a value from one round of a loop to the next.
    nests: bool,
}

impl Default for Library {
    fn default() -> Self {
        Self { environment: environment::sandbox().clone(), pages: 0, snippets: Snippets::new() }
    }
}

impl Library {
    /// Compiles a text and notes the variables it uses.
    pub(super) fn add(
        &mut self,
        text: &str,
        (spot, within): (Spot, Option<Arc<str>>),
        slots: &mut Slots,
    ) -> Result<Page, Vec<Flaw>> {
        if text.len() > PAGE_BYTES {
            let message = format!("a jinja text has at most {} MiB: use the engine plain", PAGE_BYTES >> 20);
            return Err(vec![Flaw { offset: 0, message }]);
        }
        let reading = reading::read(text, &self.snippets)?;
        let name = self.pages.to_string();
        self.pages += 1;
        self.environment
            .add_template_owned(name.clone(), growth::guarded(text).into_owned())
            .map_err(|error| vec![failure::flaw(&error)])?;
        for (variable, required) in reading.variables() {
            slots.page(variable, required);
        }
        Ok(Page { name, spot, within, bytes: text.len(), nests: reading.nests })
    }

    /// Compiles a snippet that pages may include by this reference, and keeps what came of it for those that do.
    pub(super) fn admit(&mut self, reference: &str, source: Result<String, String>) {
        let came = source.and_then(|source| self.read_snippet(reference, source));
        self.snippets.insert(reference.to_owned(), came);
    }

    fn read_snippet(&mut self, reference: &str, source: String) -> Result<reading::Reading, String> {
        let told = |flaws: &[Flaw]| {
            let first = flaws.first().map(|flaw| flaw.message.as_str()).unwrap_or_default();
            format!("`{reference}` cannot stand here: {first}")
        };
        let reading = reading::read(&source, &self.snippets).map_err(|flaws| told(&flaws))?;
        let source = if reading.sets { enclosed(&source) } else { source };
        let guarded = growth::guarded(&source).into_owned();
        let added = self.environment.add_template_owned(reference.to_owned(), guarded);
        added.map_err(|error| told(&[failure::flaw(&error)]))?;
        Ok(reading)
    }

    /// Whether there is a page at all.
    pub(super) const fn has_pages(&self) -> bool {
        self.pages > 0
    }

    /// Begins filling in the pages for one call.
    pub(super) fn open<'a>(
        &'a self,
        slots: &Arc<Slots>,
        sent: &Sent<'_>,
    ) -> Result<Session<'a>, RenderError> {
        let values =
            sent.iter().zip(slots.iter()).map(|(value, (name, slot))| context_value(*value, name, slot));
        let values = values.collect::<Result<_, _>>()?;
        let context = Value::from_object(Context { slots: Arc::clone(slots), values });
        Ok(Session { environment: &self.environment, context, steps: STEPS, room: OUTPUT_BYTES })
    }
}

/// The pages of one prompt being filled in for one call.
pub(super) struct Session<'a> {
    environment: &'a Environment<'static>,
    context: Value,
    steps: u64,
    room: usize,
}

impl Session<'_> {
    /// Fills in one page.
    pub(super) fn render(&mut self, page: &Page) -> Result<String, RenderError> {
        if !page.nests {
            return self.run(page);
        }
        thread::scope(|scope| {
            let deep = thread::Builder::new().stack_size(DEEP_STACK_BYTES);
            let rendering = deep
                .spawn_scoped(scope, || self.run(page))
                .map_err(|_| page.spot.failure("", &failure::no_thread()))?;
            rendering.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    fn run(&mut self, page: &Page) -> Result<String, RenderError> {
        let mut output = LimitedOutput::new(page.bytes, self.room);
        let rendered = self
            .environment
            .get_template(&page.name)
            .and_then(|template| template.render_captured_to(self.context.clone(), &mut output));
        let captured = rendered.map_err(|error| self.explain(&error, page))?;
        let (used, _) = captured.state().fuel_levels().unwrap_or_default();
        self.steps =
            self.steps.checked_sub(used).ok_or_else(|| page.spot.failure("", &failure::too_many_steps()))?;
        let text = output.into_text();
        self.room -= text.len();
        Ok(text)
    }

    fn explain(&self, error: &minijinja::Error, page: &Page) -> RenderError {
        let error = failure::innermost(error);
        if let Some(name) = failure::missing_name(error).filter(|name| !self.knows(name)) {
            return RenderError::Missing(vec![name.to_owned()]);
        }
        // A page that is included fails under its own name.
        let name = error.name().unwrap_or(&page.name);
        let source = self.environment.get_template(name).map(|template| template.source().to_owned());
        let mut flaw = failure::flaw(error);
        let (mut source, offset) = growth::unguarded(&source.unwrap_or_default(), flaw.offset);
        flaw.offset = offset;
        if name != page.name && source.starts_with(ENCLOSING.0) {
            source.drain(..ENCLOSING.0.len());
            flaw.offset = flaw.offset.saturating_sub(ENCLOSING.0.len());
        }
        let within = if name == page.name { page.within.as_deref() } else { Some(name) };
        if let Some(reference) = within {
            flaw.message = format!("in `{reference}`: {}", flaw.message);
        }
        page.spot.failure(&source, &flaw)
    }

    fn knows(&self, name: &str) -> bool {
        self.context.get_attr(name).is_ok_and(|value| !value.is_undefined())
    }
}

/// What pages see: the variables that were sent, by the slots' names.
#[derive(Debug)]
struct Context {
    slots: Arc<Slots>,
    values: Vec<Option<Value>>,
}

impl Object for Context {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        self.values.get(self.slots.find(key)?)?.clone()
    }
}

/// The value of a variable. An optional one that was not sent is undefined too, but prints and tests as nothing
/// instead of failing.
fn context_value(value: Option<&Json>, name: &str, slot: &Slot) -> Result<Option<Value>, RenderError> {
    match value {
        None if slot.declared => Ok(Some(environment::nothing())),
        Some(value) if slot.paged => match media::read(value).map_err(|reason| invalid(name, reason))? {
            Some(InputPart::Text(text)) => Ok(Some(Value::from(text))),
            Some(InputPart::Media(_)) => {
                Err(invalid(name, "is an image or a file, which a jinja prompt cannot hold"))
            }
            None => Ok(Some(environment::convert(value))),
        },
        None | Some(_) => Ok(None),
    }
}
