//! Providers as the file lists them: `[providers.NAME]`, or `[[providers]]` with a `name`.

use std::collections::BTreeSet;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};
use vocab::Secret;

use crate::headers;
use crate::problem::Wrong;
use crate::providers::{Auth, Provider, ProviderKind, TRIES, address};
use crate::reader::Section;
use crate::server::Server;
use crate::setting::{Count, Setting, readable};
use crate::vars;

/// The longest name of a provider, in bytes.
const NAME_BYTES_MAX: usize = 64;
/// The most tries at one provider.
const TRIES_MAX: u32 = 10;
/// Headers the gateway writes itself.
const OWN_HEADERS: [&str; 9] = [
    "accept-encoding",
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "host",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// One table of the list.
struct Entry<'a> {
    name: String,
    start: usize,
    table: &'a DeTable<'a>,
}

/// The providers in the file; `None` when it lists none.
pub(crate) fn read(top: &mut Section<'_, '_>, own: &Server) -> Option<Vec<Provider>> {
    let entries = entries(top)?;
    let mut seen = BTreeSet::new();
    let mut providers = Vec::new();
    let mut list = top.section_of_list("providers");
    for entry in entries {
        let shown = if entry.name.is_empty() { "?" } else { &entry.name };
        let mut section = list.item(shown, entry.start, entry.table);
        section.accept("name");
        if let Err(Wrong { wrong, fix }) = check_name(&entry.name) {
            section.refuse("name", &wrong, &fix);
        } else if !seen.insert(entry.name.clone()) {
            section.refuse("name", "another provider has this name", "give each provider its own name");
        }
        providers.extend(provider(&mut section, &entry.name, own));
        section.finish();
    }
    Some(providers)
}

fn entries<'a>(top: &mut Section<'_, 'a>) -> Option<Vec<Entry<'a>>> {
    top.accept("providers");
    let (_, value) = top.value("providers")?;
    let found = match value.get_ref() {
        DeValue::Table(tables) => tables.iter().map(named).collect(),
        DeValue::Array(items) => items.iter().map(item).collect(),
        _ => None,
    };
    if found.is_none() {
        top.refuse(
            "providers",
            "it is not a list of tables",
            "write [providers.NAME], and its keys below it",
        );
    }
    Some(found.unwrap_or_default())
}

/// `[providers.NAME]`.
fn named<'a>((key, value): (&'a Spanned<DeString<'a>>, &'a Spanned<DeValue<'a>>)) -> Option<Entry<'a>> {
    let DeValue::Table(table) = value.get_ref() else { return None };
    Some(Entry { name: key.get_ref().to_string(), start: key.span().start, table })
}

/// `[[providers]]`.
fn item<'a>(value: &'a Spanned<DeValue<'a>>) -> Option<Entry<'a>> {
    let DeValue::Table(table) = value.get_ref() else { return None };
    let name = match table.get("name").map(Spanned::get_ref) {
        Some(DeValue::String(name)) => name.to_string(),
        _ => String::new(),
    };
    Some(Entry { name, start: value.span().start, table })
}

fn check_name(name: &str) -> Result<(), Wrong> {
    let fix = "write a name of letters, digits, `-`, `_` and `.`, such as \"openai\"";
    if name.is_empty() {
        return Err(Wrong::new("the provider has no name", fix));
    }
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    if !plain || name.len() > NAME_BYTES_MAX {
        return Err(Wrong::new(format!("`{name}` cannot be a provider's name"), fix));
    }
    Ok(())
}

/// Reads one provider; `None` when what is wrong leaves nothing to build.
fn provider(section: &mut Section<'_, '_>, name: &str, own: &Server) -> Option<Provider> {
    let usual = ProviderKind::named(name);
    let shown = usual.unwrap_or(ProviderKind::OpenAi).as_str();
    let stated = section.parse("kind", shown, ProviderKind::parse);
    let kind = stated.or(usual).unwrap_or(ProviderKind::OpenAi);
    // The usual variables belong to the provider that has the kind's own name: no key goes to another host by chance.
    let usual = usual.filter(|usual| *usual == kind);
    let base_url = read_url(section, kind, usual, own);
    let api_key = read_key(section, kind, usual);
    let header = section.parse("auth_header", kind.key_header().unwrap_or("authorization"), headers::name);
    let provider = Provider {
        api_key,
        auth: header.map_or_else(|| Auth::of(kind), auth),
        models: section.list("models"),
        ca_file: section.parse("ca_file", "", readable),
        headers: headers::read(section, &OWN_HEADERS),
        tries: section.parse("tries", &TRIES.to_string(), tries).unwrap_or(TRIES),
        ..Provider::new(name, kind, base_url.clone().unwrap_or_default())
    };
    base_url.map(|_| provider)
}

fn read_url(
    section: &mut Section<'_, '_>,
    kind: ProviderKind,
    usual: Option<ProviderKind>,
    own: &Server,
) -> Option<String> {
    let default = kind.base_url().unwrap_or_default();
    let before = section.reader.problems.len();
    if let Some(url) = section.parse("base_url", default, |text| address::base_url(kind, text, own)) {
        return Some(url);
    }
    if section.reader.problems.len() > before {
        return None;
    }
    if kind == ProviderKind::Demo {
        return Some(String::new());
    }
    let variable = usual.and_then(ProviderKind::url_variable);
    if let Some(text) = variable.and_then(|name| section.reader.vars.get(name)) {
        return match address::base_url(kind, &text, own) {
            Ok(url) => Some(url),
            Err(Wrong { wrong, fix }) => {
                let wrong = format!("{} is set, but {wrong}", variable.unwrap_or_default());
                section.refuse("base_url", &wrong, &fix);
                None
            }
        };
    }
    let known = kind.base_url().map(str::to_owned);
    if known.is_none() {
        let fix = "write base_url = \"https://…\", the URL its API is at";
        section.refuse("base_url", "it is missing, and this kind has no address of its own", fix);
    }
    known
}

fn read_key(
    section: &mut Section<'_, '_>,
    kind: ProviderKind,
    usual: Option<ProviderKind>,
) -> Option<Secret> {
    let vars = section.reader.vars;
    let before = section.reader.problems.len();
    let written = section.parse("api_key", "", |text| vars::secret(text, vars));
    if written.is_some() || section.reader.problems.len() > before {
        return written;
    }
    let variable = kind.key_variable()?;
    if let Some(text) = usual.and_then(|_| vars.get(variable)) {
        return vars::secret(&text, vars).ok();
    }
    // An address of the operator's own may do without a key; the services themselves do not.
    if section.value("base_url").is_none() {
        let fix = format!("set {variable}, or write api_key = \"${{VARIABLE}}\" or \"file:PATH\"");
        section.refuse("api_key", "it is missing", &fix);
    }
    None
}

fn auth(header: String) -> Auth {
    if header == "authorization" { Auth::Bearer } else { Auth::Header(header) }
}

fn tries(text: &str) -> Result<u32, Wrong> {
    let tries = u32::try_from(Count::parse(text)?.0).unwrap_or(u32::MAX);
    if tries > TRIES_MAX {
        return Err(Wrong::new(format!("{tries} tries are too many"), format!("write {TRIES_MAX} or less")));
    }
    Ok(tries)
}
