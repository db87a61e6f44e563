//! What a browser or a program posts to a link: a value for each name, within what the link allows.

use analytics::Score;
use analytics::score::ScoreSource;
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::Link;
use crate::refusal::{Kind, Refusal};
use crate::scores;

/// What a form's field of a value is called, before the name it is for.
pub(in crate::feedback) const FIELD: &str = "value.";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    /// The value, of a link for one name.
    value: Option<Value>,
    /// The name, which a link for one may leave out.
    name: Option<String>,
    /// Values by name.
    #[serde(default)]
    values: Map<String, Value>,
    comment: Option<String>,
}

fn refused(param: String, message: impl Into<String>) -> Refusal {
    Refusal::new(Kind::InvalidRequest, message.into()).param(param)
}

impl Link {
    /// Reads `{value, comment?}` or `{values: {name: value}, comment?}`.
    pub fn read_json(&self, bytes: &[u8]) -> Result<Vec<Score>, Refusal> {
        let given: Given = serde_json::from_slice(bytes).map_err(|error| {
            let message = format!("the body must be {{value, comment?}} or {{values, comment?}}: {error}");
            Refusal::new(Kind::InvalidRequest, message)
        })?;
        let mut values = Vec::new();
        for (name, value) in given.values {
            values.push((name, scores::value(&value)?));
        }
        if let Some(value) = given.value {
            let only = self.names().first().filter(|_| self.names().len() == 1).cloned();
            let name = given.name.or(only).ok_or_else(|| {
                let names = self.names().join(", ");
                refused(
                    "name".into(),
                    format!("this link is for several names: say which of {names} the value is for"),
                )
            })?;
            values.push((name, scores::value(&value)?));
        }
        self.scores(values, given.comment.as_deref())
    }

    /// Reads what the page's own form posts.
    pub fn read_form(&self, bytes: &[u8]) -> Result<Vec<Score>, Refusal> {
        let text = std::str::from_utf8(bytes)
            .map_err(|_| Refusal::new(Kind::InvalidRequest, "the form is not UTF-8"))?;
        let (mut values, mut comment) = (Vec::new(), None);
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (field, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (field, value) = (decoded(field)?, decoded(value)?);
            if field == "comment" {
                comment = Some(value);
            } else if let Some(name) = field.strip_prefix(FIELD) {
                let number = value.parse().ok().filter(|number: &f64| number.is_finite());
                let number = number.ok_or_else(|| refused(field.clone(), "the value is not a number"))?;
                values.push((name.to_owned(), number));
            } else {
                return Err(refused(field, "the form has a field this link does not know"));
            }
        }
        self.scores(values, comment.as_deref())
    }

    fn scores(&self, values: Vec<(String, f64)>, comment: Option<&str>) -> Result<Vec<Score>, Refusal> {
        if values.is_empty() {
            return Err(refused("value".into(), "nothing was chosen: choose one of the values"));
        }
        let comment = comment.map(scores::comment).transpose()?.flatten();
        if comment.is_some() && !self.takes_comment() {
            return Err(refused("comment".into(), "this link takes no comment: leave it out"));
        }
        let mut scores: Vec<Score> = Vec::with_capacity(values.len());
        for (name, value) in values {
            if !self.names().contains(&name) || scores.iter().any(|score| *score.name == *name) {
                let message = format!("this link is for {}, each once", self.names().join(", "));
                return Err(refused("name".into(), message));
            }
            if !self.choices().iter().any(|(allowed, _)| allowed.total_cmp(&value).is_eq()) {
                let allowed: Vec<_> = self.choices().iter().map(|(value, _)| value.to_string()).collect();
                let message =
                    format!("the value {value} is not allowed here: use one of {}", allowed.join(", "));
                return Err(refused("value".into(), message));
            }
            scores.push(Score {
                id: self.score_id(&name),
                project: self.terms.p.as_str().into(),
                at: self.now,
                target: self.target.clone(),
                name: name.into(),
                value,
                comment: comment.map(Into::into),
                source: ScoreSource::Link,
                author: self.terms.u.as_deref().map(Into::into),
            });
        }
        Ok(scores)
    }
}

fn decoded(text: &str) -> Result<String, Refusal> {
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8();
    decoded
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| Refusal::new(Kind::InvalidRequest, "the form is not UTF-8"))
}
