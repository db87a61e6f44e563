//! Scores on their way in, whoever sends them: read strictly, held to their target, and committed before the answer.

use std::collections::BTreeSet;
use std::time::Duration;

use analytics::Score;
use analytics::score::{ScoreId, ScoreSource, Target};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use vocab::id::Call;
use vocab::{Id, Time};

use crate::app::App;
use crate::arriving;
use crate::refusal::{Kind, Refusal};

/// The most scores in one request.
pub const SCORES: usize = 1_000;
/// The longest name of a score, and the longest session, in bytes.
const NAME_BYTES: usize = 256;
/// The longest comment, in bytes.
const COMMENT_BYTES: usize = 8 * 1024;
/// The most calls that are looked up before scores of them are taken; looking up more would not be cheap.
const CALLS_LOOKED_UP: usize = 20;
/// How long a call that was not found is waited for: it may have ended a moment ago.
const WAIT: Duration = Duration::from_secs(2);
/// How old a call may be and not be found because it is still under way.
const UNDER_WAY: Duration = Duration::from_hours(1);

/// A score to give: of a call, a trace or a session.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "call_id": "019aa2d8-5a00-7c3e-9d5b-0f6c2a1b3c4d", "name": "helpful", "value": true, "comment": "solved it",
}))]
pub struct NewScore {
    /// The call it judges.
    pub call_id: Option<String>,
    /// The trace it judges, instead of a call: 32 hex digits.
    pub trace_id: Option<String>,
    /// The session it judges, instead.
    pub session_id: Option<String>,
    /// What is judged: `helpful`, `accuracy`.
    pub name: String,
    /// A number; `true` and `false` are 1 and 0.
    #[schema(value_type = f64)]
    pub value: Value,
    /// Why.
    pub comment: Option<String>,
    /// A UUID of one's own, which makes sending it again harmless: of one id the first score stays.
    #[schema(format = "uuid")]
    pub id: Option<String>,
}

/// A score that was given.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Score, example = json!({
    "id": "019aa2d8-7a00-7c3e-9d5b-0f6c2a1b3c4d", "created_at": "2026-11-30T12:00:00.000000Z",
    "call_id": "019aa2d8-5a00-7c3e-9d5b-0f6c2a1b3c4d", "trace_id": null, "session_id": null, "name": "helpful",
    "value": 1.0, "comment": "solved it", "source": "api", "author": "ann",
}))]
pub struct ScoreBody {
    /// Its id.
    #[schema(format = "uuid", value_type = String)]
    id: Id<ScoreId>,
    /// When it was given.
    #[schema(value_type = String, format = DateTime)]
    created_at: Time,
    /// The call it judges, or null.
    #[schema(format = "uuid", value_type = Option<String>)]
    call_id: Option<Id<Call>>,
    /// The trace it judges, or null.
    trace_id: Option<String>,
    /// The session it judges, or null.
    session_id: Option<String>,
    /// What is judged.
    name: String,
    /// The judgement.
    value: f64,
    /// Why.
    comment: Option<String>,
    /// How it came: `api`, `feedback` (with a virtual key), `link`.
    source: &'static str,
    /// Who gave it: the token's or key's name, or the end user.
    author: Option<String>,
}

/// Who gives scores, and to what.
pub struct Giver<'a> {
    /// The project.
    pub project: &'a str,
    /// The way they come.
    pub source: ScoreSource,
    /// Whoever it is put down to.
    pub author: Option<&'a str>,
}

impl From<Score> for ScoreBody {
    fn from(score: Score) -> Self {
        let (mut call_id, mut trace_id, mut session_id) = (None, None, None);
        match score.target {
            Target::Call(id) => call_id = Some(id),
            Target::Trace(id) => trace_id = Some(hex(&id)),
            Target::Session(id) => session_id = Some(id.into()),
        }
        Self {
            id: score.id,
            created_at: score.at,
            call_id,
            trace_id,
            session_id,
            name: score.name.into(),
            value: score.value,
            comment: score.comment.map(Into::into),
            source: score.source.as_str(),
            author: score.author.map(Into::into),
        }
    }
}

impl NewScore {
    /// The score this is when `giver` gives it at `now`.
    pub fn score(self, giver: &Giver<'_>, now: Time) -> Result<Score, Refusal> {
        let target = target(self.call_id.as_deref(), self.trace_id.as_deref(), self.session_id.as_deref())?
            .ok_or_else(|| {
            refused("call_id", "a score needs its `call_id`, `trace_id` or `session_id`")
        })?;
        let id = match self.id.as_deref() {
            None => Id::at(now),
            Some(id) => id.parse().map_err(|_| refused("id", "`id` must be a UUID, or be left out"))?,
        };
        Ok(Score {
            id,
            project: giver.project.into(),
            at: now,
            target,
            name: name(&self.name)?.into(),
            value: value(&self.value)?,
            comment: self.comment.as_deref().map(comment).transpose()?.flatten().map(Into::into),
            source: giver.source,
            author: giver.author.map(Into::into),
        })
    }
}

fn refused(param: &'static str, message: impl Into<std::borrow::Cow<'static, str>>) -> Refusal {
    Refusal::new(Kind::InvalidRequest, message).param(param)
}

/// What is judged, when one thing is named.
pub fn target(
    call_id: Option<&str>,
    trace: Option<&str>,
    session: Option<&str>,
) -> Result<Option<Target>, Refusal> {
    match (call_id, trace, session) {
        (None, None, None) => Ok(None),
        (Some(id), None, None) => match id.parse() {
            Ok(id) => Ok(Some(Target::Call(id))),
            Err(_) => Err(refused("call_id", "`call_id` is the `x-request-id` of an answer, a UUID")),
        },
        (None, Some(id), None) => match trace_id(id) {
            Some(id) => Ok(Some(Target::Trace(id))),
            None => Err(refused("trace_id", "`trace_id` is 32 hex digits, not all of them 0")),
        },
        (None, None, Some(id)) if id.is_empty() || id.len() > NAME_BYTES || id.contains('\0') => {
            Err(refused("session_id", format!("`session_id` has 1 to {NAME_BYTES} bytes")))
        }
        (None, None, Some(id)) => Ok(Some(Target::Session(id.into()))),
        _ => Err(refused("call_id", "name one of `call_id`, `trace_id` and `session_id`, not more")),
    }
}

/// A W3C trace id; none is all zeros.
pub fn trace_id(text: &str) -> Option<[u8; 16]> {
    if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let id = u128::from_str_radix(text, 16).ok()?;
    (id != 0).then(|| id.to_be_bytes())
}

/// Sixteen bytes as 32 hex digits.
pub fn hex(id: &[u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(*id))
}

/// A score's name, without blanks around it.
pub fn name(text: &str) -> Result<&str, Refusal> {
    let name = text.trim();
    if name.is_empty() || name.len() > NAME_BYTES || name.chars().any(char::is_control) {
        return Err(refused("name", format!("`name` has 1 to {NAME_BYTES} bytes on one line")));
    }
    Ok(name)
}

/// A judgement as a number.
pub fn value(value: &Value) -> Result<f64, Refusal> {
    let number = match value {
        Value::Bool(yes) => Some(f64::from(u8::from(*yes))),
        other => other.as_f64(),
    };
    number
        .filter(|number| number.is_finite())
        .ok_or_else(|| refused("value", "`value` must be a number, or true or false"))
}

/// A comment, or nothing when it is blank.
pub fn comment(text: &str) -> Result<Option<&str>, Refusal> {
    if text.len() > COMMENT_BYTES || text.contains('\0') {
        return Err(refused("comment", format!("`comment` has at most {COMMENT_BYTES} bytes, and no NUL")));
    }
    Ok(Some(text.trim()).filter(|text| !text.is_empty()))
}

/// Scores as they were sent.
pub struct Sent {
    /// The scores.
    pub scores: Vec<NewScore>,
    /// Whether they came as a list, so that the answer is one too.
    pub listed: bool,
}

/// Reads a body that is one score or a list of scores.
pub fn read(bytes: &[u8]) -> Result<Sent, Refusal> {
    let bytes = bytes.trim_ascii();
    let listed = bytes.starts_with(b"[");
    if !listed && !bytes.starts_with(b"{") {
        let message =
            "the body must be a score such as {\"call_id\", \"name\", \"value\"}, or a list of them";
        return Err(Refusal::new(Kind::InvalidRequest, message));
    }
    let scores = if listed { parsed(bytes)? } else { vec![parsed(bytes)?] };
    match scores.len() {
        0 => Err(Refusal::new(Kind::InvalidRequest, "the list is empty: send at least one score")),
        many if many > SCORES => {
            let message =
                format!("a list has at most {SCORES} scores, this one has {many}: send several lists");
            Err(Refusal::new(Kind::InvalidRequest, message))
        }
        _ => Ok(Sent { scores, listed }),
    }
}

fn parsed<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let read = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let message = format!("`{path}`: {}", error.into_inner());
        let refusal = Refusal::new(Kind::InvalidRequest, message);
        if matches!(&*path, "." | "?") { refusal } else { refusal.param(path) }
    })?;
    reader.end().map_err(|error| {
        Refusal::new(Kind::InvalidRequest, format!("the body goes on after its end: {error}"))
    })?;
    Ok(read)
}

/// Commits scores of one project, after a look at what they judge.
pub async fn file(app: &App, project: &str, mut scores: Vec<Score>) -> Result<Vec<ScoreBody>, Refusal> {
    let calls = scores.iter().filter_map(|score| called(&score.target)).collect();
    look_up(app, project, calls).await?;
    // A comment is kept as calls are: with what the project's rules name replaced.
    let redaction = &app.policies.of_project(project).redaction;
    for score in &mut scores {
        redaction.score(score);
    }
    let bodies = scores.iter().cloned().map(ScoreBody::from).collect();
    app.recorder.judge(scores).await.map_err(|not_committed| {
        Refusal::new(Kind::Overloaded, "scores cannot be taken right now: try again in a moment")
            .retry_after(Duration::from_secs(1))
            .because(not_committed)
    })?;
    Ok(bodies)
}

/// Refuses to judge a call that is not there, or of another project.
pub async fn check_target(app: &App, project: &str, target: &Target) -> Result<(), Refusal> {
    look_up(app, project, called(target).into_iter().collect()).await
}

/// Refuses calls that are not there, or of another project. A store that is away stops no score.
async fn look_up(app: &App, project: &str, calls: BTreeSet<Id<Call>>) -> Result<(), Refusal> {
    if calls.len() > CALLS_LOOKED_UP {
        return Ok(());
    }
    let mut waited = false;
    for id in calls {
        let mut found = project_of(app, id).await;
        if found == Found::Nothing && !waited {
            waited = true;
            drop(tokio::time::timeout(WAIT, arriving::settled(app)).await);
        }
        if found == Found::Nothing {
            found = project_of(app, id).await;
        }
        let young = app.clock.now().minus(UNDER_WAY) < id.time();
        match found {
            Found::In(of) if of == project => {}
            Found::Away => {}
            // A call that streams is recorded when it ends.
            Found::Nothing if young => {}
            Found::Nothing | Found::In(_) => {
                let message =
                    format!("there is no call `{id}` in this project: use the `x-request-id` of its answer");
                return Err(Refusal::new(Kind::NotFound, message).param("call_id"));
            }
        }
    }
    Ok(())
}

const fn called(target: &Target) -> Option<Id<Call>> {
    match target {
        Target::Call(id) => Some(*id),
        Target::Trace(_) | Target::Session(_) => None,
    }
}

/// What a look for a call came to.
#[derive(PartialEq, Eq)]
enum Found {
    In(String),
    Nothing,
    Away,
}

async fn project_of(app: &App, id: Id<Call>) -> Found {
    match app.store.get(id).await {
        Ok(Some(call)) => Found::In(call.row.project),
        Ok(None) => Found::Nothing,
        Err(_) => Found::Away,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: Time = Time(1_795_996_800_000_000);
    const CALL: &str = "019aa2d8-5a00-7c3e-9d5b-0f6c2a1b3c4d";

    fn given(body: &Value) -> Result<Score, Refusal> {
        let giver = Giver { project: "default", source: ScoreSource::Feedback, author: Some("shop") };
        read(body.to_string().as_bytes())?.scores.remove(0).score(&giver, NOW)
    }

    #[test]
    fn a_score_is_read_whatever_it_judges() {
        let score =
            given(&json!({"call_id": CALL, "name": " helpful ", "value": true, "comment": " "})).unwrap();
        assert_eq!((score.target, score.value), (Target::Call(CALL.parse().unwrap()), 1.0));
        assert_eq!((&*score.name, score.comment, score.at), ("helpful", None, NOW));
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let score = given(&json!({"trace_id": trace, "name": "a", "value": -0.5})).unwrap();
        assert_eq!(ScoreBody::from(score).trace_id.unwrap(), trace);
        let score = given(&json!({"session_id": "s-4", "name": "a", "value": 5, "id": CALL})).unwrap();
        assert_eq!((score.target, score.id.to_string()), (Target::Session("s-4".into()), CALL.to_owned()));
    }

    #[test]
    fn what_is_no_score_is_refused_by_its_field() {
        for (body, param) in [
            (json!({"name": "a", "value": 1}), Some("call_id")),
            (json!({"call_id": CALL, "session_id": "s", "name": "a", "value": 1}), Some("call_id")),
            (json!({"call_id": "x", "name": "a", "value": 1}), Some("call_id")),
            (json!({"trace_id": "0".repeat(32), "name": "a", "value": 1}), Some("trace_id")),
            (
                json!({"trace_id": "+bf92f3577b34da6a3ce929d0e0e4736", "name": "a", "value": 1}),
                Some("trace_id"),
            ),
            (json!({"session_id": "", "name": "a", "value": 1}), Some("session_id")),
            (json!({"call_id": CALL, "name": " ", "value": 1}), Some("name")),
            (json!({"call_id": CALL, "name": "a\nb", "value": 1}), Some("name")),
            (json!({"call_id": CALL, "name": "a", "value": "1"}), Some("value")),
            (json!({"call_id": CALL, "name": "a", "value": null}), Some("value")),
            (
                json!({"call_id": CALL, "name": "a", "value": 1, "comment": "c".repeat(10_000)}),
                Some("comment"),
            ),
            (json!({"call_id": CALL, "name": "a", "value": 1, "id": "x"}), Some("id")),
            (json!({"call_id": CALL, "name": "a", "value": 1, "colour": "red"}), Some("colour")),
            (json!([]), None),
            (json!(vec![json!({"call_id": CALL, "name": "a", "value": 1}); SCORES + 1]), None),
            (json!("helpful"), None),
        ] {
            let refusal = given(&body).unwrap_err();
            assert_eq!((refusal.kind(), refusal.param_name()), (Kind::InvalidRequest, param), "{body}");
        }
    }
}
