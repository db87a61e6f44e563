//! Providers whose usual variables are set, for a start without a list in the file.

use crate::problem::{Place, Problem, Wrong};
use crate::providers::{Auth, Provider, ProviderKind, address};
use crate::reader::Reader;
use crate::server::Server;
use crate::vars;

/// Variables of providers that this version does not speak to.
const LATER: [(&str, &str); 7] = [
    ("ANTHROPIC_API_KEY", "Anthropic"),
    ("GEMINI_API_KEY", "Gemini"),
    ("GOOGLE_API_KEY", "Gemini"),
    ("AWS_ACCESS_KEY_ID", "AWS Bedrock"),
    ("AWS_PROFILE", "AWS Bedrock"),
    ("AWS_BEARER_TOKEN_BEDROCK", "AWS Bedrock"),
    ("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "AWS Bedrock"),
];

/// The providers that the environment tells of.
pub(crate) fn discover(reader: &mut Reader<'_>, own: &Server) -> Vec<Provider> {
    ProviderKind::ALL.into_iter().filter_map(|kind| one(reader, kind, own)).collect()
}

/// Says which variables are set for providers that this version cannot use.
pub(crate) fn notice_later(reader: &mut Reader<'_>) {
    for (variable, name) in LATER {
        if reader.vars.get(variable).is_some() {
            reader
                .notices
                .push(format!("{variable} is set, but {name} is not supported yet by this version"));
        }
    }
}

/// Says which variables are set for providers that the file's list leaves out.
pub(crate) fn notice_unlisted(reader: &mut Reader<'_>, listed: &[Provider]) {
    for kind in ProviderKind::ALL {
        let used = listed.iter().any(|provider| provider.kind == kind);
        let Some(variable) = kind.key_variable().filter(|_| !used) else { continue };
        if reader.vars.get(variable).is_some() {
            let name = kind.as_str();
            reader.notices.push(format!(
                "{variable} is set, but the file lists its providers and {name} is not among them; add [providers.{name}] to use it"
            ));
        }
    }
}

fn one(reader: &mut Reader<'_>, kind: ProviderKind, own: &Server) -> Option<Provider> {
    let name = kind.as_str();
    let url_variable = kind.url_variable()?;
    let url = reader.vars.get(url_variable);
    let key = kind.key_variable().and_then(|variable| Some((variable, reader.vars.get(variable)?)));
    match (&key, &url, kind) {
        (None, None, _) => return None,
        (None, Some(_), ProviderKind::Ollama) => {}
        (None, Some(_), _) => {
            let variable = kind.key_variable().unwrap_or_default();
            let notice = format!("{url_variable} is set without {variable}, so provider {name} is left out");
            reader.notices.push(notice);
            return None;
        }
        (Some((variable, _)), None, _) if kind.base_url().is_none() => {
            let notice = format!("{variable} is set without {url_variable}, so provider {name} is left out");
            reader.notices.push(notice);
            return None;
        }
        (Some(_), _, _) => {}
    }
    let base_url = match url {
        Some(text) => kept(reader, url_variable, address::base_url(kind, &text, own))?,
        None => kind.base_url()?.to_owned(),
    };
    let api_key = match key {
        Some((variable, text)) => Some(kept(reader, variable, vars::secret(&text, reader.vars))?),
        None => None,
    };
    Some(Provider { api_key, auth: Auth::of(kind), ..Provider::new(name, kind, base_url) })
}

fn kept<T>(reader: &mut Reader<'_>, variable: &str, found: Result<T, Wrong>) -> Option<T> {
    match found {
        Ok(value) => Some(value),
        Err(Wrong { wrong, fix }) => {
            let place = Place::Variable(variable.to_owned());
            reader.problems.push(Problem { place, key: String::new(), wrong, fix });
            None
        }
    }
}
