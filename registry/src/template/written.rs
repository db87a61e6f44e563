//! A content with what it includes written out where it stands, for readers that know no includes.

use dialects::chat::{Content as MessageContent, Message, Role};

use super::includes::{rewrite, source_of};
use super::jinja;
use crate::content::{Content, Engine, Included, Item, PromptBody, Snippet};

/// Writes out what a content includes, so that it says the same without it; or says what cannot be written out: texts of
/// two engines do not go into one content.
pub fn write_out(content: &Content, included: &Included) -> Result<Content, String> {
    let mut written = content.clone();
    if let PromptBody::Messages(items) = &mut written.body {
        let mut out = Vec::with_capacity(items.len());
        for item in items.drain(..) {
            match item {
                Item::Include { include, role } => {
                    out.extend(write_item((&include, role), content.engine, included)?);
                }
                Item::Message(_) | Item::Placeholder { .. } => out.push(item),
            }
        }
        *items = out;
    }
    if content.engine == Engine::Jinja {
        write_pages(&mut written.body, included)?;
    }
    for snippet in included.values() {
        for (name, declared) in &snippet.content.variables {
            written.variables.entry(name.clone()).or_insert_with(|| declared.clone());
        }
    }
    Ok(written)
}

/// What stands in place of an item that includes a snippet.
fn write_item(
    (reference, role): (&str, Option<Role>),
    engine: Engine,
    included: &Included,
) -> Result<Vec<Item>, String> {
    let snippet = find(reference, included)?;
    let theirs = snippet.content.engine;
    if theirs != engine {
        let (theirs, ours) = (theirs.as_str(), engine.as_str());
        return Err(format!("it includes `{reference}`, whose engine is {theirs} where its own is {ours}"));
    }
    let written = write_out(&snippet.content, &snippet.included)?;
    Ok(match written.body {
        PromptBody::Messages(items) => items,
        PromptBody::Text(text) => {
            let role = role.unwrap_or(Role::User);
            let content = MessageContent::Text(text);
            vec![Item::Message(Message { role, content, rest: serde_json::Map::new() })]
        }
    })
}

fn write_pages(body: &mut PromptBody, included: &Included) -> Result<(), String> {
    let mut failed = None;
    rewrite(body, &mut |text| match write_page(text, included) {
        Ok(written) => Some(written),
        Err(why) => {
            failed.get_or_insert(why);
            None
        }
    });
    failed.map_or(Ok(()), Err)
}

/// A page with the pages it includes in place of the tags that name them.
fn write_page(text: &str, included: &Included) -> Result<String, String> {
    let mut text = text.to_owned();
    for (name, reference) in jinja::includes(&text).into_iter().rev() {
        let snippet = find(&reference, included)?;
        let page = source_of(&reference, snippet)?;
        let page = if snippet.content.engine == Engine::Jinja {
            write_page(&page, &snippet.included)?
        } else {
            page
        };
        let (before, rest) = text.split_at(text.get(..name.start).and_then(|it| it.rfind("{%")).unwrap_or(0));
        let (tag, after) = rest.split_at(rest.find("%}").map_or(rest.len(), |end| end + 2));
        let before = if tag.starts_with("{%-") { before.trim_end() } else { before };
        let after = if tag.ends_with("-%}") { after.trim_start() } else { after };
        // One without tags neither sets nor trims anything.
        let is_bare =
            !page.contains("{%") && !page.contains("{{-") && !page.contains("-}}") && !page.ends_with('\n');
        let page = if is_bare { page } else { jinja::enclosed(&page) };
        text = format!("{before}{page}{after}");
    }
    Ok(text)
}

fn find<'a>(reference: &str, included: &'a Included) -> Result<&'a Snippet, String> {
    included.get(reference).ok_or_else(|| format!("it includes `{reference}`, which is not at hand"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use vocab::{Id, Time};

    use super::*;
    use crate::content::Floating;
    use crate::template::Template;

    fn snippet(content: Value, included: Included) -> Snippet {
        let content = serde_json::from_value(content).unwrap();
        Snippet { prompt: Id::at(Time(0)), version: 1, content, included, floating: Floating::new() }
    }

    fn included(snippets: Vec<(&str, Snippet)>) -> Included {
        snippets.into_iter().map(|(reference, snippet)| (reference.to_owned(), snippet)).collect()
    }

    /// Renders a content with its snippets, and written out without them: both have to say the same.
    fn both(content: Value, included: &Included) -> (String, Content) {
        let content: Content = serde_json::from_value(content).unwrap();
        let variables = serde_json::from_value(json!({"x": "{{y}}", "y": "why", "list": [1, 2]})).unwrap();
        let render = |template: Template| format!("{:?}", template.render(&variables).unwrap().items);
        let with = render(Template::including(&content, included).unwrap());
        let written = write_out(&content, included).unwrap();
        assert_eq!(render(Template::compile(&written).unwrap()), with);
        (with, written)
    }

    #[test]
    fn messages_and_texts_stand_where_they_were_included() {
        let tone = snippet(json!({"text": "Be {{x}}."}), Included::new());
        let inner = included(vec![("tone@1", tone.clone())]);
        let chat = json!({"messages": [{"include": "tone@1", "role": "system"}, {"placeholder": "history"}]});
        let all = included(vec![("tone@1", tone), ("chat@2", snippet(chat, inner))]);
        let content = json!({"messages": [
            {"include": "chat@2"}, {"include": "tone@1"}, {"role": "user", "content": "{{y}}"},
        ]});
        let (said, written) = both(content, &all);
        assert!(said.contains("Be {{y}}.") && said.contains("why"), "{said}");
        assert_eq!(written.items().len(), 4);
        assert!(!written.items().iter().any(|item| matches!(item, Item::Include { .. })));
    }

    #[test]
    fn pages_stand_where_they_were_included_and_keep_to_themselves() {
        let page = |text: &str, inner| snippet(json!({"engine": "jinja", "text": text}), inner);
        let deep = included(vec![("deep@1", page("{%- set y = 'deep' %}<{{ y }}>\n", Included::new()))]);
        let all = included(vec![
            ("set@1", page("{% set y = 'set' %}{{ y }}{% include 'deep@1' %}", deep)),
            ("plain@1", snippet(json!({"text": "{% {{x}} {# \"'"}), Included::new())),
            ("bare@1", page("bare\n", Included::new())),
        ]);
        let text = "{{ y }} {% include \"set@1\" %} {{ y }}\n  {%- include 'plain@1' -%}  {{ x }}\
                    {% for n in list %}{%include 'bare@1'%}{{ n }}{% endfor %}";
        let (said, written) = both(json!({"engine": "jinja", "text": text}), &all);
        assert!(said.contains("why set<deep> why{% {{y}} {#") && said.contains("bare1bare2"), "{said}");
        assert!(!format!("{:?}", written.body).contains("include"));
    }

    #[test]
    fn what_cannot_be_written_out_is_said() {
        let told = |content: Value, all: &Included| {
            write_out(&serde_json::from_value(content).unwrap(), all).unwrap_err()
        };
        let all =
            included(vec![("f@1", snippet(json!({"engine": "fstring", "text": "{x}"}), Included::new()))]);
        let mixed = told(json!({"messages": [{"include": "f@1"}]}), &all);
        assert_eq!(mixed, "it includes `f@1`, whose engine is fstring where its own is plain");
        let absent = told(json!({"messages": [{"include": "g@1"}]}), &all);
        assert_eq!(absent, "it includes `g@1`, which is not at hand");
    }
}
