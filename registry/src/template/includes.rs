//! Snippets inside a content: which it names, and compiling them where they stand.

use std::collections::BTreeMap;
use std::sync::Arc;

use dialects::chat::{Content as MessageContent, Message, Part, Role};
use serde_json::Value;

use super::message::MessageTemplate;
use super::text::Compiler;
use super::{ItemTemplate, Problem, fstring, jinja, plain};
use crate::content::{Content, Engine, Included, Item, PromptBody, Snippet, VariableKind};
use crate::template::pieces::Token;

/// The references a content includes, in items and in `{% include %}`, each once, in order. What cannot be parsed
/// includes nothing.
pub fn references(content: &Content) -> Vec<String> {
    let mut found = Vec::<String>::new();
    let mut note = |reference: &str| {
        if !found.iter().any(|known| known == reference) {
            found.push(reference.to_owned());
        }
    };
    for item in content.items() {
        if let Item::Include { include, .. } = item {
            note(include);
        }
    }
    if content.engine == Engine::Jinja {
        let mut content = content.clone();
        rewrite(&mut content.body, &mut |text| {
            for (_, reference) in jinja::includes(text) {
                note(&reference);
            }
            None
        });
    }
    found
}

/// The content with other references in place of those it has.
pub fn with_references(content: &Content, instead: &BTreeMap<String, String>) -> Content {
    let mut content = content.clone();
    if let PromptBody::Messages(items) = &mut content.body {
        for item in items {
            if let Item::Include { include, .. } = item
                && let Some(reference) = instead.get(include)
            {
                include.clone_from(reference);
            }
        }
    }
    if content.engine == Engine::Jinja {
        rewrite(&mut content.body, &mut |text| {
            let mut text = text.to_owned();
            for (place, reference) in jinja::includes(&text).into_iter().rev() {
                if let Some(reference) = instead.get(&reference) {
                    text.replace_range(place, &format!("\"{reference}\""));
                }
            }
            Some(text)
        });
    }
    content
}

/// Shows every text that is a template, and puts what it is told instead of it.
pub(super) fn rewrite(body: &mut PromptBody, with: &mut dyn FnMut(&str) -> Option<String>) {
    let mut put = |text: &mut String| {
        if let Some(new) = with(text) {
            *text = new;
        }
    };
    match body {
        PromptBody::Text(text) => put(text),
        PromptBody::Messages(items) => {
            for item in items {
                let Item::Message(Message { content, .. }) = item else { continue };
                match content {
                    MessageContent::Absent => {}
                    MessageContent::Text(text) => put(text),
                    MessageContent::Parts(parts) => parts.iter_mut().filter_map(text_of).for_each(&mut put),
                }
            }
        }
    }
}

fn text_of(part: &mut Part) -> Option<&mut String> {
    let is_text = part.as_text().is_some();
    let field = if is_text { part.0.get_mut("text") } else { part.0.get_mut("image_url")?.get_mut("url") };
    match field {
        Some(Value::String(text)) => Some(text),
        Some(_) | None => None,
    }
}

/// Makes what a content includes known to it: variables that snippets declare, and texts for `{% include %}`.
pub(super) fn admit(engine: Engine, included: &Included, compiler: &mut Compiler<'_>) {
    for (reference, snippet) in included {
        compiler.know(reference, snippet);
        for (name, declared) in &snippet.content.variables {
            if let Some(other) = compiler.slots.adopt(name, declared) {
                let theirs = declared.kind.map_or("anything", VariableKind::as_str);
                let message = format!(
                    "variables.{name}: `{reference}` declares it as {theirs}, and it is declared as {other} already: \
                     give them one type"
                );
                compiler.problems.push(Problem::general(None, message));
            }
        }
        admit(engine, &snippet.included, compiler);
        if engine == Engine::Jinja {
            compiler.library.admit(reference, source_of(reference, snippet));
        }
    }
}

/// The text of a snippet as jinja, whatever its own engine.
pub(super) fn source_of(reference: &str, snippet: &Snippet) -> Result<String, String> {
    let PromptBody::Text(text) = &snippet.content.body else {
        return Err(format!(
            "`{reference}` is a chat prompt: include it as a message, `{{\"include\": \"{reference}\"}}`"
        ));
    };
    let tokens = match snippet.content.engine {
        Engine::Jinja => return Ok(text.clone()),
        Engine::Plain => plain::read(text),
        Engine::Fstring => fstring::read(text),
    };
    let mut source = Vec::with_capacity(tokens.len());
    for token in tokens {
        match token {
            Token::Literal("") => {}
            Token::Literal(literal) => source.push(format!("{{{{ {} }}}}", Value::from(literal))),
            Token::Variable { name, .. } if jinja::is_name(name) => source.push(format!("{{{{ {name} }}}}")),
            Token::Variable { name, .. } => {
                return Err(format!(
                    "`{reference}` uses the variable `{name}`, which jinja cannot name: include it as a message"
                ));
            }
            Token::Flaw { message, .. } => return Err(format!("`{reference}`: {message}")),
        }
    }
    Ok(source.concat())
}

/// Compiles the body of a content, snippets in place of the items that name them.
pub(super) fn compile_body(
    content: &Content,
    included: &Included,
    compiler: &mut Compiler<'_>,
) -> Vec<ItemTemplate> {
    admit(content.engine, included, compiler);
    match &content.body {
        PromptBody::Text(text) => vec![ItemTemplate::of_text(text, compiler)],
        PromptBody::Messages(items) => {
            let items = items.iter().enumerate();
            items.flat_map(|(index, item)| compile_item((index, item), content, included, compiler)).collect()
        }
    }
}

fn compile_item(
    (index, item): (usize, &Item),
    content: &Content,
    included: &Included,
    compiler: &mut Compiler<'_>,
) -> Vec<ItemTemplate> {
    match item {
        Item::Message(message) => {
            vec![ItemTemplate::Message(Box::new(MessageTemplate::compile(message, index, compiler)))]
        }
        Item::Placeholder { placeholder } => compiler.place(placeholder, index, content),
        Item::Include { include, role } => {
            let Some(snippet) = included.get(include) else {
                let message = format!("`{include}` is not at hand here, so this cannot be tried");
                compiler.problems.push(Problem::general(Some(index), message));
                return Vec::new();
            };
            compile_snippet((index, include), snippet, *role, compiler)
        }
    }
}

/// The messages of a snippet where an item names it; whatever is said of them is said of that item.
fn compile_snippet(
    (index, reference): (usize, &str),
    snippet: &Snippet,
    role: Option<Role>,
    compiler: &mut Compiler<'_>,
) -> Vec<ItemTemplate> {
    let outer = compiler.enter(snippet.content.engine, Arc::from(reference));
    let templates = match &snippet.content.body {
        PromptBody::Text(text) => {
            admit(snippet.content.engine, &snippet.included, compiler);
            let role = role.unwrap_or(Role::User);
            vec![ItemTemplate::Message(Box::new(MessageTemplate::of_snippet(text, role, index, compiler)))]
        }
        PromptBody::Messages(_) if role.is_some() => {
            let message =
                format!("`{reference}` is a chat prompt, whose messages have roles: leave `role` out");
            compiler.problems.push(Problem::general(Some(index), message));
            Vec::new()
        }
        PromptBody::Messages(items) => {
            admit(snippet.content.engine, &snippet.included, compiler);
            let mut templates = Vec::with_capacity(items.len());
            for item in items {
                templates.extend(compile_item((index, item), &snippet.content, &snippet.included, compiler));
            }
            templates
        }
    };
    compiler.leave(outer);
    templates
}
