//! Template texts of other systems, brought to one engine: all texts of a version here are read in one way.

/// How a text was written elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Python's: `{name}`.
    FString,
    /// `{{name}}`, with or without sections.
    Mustache,
    /// Jinja or Nunjucks.
    Jinja,
    /// No template: every character stands for itself.
    Fixed,
}

impl Format {
    /// The format LangChain and PromptLayer know by this word.
    pub(super) fn named(word: &str) -> Option<Self> {
        match word {
            "f-string" => Some(Self::FString),
            "mustache" => Some(Self::Mustache),
            "jinja2" => Some(Self::Jinja),
            _ => None,
        }
    }

    const fn engine(self) -> &'static str {
        match self {
            Self::FString => "fstring",
            Self::Mustache | Self::Fixed => "plain",
            Self::Jinja => "jinja",
        }
    }
}

/// What a text of `{{name}}` and more needs: `plain` where it only inserts, else `jinja`.
pub(super) fn curly(text: &str) -> Format {
    let inserts = text.split("{{").skip(1).map(|rest| rest.split("}}").next().unwrap_or_default().trim());
    // A dot or a hyphen is part of a name in `plain`, and an operator elsewhere.
    let mut names = inserts.map(|inner| inner.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
    if text.contains("{%") || text.contains("{#") || names.any(|is_name| !is_name) {
        Format::Jinja
    } else {
        Format::Mustache
    }
}

/// Texts on their way to one engine: the first pass looks at all of them, the second writes them.
#[derive(Default)]
pub(super) struct Texts {
    engine: Option<&'static str>,
    seen: Vec<(Format, String)>,
    /// What is not carried, or otherwise than it was.
    pub(super) notes: Vec<String>,
}

/// Writes with texts of any one format; returns what was written, the engine that reads it, and the notes.
pub(super) fn in_one_engine<T>(
    write: impl Fn(&mut Texts) -> Result<T, String>,
) -> Result<(T, &'static str, Vec<String>), String> {
    let mut looking = Texts::default();
    write(&mut looking)?;
    let engine = engine(looking.seen.iter().map(|(format, text)| (*format, text.as_str())))?;
    let mut writing = Texts { engine: Some(engine), ..Texts::default() };
    let written = write(&mut writing)?;
    Ok((written, engine, writing.notes))
}

impl Texts {
    /// The text as the engine reads it.
    pub(super) fn text(&mut self, format: Format, text: &str) -> Result<String, String> {
        if let Some(engine) = self.engine {
            return convert(format, text, engine);
        }
        self.seen.push((format, text.to_owned()));
        Ok(String::new())
    }

    /// A text that is a variable and nothing else, for an image to stand in.
    pub(super) fn image_variable(&self, name: &str) -> Result<String, String> {
        match self.engine {
            Some("jinja") => {
                Err("it takes an image as a variable, which jinja does not: write it in f-string".to_owned())
            }
            Some("fstring") => Ok(format!("{{{name}}}")),
            _ => Ok(format!("{{{{{name}}}}}")),
        }
    }

    /// Notes what is not carried.
    pub(super) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }
}

/// The engine that reads all of these texts. Texts without braces read the same everywhere.
fn engine<'t>(texts: impl IntoIterator<Item = (Format, &'t str)>) -> Result<&'static str, String> {
    let mut engine: Option<&'static str> = None;
    for (format, text) in texts {
        if format == Format::Fixed || !text.contains(['{', '}']) {
            continue;
        }
        engine = match (engine, format.engine()) {
            (None, reads) => Some(reads),
            (Some(reads), other) if reads == other => Some(reads),
            // What only inserts reads the same in both.
            (Some("plain"), "jinja") | (Some("jinja"), "plain") => Some("jinja"),
            _ => {
                return Err("its texts are written in several template formats: write them in one".to_owned());
            }
        };
    }
    Ok(engine.unwrap_or("plain"))
}

/// The text as that engine reads it.
fn convert(format: Format, text: &str, engine: &str) -> Result<String, String> {
    match (format, engine) {
        (Format::Mustache, "plain") => mustache(text),
        (Format::Mustache, "jinja") if curly(text) == Format::Jinja => {
            Err("its texts are written in several template formats: write them in one".to_owned())
        }
        (Format::Fixed, "fstring") => Ok(text.replace('{', "{{").replace('}', "}}")),
        (Format::Fixed, "jinja") if text.contains('{') => Ok(format!("{{% raw %}}{text}{{% endraw %}}")),
        (Format::Fixed, "plain") if text.contains("{{") => {
            Err("a fixed text holds `{{`, which would be read as a variable".to_owned())
        }
        _ => Ok(text.to_owned()),
    }
}

/// Mustache without logic: `{{{name}}}` and `{{&name}}` insert as `{{name}}` does here.
fn mustache(text: &str) -> Result<String, String> {
    for tag in ["{{#", "{{^", "{{/", "{{>", "{{!", "{{="] {
        if text.contains(tag) {
            return Err(format!(
                "its text uses Mustache's `{tag}`, which has no counterpart in `plain`: rewrite it in jinja"
            ));
        }
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{{") {
        let Some((name, after)) = after.split_once("}}}") else { break };
        plain.push_str(before);
        plain.push_str("{{");
        plain.push_str(name);
        plain.push_str("}}");
        rest = after;
    }
    plain.push_str(rest);
    Ok(plain.replace("{{&", "{{"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_one_format_keep_it_and_texts_without_braces_fit_any() {
        let texts = [(Format::FString, "Hi {name}"), (Format::Jinja, "no braces"), (Format::Fixed, "{}")];
        assert_eq!(engine(texts), Ok("fstring"));
        assert_eq!(engine([(Format::FString, "plain words")]), Ok("plain"));
        assert!(
            engine([(Format::FString, "{a}"), (Format::Jinja, "{{a}}")]).unwrap_err().contains("several")
        );
    }

    #[test]
    fn what_curly_braces_need_is_seen() {
        for text in ["Hi {{name}}", "Hi {{ name }}", "{\"a\": 1}", "none"] {
            assert_eq!(curly(text), Format::Mustache, "{text}");
        }
        for text in ["{% if a %}x{% endif %}", "{{ a | upper }}", "{{ a.b }}", "{# note #}"] {
            assert_eq!(curly(text), Format::Jinja, "{text}");
        }
    }

    #[test]
    fn fixed_texts_stay_what_they_are() {
        assert_eq!(convert(Format::Fixed, "{a}", "fstring").unwrap(), "{{a}}");
        assert_eq!(convert(Format::Fixed, "{{a}}", "jinja").unwrap(), "{% raw %}{{a}}{% endraw %}");
        assert_eq!(convert(Format::Fixed, "{a}", "plain").unwrap(), "{a}");
        assert!(convert(Format::Fixed, "{{a}}", "plain").is_err());
    }

    #[test]
    fn mustache_inserts_and_does_no_more() {
        assert_eq!(convert(Format::Mustache, "{{{a}}} {{&b}} {{c}}", "plain").unwrap(), "{{a}} {{b}} {{c}}");
        assert!(convert(Format::Mustache, "{{#a}}x{{/a}}", "plain").unwrap_err().contains("`{{#`"));
    }
}
