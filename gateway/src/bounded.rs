//! Reads a body into memory within a limit, without copying one that came in one piece.

use bytes::{Bytes, BytesMut};
use http_body::Body;
use http_body_util::BodyExt as _;

/// Why a body could not be read whole.
#[derive(Debug)]
pub enum Unread<E> {
    /// It is larger than the limit; what had been read is dropped.
    TooLarge,
    /// The sender broke off.
    Broken(E),
}

/// Reads `body` to its end; at most `limit` bytes.
pub async fn collect<B>(mut body: B, limit: usize) -> Result<Bytes, Unread<B::Error>>
where
    B: Body<Data = Bytes> + Unpin,
{
    if body.size_hint().lower() > limit as u64 {
        return Err(Unread::TooLarge);
    }
    let expected = body.size_hint().exact();
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(Unread::Broken)?.into_data() else { continue };
        if first.len() + whole.len() + data.len() > limit {
            return Err(Unread::TooLarge);
        }
        if first.is_empty() && whole.is_empty() {
            first = data;
            continue;
        }
        if whole.is_empty() {
            let size = expected.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(2 * first.len());
            whole.reserve(size.max(first.len() + data.len()));
            whole.extend_from_slice(&std::mem::take(&mut first));
        }
        whole.extend_from_slice(&data);
    }
    Ok(if whole.is_empty() { first } else { whole.freeze() })
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http_body_util::{Full, StreamBody};

    use super::*;

    fn pieces(texts: &[&'static str]) -> impl Body<Data = Bytes, Error = Infallible> + Unpin + use<> {
        let frames: Vec<_> = texts
            .iter()
            .map(|text| Ok(http_body::Frame::data(Bytes::from_static(text.as_bytes()))))
            .collect();
        StreamBody::new(futures_util::stream::iter(frames))
    }

    #[tokio::test]
    async fn a_body_in_one_piece_is_not_copied() {
        let sent = Bytes::from_static(b"hello");
        let read = collect(Full::new(sent.clone()), 5).await.unwrap();
        assert_eq!((read.as_ptr(), read.len()), (sent.as_ptr(), 5));
    }

    #[tokio::test]
    async fn pieces_are_joined_in_order_and_the_limit_holds_to_the_byte() {
        assert_eq!(collect(pieces(&["ab", "", "cd", "e"]), 5).await.unwrap(), "abcde");
        assert!(matches!(collect(pieces(&["ab", "cd", "ef"]), 5).await, Err(Unread::TooLarge)));
    }

    #[tokio::test]
    async fn a_body_that_announces_too_much_is_refused_before_it_is_read() {
        assert!(matches!(collect(Full::new(Bytes::from_static(b"123456")), 5).await, Err(Unread::TooLarge)));
    }
}
