//! Signed one-use links to score something from a browser, without a key.
//!
//! A link holds what it allows, and a signature over it; nothing is kept when one is made. Its scores' ids come from
//! the link, so that of two posts on two nodes one score stays.

pub(super) mod given;

use std::time::Duration;

use analytics::ScoreSearch;
use analytics::score::{ScoreId, Target};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;
use vocab::{Id, Limit, Time};

use crate::app::App;
use crate::refusal::{Kind, Refusal};
use crate::scores;

/// What the registry keeps the secret under.
const PURPOSE: &str = "feedback links";
/// How long a link works when nobody says.
const LIFETIME: Duration = Duration::from_hours(24 * 30);
/// How long a link works at most.
const LIFETIME_MAX: Duration = Duration::from_hours(24 * 366);
/// The most names in one link.
const NAMES: usize = 10;
/// The most allowed values.
const VALUES: usize = 20;
/// The longest label of a value and the longest question, in bytes.
const LABEL_BYTES: usize = 200;
/// The longest token: everything above within its limits fits.
const TOKEN_BYTES: usize = 16 * 1024;

/// A feedback link to make.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "call_id": "019aa2d8-5a00-7c3e-9d5b-0f6c2a1b3c4d", "name": "stars", "question": "How good was this answer?",
    "values": [{"value": 1, "label": "Poor"}, {"value": 3, "label": "Fine"}, {"value": 5, "label": "Great"}],
}))]
pub struct NewLink {
    /// The call it judges.
    call_id: Option<String>,
    /// The trace it judges, instead of a call.
    trace_id: Option<String>,
    /// The session it judges, instead.
    session_id: Option<String>,
    /// What is judged.
    name: Option<String>,
    /// Several things that are judged, up to 10, instead of one.
    names: Option<Vec<String>>,
    /// What the page asks; the names when absent.
    question: Option<String>,
    /// The allowed values, up to 20: numbers, `true` and `false`, or `{value, label}`. Yes and no when absent.
    #[schema(value_type = Option<Vec<Object>>)]
    values: Option<Vec<NewChoice>>,
    /// Whether a comment may be given; true when absent.
    comment: Option<bool>,
    /// When it stops working: 30 days from now when absent, 366 at most.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Time>,
    /// The end user it is sent to, whom the score is put down to.
    user: Option<String>,
}

/// An allowed value, with or without a label.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum NewChoice {
    Labelled(LabelledChoice),
    Plain(Value),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LabelledChoice {
    value: Value,
    label: String,
}

/// A link that was made.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = FeedbackLink, example = json!({
    "url": "https://weir.example/v1/feedback/eyJwIjoi…", "expires_at": "2026-12-30T12:00:00.000000Z",
}))]
pub struct MadeLink {
    /// Where to score: GET shows a page, POST files the scores, once.
    url: String,
    /// When it stops working.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Time,
}

/// What a link allows, under short names, since it travels in its URL.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Terms {
    /// The project.
    p: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    call: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trace: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    /// Names.
    n: Vec<String>,
    /// The question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    q: Option<String>,
    /// Values with their labels.
    v: Vec<(f64, String)>,
    /// Whether a comment may be given.
    c: bool,
    /// When it ends, in seconds.
    x: i64,
    /// The end user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    u: Option<String>,
    /// Makes each link another one.
    r: String,
}

/// A genuine link.
#[derive(Clone, Debug)]
pub struct Link {
    terms: Terms,
    target: Target,
    /// What everything about it is derived from.
    digest: [u8; 32],
    now: Time,
}

/// Reads a body that asks for a link.
pub fn read(bytes: &[u8]) -> Result<NewLink, Refusal> {
    serde_json::from_slice(bytes).map_err(|error| {
        let message = format!("the body must be {{call_id, name, values?, question?, expires_at?}}: {error}");
        Refusal::new(Kind::InvalidRequest, message)
    })
}

fn refused(param: &'static str, message: String) -> Refusal {
    Refusal::new(Kind::InvalidRequest, message).param(param)
}

impl NewLink {
    /// Makes the link, for something of this project.
    pub async fn make(self, app: &App, project: &str) -> Result<MadeLink, Refusal> {
        let now = app.clock.now();
        let (call, trace, session) = (self.call_id.clone(), self.trace_id.clone(), self.session_id.clone());
        let target = scores::target(call.as_deref(), trace.as_deref(), session.as_deref())?;
        let target = target.ok_or_else(|| {
            refused("call_id", "a link needs the `call_id`, `trace_id` or `session_id` it is for".to_owned())
        })?;
        scores::check_target(app, project, &target).await?;
        let expires_at = self.expiry(now)?;
        let terms = Terms {
            p: project.to_owned(),
            call,
            trace,
            session,
            n: self.names()?,
            q: self.question.as_deref().map(|text| short("question", text)).transpose()?,
            v: choices(self.values)?,
            c: self.comment.unwrap_or(true),
            x: expires_at.micros() / 1_000_000,
            u: self.user.as_deref().map(|text| short("user", text)).transpose()?,
            r: Id::<ScoreId>::at(now).to_string(),
        };
        let payload = serde_json::to_vec(&terms)
            .map_err(|error| Refusal::new(Kind::Internal, "the link cannot be written").because(error))?;
        let mac = signer(app).await?.chain_update(&payload).finalize().into_bytes();
        let token = format!("{}.{}", URL_SAFE_NO_PAD.encode(&payload), URL_SAFE_NO_PAD.encode(mac));
        let expires_at = Time(terms.x * 1_000_000);
        Ok(MadeLink { url: format!("{}{}/{token}", app.public_url(), super::PATH), expires_at })
    }

    fn names(&self) -> Result<Vec<String>, Refusal> {
        let names = match (&self.name, &self.names) {
            (Some(name), None) => std::slice::from_ref(name),
            (None, Some(names)) if (1..=NAMES).contains(&names.len()) => names,
            (None, Some(_)) => return Err(refused("names", format!("`names` has 1 to {NAMES} names"))),
            _ => return Err(refused("name", "a link needs a `name`, or several `names`".to_owned())),
        };
        let read = names.iter().map(|name| scores::name(name).map(str::to_owned));
        let read: Vec<String> = read.collect::<Result<_, _>>()?;
        if (1..read.len()).any(|at| read.iter().take(at).any(|name| Some(name) == read.get(at))) {
            return Err(refused("names", "`names` has one name twice".to_owned()));
        }
        Ok(read)
    }

    fn expiry(&self, now: Time) -> Result<Time, Refusal> {
        let expires_at = self.expires_at.unwrap_or_else(|| now.plus(LIFETIME));
        if expires_at <= now || expires_at > now.plus(LIFETIME_MAX) {
            let days = LIFETIME_MAX.as_secs() / 86_400;
            let message = format!("`expires_at` is {expires_at}: give a time within the next {days} days");
            return Err(refused("expires_at", message));
        }
        Ok(expires_at)
    }
}

fn short(param: &'static str, text: &str) -> Result<String, Refusal> {
    let text = text.trim();
    if text.is_empty() || text.len() > LABEL_BYTES || text.chars().any(char::is_control) {
        return Err(refused(param, format!("`{param}` has 1 to {LABEL_BYTES} bytes on one line")));
    }
    Ok(text.to_owned())
}

/// The allowed values, each once, with what the page shows for them.
fn choices(values: Option<Vec<NewChoice>>) -> Result<Vec<(f64, String)>, Refusal> {
    let Some(values) = values else { return Ok(vec![(1.0, "Yes".to_owned()), (0.0, "No".to_owned())]) };
    if !(1..=VALUES).contains(&values.len()) {
        return Err(refused("values", format!("`values` has 1 to {VALUES} values")));
    }
    let mut choices: Vec<(f64, String)> = Vec::with_capacity(values.len());
    for choice in values {
        let (value, label) = match choice {
            NewChoice::Labelled(LabelledChoice { value, label }) => (value, short("values", &label)?),
            NewChoice::Plain(Value::Bool(yes)) => {
                (Value::Bool(yes), if yes { "Yes" } else { "No" }.to_owned())
            }
            NewChoice::Plain(value) => (value.clone(), value.to_string()),
        };
        let value = scores::value(&value).map_err(|refusal| refusal.param("values"))?;
        if choices.iter().any(|(known, _)| known.total_cmp(&value).is_eq()) {
            return Err(refused("values", format!("`values` has {value} twice")));
        }
        choices.push((value, label));
    }
    Ok(choices)
}

async fn signer(app: &App) -> Result<Hmac<Sha256>, Refusal> {
    let secret = app.registry.signing_secret(PURPOSE).await?;
    Hmac::new_from_slice(secret.expose())
        .map_err(|error| Refusal::new(Kind::Internal, "links cannot be signed").because(error))
}

/// Reads a token; refuses what this gateway never signed and what has ended.
pub async fn open(app: &App, token: &str) -> Result<Link, Refusal> {
    let forged = || {
        let message = "this feedback link is not one that was made here: check that it is complete";
        Refusal::new(Kind::NotFound, message)
    };
    if token.len() > TOKEN_BYTES {
        return Err(forged());
    }
    let (payload, mac) = token.split_once('.').ok_or_else(forged)?;
    let payload = URL_SAFE_NO_PAD.decode(payload).map_err(|_| forged())?;
    let mac = URL_SAFE_NO_PAD.decode(mac).map_err(|_| forged())?;
    // Compares in constant time.
    signer(app).await?.chain_update(&payload).verify_slice(&mac).map_err(|_| forged())?;
    let terms: Terms = serde_json::from_slice(&payload).map_err(|_| forged())?;
    let target = scores::target(terms.call.as_deref(), terms.trace.as_deref(), terms.session.as_deref())?;
    let now = app.clock.now();
    if now.micros() >= terms.x.saturating_mul(1_000_000) {
        return Err(Refusal::new(Kind::Gone, "this feedback link has expired: ask for a new one"));
    }
    let digest = Sha256::digest(&payload).into();
    Ok(Link { target: target.ok_or_else(forged)?, terms, digest, now })
}

/// The refusal of a link that was used.
pub fn spent() -> Refusal {
    Refusal::new(Kind::Gone, "this feedback link was used already: each works once")
}

impl Link {
    /// The project whose thing it judges.
    pub fn project(&self) -> &str {
        &self.terms.p
    }

    /// What tells it from other links.
    pub fn id(&self) -> [u8; 16] {
        let mut id = [0; 16];
        id.copy_from_slice(&self.digest[..16]);
        id
    }

    /// What the page asks.
    pub fn question(&self) -> &str {
        self.terms.q.as_deref().unwrap_or("How was it?")
    }

    /// What is judged.
    pub fn names(&self) -> &[String] {
        &self.terms.n
    }

    /// The allowed values and what the page shows for them.
    pub fn choices(&self) -> &[(f64, String)] {
        &self.terms.v
    }

    /// Whether a comment may be given.
    pub const fn takes_comment(&self) -> bool {
        self.terms.c
    }

    /// The id of the score this link files under a name: the same on every node.
    fn score_id(&self, name: &str) -> Id<ScoreId> {
        let digest = Sha256::new().chain_update(self.digest).chain_update(name).finalize();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        // The bits of a UUID of one's own making, version 8 (RFC 9562, section 5.8).
        bytes[6] = (bytes[6] & 0x0f) | 0x80;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Id::from_bytes(bytes)
    }

    /// Whether the store has a score of this link. A store that is away does not know of any.
    pub async fn was_used(&self, app: &App) -> bool {
        let mut target = self.target.clone();
        app.policies.of_project(&self.terms.p).redaction.target(&mut target);
        for name in &self.terms.n {
            let search = ScoreSearch {
                project: Some(self.terms.p.as_str().into()),
                target: Some(target.clone()),
                name: Some(name.clone()),
                limit: Limit::new(Limit::MAX).unwrap_or_default(),
                ..ScoreSearch::default()
            };
            let id = self.score_id(name);
            let found = app.store.scores(search).await;
            if found.is_ok_and(|page| page.scores.iter().any(|score| score.id == id)) {
                return true;
            }
        }
        false
    }
}
