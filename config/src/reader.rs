//! Reads settings one by one: command line, then environment, then file, then default.
//!
//! What has been asked for is remembered, so the same calls that read a setting also tell which keys exist:
//! for the refusal of unknown ones, for what is offered instead, and for the test that each is documented.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::file::File;
use crate::nearest::nearest;
use crate::problem::{Place, Problem, Wrong};
use crate::setting::Setting;
use crate::vars::Vars;

/// A key the configuration has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Its path, such as `limits.body_bytes`.
    pub path: String,
    /// The environment variable that overrides it.
    pub variable: String,
    /// What holds when it is written nowhere; empty when that is nothing.
    pub default: String,
}

/// What arguments of the command line set: path, argument, value.
pub(crate) type Arguments = BTreeMap<&'static str, (&'static str, String)>;

/// Where settings come from, and what was found about them so far.
pub(crate) struct Reader<'a> {
    pub(crate) vars: &'a dyn Vars,
    file: Option<&'a File<'a>>,
    arguments: Arguments,
    pub(crate) problems: Vec<Problem>,
    pub(crate) notices: Vec<String>,
    pub(crate) keys: Vec<Key>,
}

/// A value as it was written, and where.
pub(crate) struct Written {
    pub(crate) text: String,
    pub(crate) place: Place,
}

/// One item of a list in the file.
pub(crate) enum Item<'a> {
    /// A text, a number, or a flag, as text.
    Text(String),
    /// A table.
    Table(&'a DeTable<'a>),
    /// A list or a date.
    Other,
}

impl<'a> Item<'a> {
    fn of(value: &'a DeValue<'a>) -> Self {
        match value {
            DeValue::Table(table) => Self::Table(table),
            other => scalar(other).map_or(Self::Other, Self::Text),
        }
    }
}

impl<'a> Reader<'a> {
    pub(crate) fn new(file: Option<&'a File<'a>>, vars: &'a dyn Vars, arguments: Arguments) -> Self {
        Self { vars, file, arguments, problems: Vec::new(), notices: Vec::new(), keys: Vec::new() }
    }

    /// The top of the file, as a section.
    pub(crate) fn top(&mut self) -> Section<'_, 'a> {
        let table = self.file.map(File::table);
        Section { reader: self, path: String::new(), start: None, table, known: Vec::new() }
    }

    fn place(&self, offset: usize) -> Place {
        self.file.map_or(Place::Default, |file| file.place(offset))
    }
}

/// One table of the file, with the environment above it.
pub(crate) struct Section<'r, 'a> {
    pub(crate) reader: &'r mut Reader<'a>,
    path: String,
    /// Where the table's own key stands; `None` for the top and for what is not written.
    start: Option<usize>,
    table: Option<&'a DeTable<'a>>,
    known: Vec<String>,
}

impl<'a> Section<'_, 'a> {
    /// Reads a setting that has a default.
    pub(crate) fn read<T: Setting>(&mut self, key: &str, default: T) -> T {
        let shown = default.show();
        self.parse(key, &shown, T::parse).unwrap_or(default)
    }

    /// Reads a setting that may be absent.
    pub(crate) fn find<T: Setting>(&mut self, key: &str) -> Option<T> {
        self.parse(key, "", T::parse)
    }

    /// Reads a setting in a way of its own. `default` is only shown.
    pub(crate) fn parse<T>(
        &mut self,
        key: &str,
        default: &str,
        parse: impl FnOnce(&str) -> Result<T, Wrong>,
    ) -> Option<T> {
        self.know(key, default);
        let written = self.written(key)?;
        match parse(written.text.trim()) {
            Ok(value) => Some(value),
            Err(Wrong { wrong, fix }) => {
                let key = self.path_of(key);
                self.reader.problems.push(Problem { place: written.place, key, wrong, fix });
                None
            }
        }
    }

    /// Reads a list of texts: an array in the file, texts with commas between them in a variable.
    pub(crate) fn list(&mut self, key: &str) -> Vec<String> {
        let items = self.items(key).unwrap_or_default();
        let text = |item: (Place, Item<'a>)| match item.1 {
            Item::Text(text) => Some(text),
            Item::Table(_) | Item::Other => None,
        };
        let texts: Option<Vec<String>> = items.into_iter().map(text).collect();
        texts.unwrap_or_else(|| {
            self.refuse(key, "an item of the list is not a text", "write texts only, such as [\"a\", \"b\"]");
            Vec::new()
        })
    }

    /// Reads a list of texts and tables, each with its place; `None` when it is written nowhere.
    pub(crate) fn items(&mut self, key: &str) -> Option<Vec<(Place, Item<'a>)>> {
        self.know(key, "");
        let name = variable(&self.path_of(key));
        if let Some(text) = self.reader.vars.get(&name) {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            let place = || Place::Variable(name.clone());
            return Some(items.map(|item| (place(), Item::Text(item.to_owned()))).collect());
        }
        let (_, value) = self.value(key)?;
        let DeValue::Array(items) = value.get_ref() else {
            self.refuse(key, "it is not a list", "write a list of texts, such as [\"a\", \"b\"]");
            return Some(Vec::new());
        };
        let reader = &*self.reader;
        Some(items.iter().map(|item| (reader.place(item.span().start), Item::of(item.get_ref()))).collect())
    }

    /// The table of this name below this one; empty when it is not written.
    pub(crate) fn section(&mut self, name: &str) -> Section<'_, 'a> {
        self.known.push(name.to_owned());
        let found = self.value(name);
        let (start, table) = match found.map(|(start, value)| (start, value.get_ref())) {
            Some((start, DeValue::Table(table))) => (Some(start), Some(table)),
            Some(_) => {
                self.refuse(
                    name,
                    "it is a value",
                    &format!("write a table: a line [{}]", self.path_of(name)),
                );
                (self.start, None)
            }
            None => (self.start, None),
        };
        let path = self.path_of(name);
        Section { reader: self.reader, path, start, table, known: Vec::new() }
    }

    /// A section for one table of a list, under a name of its own.
    pub(crate) fn item(&mut self, name: &str, start: usize, table: &'a DeTable<'a>) -> Section<'_, 'a> {
        let path = self.path_of(name);
        Section { reader: self.reader, path, start: Some(start), table: Some(table), known: Vec::new() }
    }

    /// Every key written in this table, for tables whose keys the operator chooses.
    pub(crate) fn written_keys(&self) -> Vec<String> {
        self.table.map_or_else(Vec::new, |table| table.keys().map(|key| key.get_ref().to_string()).collect())
    }

    /// The value written in the file under `key`, and where it starts.
    pub(crate) fn value(&self, key: &str) -> Option<(usize, &'a Spanned<DeValue<'a>>)> {
        let (name, value) = self.table?.get_key_value(key)?;
        let start = match value.get_ref() {
            DeValue::Table(_) => name.span().start,
            _ => value.span().start,
        };
        Some((start, value))
    }

    /// Notes something wrong with the value of `key`, wherever it was written.
    pub(crate) fn refuse(&mut self, key: &str, wrong: &str, fix: &str) {
        let place = self.place_of(key);
        let key = self.path_of(key);
        self.reader.problems.push(Problem { place, key, wrong: wrong.to_owned(), fix: fix.to_owned() });
    }

    /// Notes something wrong with one item of the list under `key`.
    pub(crate) fn refuse_item(&mut self, key: &str, place: Place, Wrong { wrong, fix }: Wrong) {
        let key = self.path_of(key);
        self.reader.problems.push(Problem { place, key, wrong, fix });
    }

    /// Whether anything of this table is written in the file.
    pub(crate) fn is_written(&self) -> bool {
        let says = |value: &DeValue<'_>| !matches!(value, DeValue::Table(inner) if inner.is_empty());
        self.table.is_some_and(|table| table.values().any(|value| says(value.get_ref())))
    }

    /// Takes `name` as a key of this table that is read in another way.
    pub(crate) fn accept(&mut self, name: &str) {
        self.known.push(name.to_owned());
    }

    /// The table or list under `name`, for items that are read one by one.
    pub(crate) fn section_of_list(&mut self, name: &str) -> Section<'_, 'a> {
        let path = self.path_of(name);
        Section { start: self.start, reader: self.reader, path, table: None, known: Vec::new() }
    }

    /// Refuses what is written in this table and was not read, and ends the reading.
    pub(crate) fn finish(mut self) {
        self.refuse_unknown();
    }

    /// Refuses what is written in this table and was not read.
    pub(crate) fn refuse_unknown(&mut self) {
        for name in self.written_keys() {
            if self.known.contains(&name) {
                continue;
            }
            let known = self.known.iter().map(String::as_str);
            let fix = match nearest(&name, known.clone()) {
                Some(word) => format!("did you mean `{word}`?"),
                None => format!("remove it; known here: {}", known.collect::<Vec<_>>().join(", ")),
            };
            let offset = self.table.and_then(|table| table.get_key_value(name.as_str()));
            let place = self.reader.place(offset.map_or(0, |(key, _)| key.span().start));
            let wrong = "there is no such key".to_owned();
            self.reader.problems.push(Problem { place, key: self.path_of(&name), wrong, fix });
        }
    }

    fn know(&mut self, key: &str, default: &str) {
        self.known.push(key.to_owned());
        let path = self.path_of(key);
        let variable = variable(&path);
        self.reader.keys.push(Key { path, variable, default: default.to_owned() });
    }

    fn written(&mut self, key: &str) -> Option<Written> {
        let path = self.path_of(key);
        if let Some((argument, text)) = self.reader.arguments.get(path.as_str()) {
            return Some(Written { text: text.clone(), place: Place::Argument(argument) });
        }
        let name = variable(&path);
        if let Some(text) = self.reader.vars.get(&name) {
            return Some(Written { text, place: Place::Variable(name) });
        }
        let (start, value) = self.value(key)?;
        let Some(text) = scalar(value.get_ref()) else {
            self.refuse(key, "it is not a single value", "write a text, a number, true or false");
            return None;
        };
        Some(Written { text, place: self.reader.place(start) })
    }

    fn place_of(&self, key: &str) -> Place {
        let path = self.path_of(key);
        if let Some((argument, _)) = self.reader.arguments.get(path.as_str()) {
            return Place::Argument(argument);
        }
        let name = variable(&path);
        if self.reader.vars.get(&name).is_some() {
            return Place::Variable(name);
        }
        let start = self.value(key).map(|(start, _)| start).or(self.start);
        start.map_or(Place::Default, |start| self.reader.place(start))
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}

/// The environment variable that overrides the key at `path`.
pub(crate) fn variable(path: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    format!("WEIR_{}", path.chars().map(plain).collect::<String>())
}

pub(crate) fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(match number.radix() {
            10 => number.as_str().to_owned(),
            radix => i64::from_str_radix(number.as_str(), radix).ok()?.to_string(),
        }),
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        DeValue::Boolean(flag) => Some(flag.to_string()),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}
