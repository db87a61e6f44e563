//! What the gateway sends by itself, and how: alerts, webhooks, mail, and links that lead back to it.

use std::time::Duration;

use http::Uri;
use vocab::Secret;

use crate::problem::Wrong;
use crate::reader::Section;
use crate::{url, vars};

/// How alert rules are looked at.
#[derive(Clone, Debug)]
pub struct Alerts {
    /// How often.
    pub interval: Duration,
}

/// How webhooks are sent.
#[derive(Clone, Debug)]
pub struct Webhooks {
    /// Whether they may go to addresses inside the operator's own network.
    pub allow_private_addresses: bool,
}

/// Where mail is handed over.
#[derive(Clone, Debug)]
pub struct Smtp {
    /// The server with user and password: `smtps://user:password@host`, or `smtp://…`.
    pub url: Secret,
    /// The sender.
    pub from: String,
}

/// Alert rules are not looked at more often than this: each is a report over the records.
const INTERVAL_MIN: Duration = Duration::from_secs(5);

impl Alerts {
    pub(crate) fn read(top: &mut Section<'_, '_>) -> Self {
        let mut section = top.section("alerts");
        let alerts = Self { interval: section.read("interval", Duration::from_mins(1)) };
        if alerts.interval < INTERVAL_MIN {
            section.refuse("interval", "it is below 5 seconds", "write \"5s\" or more");
        }
        section.finish();
        alerts
    }
}

impl Webhooks {
    pub(crate) fn read(top: &mut Section<'_, '_>) -> Self {
        let mut section = top.section("webhooks");
        let webhooks = Self { allow_private_addresses: section.read("allow_private_addresses", false) };
        section.finish();
        webhooks
    }
}

impl Smtp {
    /// Reads the section; `None` when no mail is to be sent.
    pub(crate) fn read(top: &mut Section<'_, '_>) -> Option<Self> {
        let mut section = top.section("smtp");
        let vars = section.reader.vars;
        let before = section.reader.problems.len();
        let url = section.parse("url", "", |text| smtp_url(&vars::dereference(text, vars)?));
        let from = section.parse("from", "", sender);
        let lacks = (section.reader.problems.len() == before).then_some((&url, &from));
        match lacks {
            Some((Some(_), None)) => {
                section.refuse("from", "it is missing", "write the sender: \"weir@example.com\"");
            }
            Some((None, Some(_))) => {
                section.refuse("url", "it is missing", "write \"smtps://user:password@host\"");
            }
            Some((Some(_), Some(_)) | (None, None)) | None => {}
        }
        section.finish();
        Some(Self { url: Secret::new(url?), from: from? })
    }
}

/// Reads the address people's browsers and applications reach this gateway at.
pub(crate) fn public_url(top: &mut Section<'_, '_>) -> Option<String> {
    top.parse("public_url", "", |text| url::http(text, "write it as \"https://weir.example\""))
}

fn smtp_url(text: &str) -> Result<String, Wrong> {
    let fix = "write \"smtps://user:password@host\" (TLS), or \"smtp://host:25\"";
    let uri: Uri = url::parse(text, &["smtp", "smtps"], fix)?;
    match url::user(&uri) {
        Some(user) if !user.contains(':') => Err(Wrong::new("it has a user and no password", fix)),
        Some(_) | None => Ok(text.to_owned()),
    }
}

/// An address, alone or behind a name: `Weir <weir@example.com>`.
fn sender(text: &str) -> Result<String, Wrong> {
    let address = match text.split_once('<') {
        Some((_, rest)) => rest.strip_suffix('>').unwrap_or_default(),
        None => text,
    };
    let (user, host) = address.split_once('@').unwrap_or_default();
    let odd = |c: char| c.is_whitespace() || c.is_control() || "<>@,;".contains(c);
    if user.is_empty() || host.is_empty() || address.chars().filter(|c| odd(*c)).count() != 1 {
        let fix = "write \"weir@example.com\", or \"Weir <weir@example.com>\"";
        return Err(Wrong::new(format!("`{text}` is not an address"), fix));
    }
    Ok(text.to_owned())
}
