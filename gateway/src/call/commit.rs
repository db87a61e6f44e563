//! The last byte waits for the record: in `strict` durability an answer is whole only once its record is committed.
//!
//! What cannot be committed is not acknowledged: a whole answer becomes a 503, a stream breaks off before its end.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use analytics::NotCommitted;
use bytes::Bytes;
use http::{HeaderValue, Response, header};

use super::relay::Body;
use super::reply::name;
use crate::refusal::{Kind, Refusal};

/// How long an answer waits for its record: longer than any disk takes that works.
const COMMIT_TIME: Duration = Duration::from_secs(10);

/// A record on its way to the disk. It gets there also when nobody waits for it.
pub type Commit = Pin<Box<dyn Future<Output = Result<(), NotCommitted>> + Send>>;

/// The end of an answer, and the commit it waits for.
pub struct Held {
    commit: Option<Commit>,
    last: Option<Bytes>,
}

impl Held {
    /// Holds `last` back until `commit` is done; with nothing to commit it goes at once.
    pub fn new(commit: Option<Commit>, last: Option<Bytes>) -> Self {
        Self { commit, last }
    }

    /// Whether the last bytes are still to come.
    pub const fn is_over(&self) -> bool {
        self.last.is_none() && self.commit.is_none()
    }

    /// The bytes held back, once their record is committed; then the end.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if let Some(commit) = &mut self.commit {
            let committed = std::task::ready!(commit.as_mut().poll(cx));
            self.commit = None;
            if let Err(error) = committed {
                self.last = None;
                return Poll::Ready(Some(Err(io::Error::other(error))));
            }
        }
        Poll::Ready(self.last.take().map(Ok))
    }
}

/// A record being committed, as long as that may take.
pub fn within_time(commit: impl Future<Output = Result<(), NotCommitted>> + Send + 'static) -> Commit {
    Box::pin(async { tokio::time::timeout(COMMIT_TIME, commit).await.unwrap_or(Err(NotCommitted)) })
}

/// Waits with a whole answer until its record is committed. Streams wait by themselves, at their end.
pub async fn committed(mut response: Response<Body>) -> Response<Body> {
    let Body::Whole { entry, outcome, .. } = response.body_mut() else { return response };
    let Some(commit) = entry.as_mut().and_then(|entry| entry.commit(*outcome)) else { return response };
    match commit.await {
        Ok(()) => response,
        Err(error) => unacknowledged(response, error),
    }
}

fn unacknowledged(mut response: Response<Body>, error: NotCommitted) -> Response<Body> {
    let message = format!("the answer is withheld because its record could not be kept ({error}): try again");
    let refusal = Refusal::new(Kind::Overloaded, message);
    *response.status_mut() = refusal.status();
    let headers = response.headers_mut();
    headers.remove(name::WEIR_COST_USD);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    *response.body_mut() = Body::plain(refusal.body());
    response
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn poll(held: &mut Held) -> Poll<Option<io::Result<Bytes>>> {
        held.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[tokio::test]
    async fn the_last_bytes_go_out_after_the_commit() {
        let (done, committed) = tokio::sync::oneshot::channel::<()>();
        let commit: Commit = Box::pin(async {
            committed.await.unwrap_or_default();
            Ok(())
        });
        let mut held = Held::new(Some(commit), Some(Bytes::from_static(b"[DONE]")));
        assert!(poll(&mut held).is_pending() && !held.is_over());
        done.send(()).unwrap();
        assert!(matches!(poll(&mut held), Poll::Ready(Some(Ok(last))) if last == "[DONE]"));
        assert!(held.is_over() && matches!(poll(&mut held), Poll::Ready(None)));
    }

    #[test]
    fn what_is_not_committed_does_not_look_whole() {
        let commit: Commit = Box::pin(std::future::ready(Err(NotCommitted)));
        let mut held = Held::new(Some(commit), Some(Bytes::from_static(b"[DONE]")));
        assert!(matches!(poll(&mut held), Poll::Ready(Some(Err(_)))));
        assert!(held.is_over());
    }

    #[test]
    fn with_nothing_to_commit_nothing_waits() {
        let mut held = Held::new(None, Some(Bytes::from_static(b"end")));
        assert!(matches!(poll(&mut held), Poll::Ready(Some(Ok(_)))));
    }
}
