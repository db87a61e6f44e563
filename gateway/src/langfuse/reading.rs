//! `GET /api/public/v2/prompts/{name}`: one version of a prompt.

use http::{HeaderMap, Response};
use registry::{ResolveError, Resolved, Units};
use serde::Deserialize;
use vocab::{Id, LabelName, PromptName, PromptRef, Selector};

use super::access::Reader;
use super::row::{self, Includes};
use crate::app::App;
use crate::call::prompt;
use crate::call::relay::Body;
use crate::reading::{answered, extras};
use crate::refusal::{Kind, Refusal};

/// Which version is asked for, as it is written in the query; what Weir does not know is ignored, as Langfuse does.
#[derive(Default, Deserialize)]
pub(super) struct Which {
    version: Option<String>,
    label: Option<String>,
    resolve: Option<String>,
}

impl Which {
    /// The version's number, if one is given.
    pub(super) fn version(&self) -> Result<Option<u32>, Refusal> {
        self.version.as_deref().filter(|text| !text.is_empty()).map(number).transpose()
    }

    /// The label, if one is given.
    pub(super) fn label(&self) -> Option<&str> {
        self.label.as_deref().filter(|text| !text.is_empty())
    }

    /// Whether what a version includes is to be written out.
    fn resolves(&self) -> bool {
        self.resolve.as_deref() != Some("false")
    }

    /// Refuses a version and a label at once.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        if self.version()?.is_some() && self.label().is_some() {
            return Err(Refusal::new(Kind::InvalidRequest, "Cannot specify both version and label"));
        }
        match self.resolve.as_deref() {
            None | Some("" | "true" | "false") => Ok(()),
            Some(_) => Err(Refusal::new(Kind::InvalidRequest, "`resolve` is true or false").param("resolve")),
        }
    }
}

/// A version's number as a path or a query writes it.
pub(super) fn number(text: &str) -> Result<u32, Refusal> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| {
        let message = format!("`{}` is not a version: versions count from 1", text.escape_debug());
        Refusal::new(Kind::InvalidRequest, message).param("version")
    })
}

/// Answers one version; of a label that is split, the reader's part.
pub(super) async fn get(
    app: &App,
    (reader, headers): (&Reader, &HeaderMap),
    name: &str,
    which: Which,
) -> Result<Response<Body>, Refusal> {
    which.check()?;
    let not_found = || not_found(name, &which);
    // Without a selector an alias goes by its own default, which `None` stands for.
    let selector = match (which.version()?, which.label()) {
        (Some(version), _) => Some(Selector::Number(version)),
        (None, None) => None,
        (None, Some(vocab::name::LATEST)) => Some(Selector::Latest),
        (None, Some(label)) => Some(Selector::Label(label.parse().map_err(|_| not_found())?)),
    };
    let name: PromptName = name.parse().map_err(|_| not_found())?;
    let said = extras(headers)?;
    let units = Units {
        // Applications read a prompt to call with it: one that names nobody is dealt a part at each reading.
        call: matches!(reader, Reader::Key(_)).then(|| Id::at(app.clock.now())),
        user: said.user.as_deref(),
        session: said.session.as_deref(),
        trace: None,
        metadata: &said.metadata,
    };
    let resolved = resolve(app, reader, &PromptRef { name, selector }, &units).await;
    let resolved = resolved.map_err(|refusal| match refusal.kind() {
        Kind::PromptNotFound => not_found(),
        _ => refusal,
    })?;
    let settled = if which.resolves() { Some(app.registry.settle(&resolved.version)?) } else { None };
    let includes = settled.as_ref().map_or(Includes::Named, Includes::Written);
    let shows = |label: &LabelName| reader.sees_by(Some(label));
    let row = row::write(&resolved.prompt, &resolved.version, (shows, includes))?;
    Ok(answered(&resolved, &row))
}

async fn resolve(
    app: &App,
    reader: &Reader,
    reference: &PromptRef,
    units: &Units<'_>,
) -> Result<Resolved, Refusal> {
    match reader {
        Reader::Key(caller) => {
            let resolved = prompt::resolve(app, caller, reference, units).await?;
            prompt::may_use(caller, &resolved, reference.selector.as_ref())?;
            Ok(resolved)
        }
        Reader::Token(writer) => {
            let resolved: Result<_, ResolveError> =
                app.registry.resolve_for(&writer.project, reference, Some(units)).await;
            Ok(resolved?)
        }
    }
}

/// In Langfuse's words, which people search for.
fn not_found(name: &str, which: &Which) -> Refusal {
    let selector = match (&which.version, which.label()) {
        (Some(version), None) => format!("version {version}"),
        (_, label) => format!("label '{}'", label.unwrap_or(vocab::name::PRODUCTION)),
    };
    Refusal::new(Kind::PromptNotFound, format!("Prompt not found: '{name}' with {selector}"))
}
