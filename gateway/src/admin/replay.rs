//! `Idempotency-Key`: a POST that is sent again with the same key gets the answer of the first one.
//!
//! Only what succeeded is kept: a refused request changed nothing and may be sent again as it is. Answers hold the
//! secrets of new keys, so they stay in memory, for a day at most, and are gone after a restart.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use vocab::id::Token;
use vocab::{Clock, Id, Time};

use super::{Admin, given, permission};
use crate::refusal::{Kind, Refusal};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Says on an answer that it is that of an earlier request.
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// How long answers are kept.
const KEPT_FOR: Duration = Duration::from_hours(24);
/// The most answers kept; the oldest go first.
const ANSWERS: usize = 10_000;
/// The most bytes of answers kept.
const ANSWERS_BYTES: usize = 32 << 20;
/// The longest key.
const KEY_BYTES: usize = 255;

/// The answers that may have to be given again.
pub(super) struct Replays {
    clock: Clock,
    /// Bodies are told apart by this, keyed anew in each process.
    hasher: RandomState,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    requests: HashMap<Ask, Asked>,
    /// The answered ones, oldest first.
    order: VecDeque<(Time, Ask)>,
    bytes: usize,
}

/// What makes two requests the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Ask {
    token: Id<Token>,
    target: String,
    key: String,
}

struct Asked {
    body: u64,
    /// None while the first one is under way.
    answer: Option<Answer>,
}

#[derive(Clone)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

/// Passes a request on, unless one with its key was answered before.
pub(super) async fn once(State(admin): State<Admin>, request: Request, next: Next) -> Response {
    match Ask::read(&admin, &request) {
        Ok(None) => next.run(request).await,
        Ok(Some(ask)) => answer(admin, ask, request, next).await.unwrap_or_else(Refusal::into_response),
        Err(refusal) => refusal.into_response(),
    }
}

async fn answer(admin: Admin, ask: Ask, request: Request, next: Next) -> Result<Response, Refusal> {
    let (head, body) = request.into_parts();
    let body = given::body(body, &admin).await?;
    let place = match Replays::open(&admin.replays, ask, &body)? {
        Opened::Answered(answer) => return Ok(answer.again()),
        Opened::First(place) => place,
    };
    let request = Request::from_parts(head, Body::from(body));
    // In a task of its own: a caller that hangs up and asks again gets the answer to what was done meanwhile.
    let task = tokio::spawn(async move { place.keep(next.run(request).await).await });
    task.await.map_err(|died| Refusal::new(Kind::Internal, "the request could not be finished").because(died))
}

impl Ask {
    /// What is asked for, if it can be asked for again: a POST with a key, and a token that is good.
    fn read(admin: &Admin, request: &Request) -> Result<Option<Self>, Refusal> {
        let Some(key) = request.headers().get(IDEMPOTENCY_KEY) else { return Ok(None) };
        if *request.method() != Method::POST {
            return Ok(None);
        }
        // Without a good token the route refuses, in its own words.
        let Ok(token) = permission::token(admin, request.headers()) else { return Ok(None) };
        let key = key.to_str().ok().filter(|key| !key.is_empty() && key.len() <= KEY_BYTES);
        let Some(key) = key else {
            let message = format!(
                "`Idempotency-Key` must be 1 to {KEY_BYTES} visible ASCII characters, such as a UUID"
            );
            return Err(Refusal::new(Kind::InvalidRequest, message).param("idempotency-key"));
        };
        let target = request.uri().path_and_query().map_or_else(String::new, ToString::to_string);
        Ok(Some(Self { token: token.id, target, key: key.to_owned() }))
    }
}

enum Opened {
    Answered(Answer),
    First(Place),
}

/// Where the answer of a request that is under way goes; given up when dropped without one.
struct Place {
    replays: Arc<Replays>,
    ask: Ask,
}

impl Replays {
    /// No answers yet.
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, hasher: RandomState::new(), kept: Mutex::default() }
    }

    fn open(self: &Arc<Self>, ask: Ask, body: &Bytes) -> Result<Opened, Refusal> {
        let body = self.hasher.hash_one(body);
        let mut kept = self.kept();
        kept.expire(self.clock.now());
        let Some(before) = kept.requests.get(&ask) else {
            if kept.requests.len() >= 2 * ANSWERS {
                return Err(Refusal::new(Kind::Overloaded, "too many requests are under way: try again")
                    .retry_after(Duration::from_secs(1)));
            }
            kept.requests.insert(ask.clone(), Asked { body, answer: None });
            return Ok(Opened::First(Place { replays: Arc::clone(self), ask }));
        };
        if before.body != body {
            let message =
                "this `Idempotency-Key` was used with another body: take a new key for a new request";
            return Err(Refusal::new(Kind::Conflict, message).param("idempotency-key"));
        }
        before.answer.clone().map(Opened::Answered).ok_or_else(|| {
            let message = "a request with this `Idempotency-Key` is still under way: ask again in a moment";
            Refusal::new(Kind::Conflict, message).param("idempotency-key").retry_after(Duration::from_secs(1))
        })
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Forgets what is too old, and the oldest where there is too much.
    fn expire(&mut self, now: Time) {
        while let Some((at, ask)) = self.order.front() {
            if now < at.plus(KEPT_FOR) && self.order.len() <= ANSWERS && self.bytes <= ANSWERS_BYTES {
                return;
            }
            let asked = self.requests.remove(ask);
            self.bytes -= asked.and_then(|asked| asked.answer).map_or(0, |answer| answer.body.len());
            self.order.pop_front();
        }
    }

    fn keep(&mut self, ask: &Ask, answer: Answer, now: Time) {
        let Some(asked) = self.requests.get_mut(ask) else { return };
        self.bytes += answer.body.len();
        asked.answer = Some(answer);
        self.order.push_back((now, ask.clone()));
        self.expire(now);
    }
}

impl Place {
    /// Keeps the answer if it is a success, and hands it on.
    async fn keep(self, response: Response) -> Response {
        if !response.status().is_success() {
            return response;
        }
        let (head, body) = response.into_parts();
        let Ok(body) = to_bytes(body, ANSWERS_BYTES).await else {
            return Refusal::new(Kind::Internal, "the answer could not be read").into_response();
        };
        let answer = Answer { status: head.status, headers: head.headers.clone(), body: body.clone() };
        self.replays.kept().keep(&self.ask, answer, self.replays.clock.now());
        Response::from_parts(head, Body::from(body))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut kept = self.replays.kept();
        if kept.requests.get(&self.ask).is_some_and(|asked| asked.answer.is_none()) {
            kept.requests.remove(&self.ask);
        }
    }
}

impl Answer {
    fn again(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static BODY: Bytes = Bytes::from_static(b"{}");

    fn ask(key: &str) -> Ask {
        Ask { token: Id::from_bytes([0; 16]), target: "/api/v1/keys".to_owned(), key: key.to_owned() }
    }

    fn replays() -> (Arc<Replays>, Clock) {
        let clock = Clock::manual(Time(1_795_996_800_000_000));
        (Arc::new(Replays::new(clock.clone())), clock)
    }

    /// Asks for the first time and is answered with this body.
    async fn answered(replays: &Arc<Replays>, key: &str, body: &'static str) {
        let Ok(Opened::First(place)) = replays.open(ask(key), &BODY) else {
            panic!("{key} was asked before")
        };
        place.keep(Response::new(Body::from(body))).await;
    }

    fn is_kept(replays: &Arc<Replays>, key: &str) -> bool {
        matches!(replays.open(ask(key), &BODY), Ok(Opened::Answered(_)))
    }

    #[tokio::test]
    async fn an_answer_is_given_again_for_a_day() {
        let (replays, clock) = replays();
        answered(&replays, "a", "made").await;

        clock.advance(KEPT_FOR / 2);
        assert!(is_kept(&replays, "a"));
        clock.advance(KEPT_FOR / 2);

        assert!(!is_kept(&replays, "a"));
        assert_eq!(replays.kept().bytes, 0);
    }

    #[tokio::test]
    async fn the_oldest_answers_go_when_there_are_too_many() {
        let (replays, _) = replays();
        for key in 0..=ANSWERS {
            answered(&replays, &key.to_string(), "").await;
        }
        assert!(!is_kept(&replays, "0") && is_kept(&replays, "1") && is_kept(&replays, &ANSWERS.to_string()));
    }

    #[tokio::test]
    async fn the_oldest_answers_go_when_they_are_too_large() {
        let (replays, _) = replays();
        let large = "x".repeat(ANSWERS_BYTES / 2 + 1).leak();
        answered(&replays, "old", large).await;
        answered(&replays, "new", large).await;

        assert!(!is_kept(&replays, "old") && is_kept(&replays, "new"));
        assert_eq!(replays.kept().bytes, large.len());
    }

    #[tokio::test]
    async fn a_request_under_way_is_not_started_again_until_it_failed() {
        let (replays, _) = replays();
        let Ok(Opened::First(place)) = replays.open(ask("a"), &BODY) else { panic!("it was asked before") };
        let Err(refusal) = replays.open(ask("a"), &BODY) else { panic!("it was started twice") };
        assert_eq!(refusal.kind(), Kind::Conflict);

        place.keep(Refusal::new(Kind::InvalidRequest, "no").into_response()).await;

        assert!(matches!(replays.open(ask("a"), &BODY), Ok(Opened::First(_))));
    }
}
