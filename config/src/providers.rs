//! The services that models run at: listed in the file, or found in the environment.

mod address;
mod environment;
mod kind;
mod written;

use std::path::PathBuf;
use std::sync::Arc;

use vocab::Secret;

pub use crate::providers::kind::ProviderKind;
use crate::reader::Section;
use crate::server::Server;

/// One account at one service.
#[derive(Clone, Debug)]
pub struct Provider {
    /// The operator's name for it: the part before the slash in `provider/model`.
    pub name: Arc<str>,
    /// What it speaks.
    pub kind: ProviderKind,
    /// Its URL up to and with `/v1`, without a slash at the end; empty for `Demo`.
    pub base_url: String,
    /// The key it is called with.
    pub api_key: Option<Secret>,
    /// How the key travels.
    pub auth: Auth,
    /// The models it is used for; empty is any.
    pub models: Vec<String>,
    /// PEM certificates it is trusted by, in place of the system's.
    pub ca_file: Option<PathBuf>,
    /// Headers sent with every call. Values are secrets, since some carry keys.
    pub headers: Vec<(String, Secret)>,
    /// How often one call is tried at it.
    pub tries: u32,
}

/// How a provider's key travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// `Authorization: Bearer KEY`.
    Bearer,
    /// The key alone in the header of this name, in lower case.
    Header(String),
}

/// How often one call is tried at a provider unless the file says otherwise.
const TRIES: u32 = 2;

impl Provider {
    /// A provider without key, headers or limits.
    pub fn new(name: &str, kind: ProviderKind, base_url: String) -> Self {
        Self {
            name: name.into(),
            kind,
            base_url,
            api_key: None,
            auth: Auth::of(kind),
            models: Vec::new(),
            ca_file: None,
            headers: Vec::new(),
            tries: TRIES,
        }
    }
}

impl Auth {
    /// How keys of this kind usually travel.
    pub fn of(kind: ProviderKind) -> Self {
        kind.key_header().map_or(Self::Bearer, |header| Self::Header(header.to_owned()))
    }
}

/// Reads the providers: those in the file if it lists any, else those whose usual variables are set; and the demo.
pub(crate) fn read(top: &mut Section<'_, '_>, own: &Server, demo: bool) -> Vec<Provider> {
    let mut providers = match written::read(top, own) {
        Some(listed) => {
            environment::notice_unlisted(top.reader, &listed);
            listed
        }
        None => environment::discover(top.reader, own),
    };
    environment::notice_later(top.reader);
    let demo = demo && !providers.iter().any(|provider| provider.kind == ProviderKind::Demo);
    if demo && providers.iter().any(|provider| &*provider.name == "demo") {
        top.refuse("demo", "another provider has the name `demo`", "rename that one, or leave the demo out");
    } else if demo {
        providers.push(Provider::new("demo", ProviderKind::Demo, String::new()));
    }
    providers
}
