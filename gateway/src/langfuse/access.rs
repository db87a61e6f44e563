//! Who asks: the password of Langfuse's key pair is a virtual key, which reads, or an admin token, whose role applies.

use std::sync::Arc;

use http::HeaderMap;
use registry::{AdminToken, KeyRefusal, Permission, Who};
use vocab::{LabelName, PromptName};

use crate::app::App;
use crate::call::authenticate::{self, Caller};
use crate::refusal::{Kind, Refusal};

/// Somebody who may read.
pub(super) enum Reader {
    /// An application.
    Key(Caller),
    /// A person's program.
    Token(Writer),
}

/// Somebody with an admin token; what they may write is for the registry to judge.
pub(super) struct Writer {
    /// Who they are.
    pub(super) who: Who,
    /// The project they act on.
    pub(super) project: Arc<str>,
}

impl Reader {
    /// Finds who asks.
    pub(super) fn find(app: &App, headers: &HeaderMap) -> Result<Self, Refusal> {
        match token(app, headers)? {
            Some(token) => Writer::of(app, &token).map(Self::Token),
            None => authenticate::caller_or_basic(app, headers).map(Self::Key),
        }
    }

    /// The same, when they may read prompts.
    pub(super) fn of_prompts(app: &App, headers: &HeaderMap) -> Result<Self, Refusal> {
        let reader = Self::find(app, headers)?;
        match &reader {
            Self::Key(caller) if !caller.key.scope.read_prompts => {
                let message = "this key may not read prompts: ask for a key with `read_prompts`";
                Err(Refusal::new(Kind::PermissionDenied, message))
            }
            Self::Key(_) | Self::Token(_) => Ok(reader),
        }
    }

    /// The project they act on.
    pub(super) fn project(&self) -> &str {
        match self {
            Self::Key(caller) => &caller.key.project,
            Self::Token(writer) => &writer.project,
        }
    }

    /// Whether they may know of a prompt.
    pub(super) fn sees(&self, name: &PromptName) -> bool {
        match self {
            Self::Key(caller) => caller.key.scope.allows_prompt(name),
            Self::Token(_) => true,
        }
    }

    /// Whether they may read what a label serves; `None` stands for versions by their number.
    pub(super) fn sees_by(&self, label: Option<&LabelName>) -> bool {
        match self {
            Self::Key(caller) => caller.key.scope.allows_label(label),
            Self::Token(_) => true,
        }
    }
}

impl Writer {
    fn of(app: &App, token: &AdminToken) -> Result<Self, Refusal> {
        let who = token.who();
        who.require(Permission::Read)?;
        let project = token.project.clone().unwrap_or_else(|| Arc::clone(&app.default_project));
        Ok(Self { who, project })
    }
}

/// Finds who writes: virtual keys never do.
pub(super) fn writer(app: &App, headers: &HeaderMap) -> Result<Writer, Refusal> {
    if let Some(token) = token(app, headers)? {
        return Writer::of(app, &token);
    }
    authenticate::caller_or_basic(app, headers)?;
    let message = "a virtual key reads prompts and never writes them: to write, put an admin token (`wt-…`) in \
                   the place of Langfuse's secret key";
    Err(Refusal::new(Kind::PermissionDenied, message))
}

/// The admin token that is shown; `None` when what is shown is something else.
fn token(app: &App, headers: &HeaderMap) -> Result<Option<Arc<AdminToken>>, Refusal> {
    let Some(secret) = authenticate::secret_or_password(headers) else { return Ok(None) };
    let refused = |message| Err(Refusal::new(Kind::InvalidApiKey, message));
    match app.registry.snapshot().token(&secret, app.clock.now()) {
        Ok(token) => Ok(Some(Arc::clone(token))),
        Err(KeyRefusal::Unknown) => Ok(None),
        Err(KeyRefusal::Expired) => refused("this admin token has expired: ask an admin for a new one"),
        Err(KeyRefusal::Revoked) => refused("this admin token was revoked: ask an admin for a new one"),
    }
}
