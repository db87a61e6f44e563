//! One judgement of a call, a trace or a session.

use serde::Serialize;
use vocab::id::Call;
use vocab::{Id, Time};

/// What a score is identified by. The same id again is the same score.
pub enum ScoreId {}

/// A judgement. Append-only: a second opinion is a second score.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// Its id.
    pub id: Id<ScoreId>,
    /// The project of what was judged.
    pub project: Box<str>,
    /// When it was given.
    pub at: Time,
    /// What was judged.
    pub target: Target,
    /// What was judged about it: `helpful`, `accuracy`.
    pub name: Box<str>,
    /// The judgement; `false` and `true` are 0 and 1. Finite.
    pub value: f64,
    /// Why.
    pub comment: Option<Box<str>>,
    /// How it came.
    pub source: ScoreSource,
    /// Who gave it: the token's or key's name, or the end user.
    pub author: Option<Box<str>>,
}

impl Score {
    /// Roughly how many bytes this score holds in memory.
    pub(crate) fn weight(&self) -> usize {
        let said = [&self.comment, &self.author].into_iter().flatten().map(|text| text.len()).sum::<usize>();
        size_of::<Self>() + self.project.len() + self.name.len() + said
    }
}

/// What a score judges.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// One call.
    Call(Id<Call>),
    /// One trace.
    Trace([u8; 16]),
    /// One session.
    Session(Box<str>),
}

/// How a score came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ScoreSource {
    /// From the admin API.
    Api,
    /// From an application, with its virtual key.
    Feedback,
    /// From a browser, through a signed link.
    Link,
}

impl ScoreSource {
    /// The word used in stores and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Feedback => "feedback",
            Self::Link => "link",
        }
    }

    /// The source this word stands for; an unknown one is `api`.
    pub fn from_word(word: &str) -> Self {
        [Self::Feedback, Self::Link].into_iter().find(|source| source.as_str() == word).unwrap_or(Self::Api)
    }
}
