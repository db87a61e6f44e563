//! Posts a body to an address: resolved once, judged, and connected to exactly where it was judged. No redirect is
//! followed, no connection is kept, and of the answer hardly more than its status is read.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::{Tried, address};
use crate::bounded;
use crate::upstream::connect::tls_config;

/// How long resolving and connecting may take.
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// How long all of a try may take.
pub(super) const TRY_TIME: Duration = Duration::from_secs(15);
/// The most of an answer that is read.
const ANSWER_BYTES: usize = 1024;
/// The most addresses of one host that are tried.
const ADDRESSES: usize = 4;
/// The longest that a receiver may ask to be left alone.
const RETRY_AFTER_MOST: Duration = Duration::from_hours(3);

/// Posts to addresses that people wrote.
pub(super) struct Client {
    tls: Arc<ClientConfig>,
    allow_private: bool,
}

/// Where a post goes.
struct Place {
    host: String,
    port: u16,
    secure: bool,
    authority: HeaderValue,
    path: PathAndQuery,
}

/// Why there is no connection.
enum NoWay {
    /// Every address of the host lies in a network that may not be reached into.
    Private,
    /// It could not be found or did not take the connection.
    Unreachable(io::Error),
}

impl Client {
    pub(super) fn new(allow_private: bool) -> anyhow::Result<Self> {
        let mut tls = ClientConfig::clone(&*tls_config(None)?);
        // One request for each connection: HTTP/2 would only cost another round trip.
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { tls: Arc::new(tls), allow_private })
    }

    /// Posts once. Errors name the host at most: the rest of a URL may be a secret.
    pub(super) async fn post(&self, url: &str, headers: HeaderMap, body: Bytes) -> Tried {
        let Some(place) = Place::of(url) else { return Tried::hopeless("the URL cannot be read") };
        match timeout(TRY_TIME, self.exchange(&place, headers, body)).await {
            Ok(tried) => tried,
            Err(_) => Tried::failed(format!("{} did not answer within {} s", place.host, TRY_TIME.as_secs())),
        }
    }

    async fn exchange(&self, place: &Place, headers: HeaderMap, body: Bytes) -> Tried {
        let dialled = timeout(CONNECT_TIME, self.dial(place)).await;
        let dialled = dialled.unwrap_or_else(|_| Err(NoWay::Unreachable(io::ErrorKind::TimedOut.into())));
        let socket = match dialled {
            Ok(socket) => socket,
            Err(NoWay::Private) => {
                let host = &place.host;
                return Tried::hopeless(format!(
                    "{host} is at a private address: set webhooks.allow_private_addresses if that is meant"
                ));
            }
            Err(NoWay::Unreachable(error)) => {
                return Tried::failed(format!("{} cannot be reached: {error}", place.host));
            }
        };
        let request = place.request(headers, body);
        if !place.secure {
            return converse(socket, request, &place.host).await;
        }
        let Ok(name) = ServerName::try_from(place.host.clone()) else {
            return Tried::hopeless(format!("{} is not a name TLS can check", place.host));
        };
        match TlsConnector::from(Arc::clone(&self.tls)).connect(name, socket).await {
            Ok(stream) => converse(stream, request, &place.host).await,
            Err(error) => Tried::failed(format!("{} speaks no TLS that can be trusted: {error}", place.host)),
        }
    }

    async fn dial(&self, place: &Place) -> Result<TcpStream, NoWay> {
        let found = lookup_host((place.host.as_str(), place.port)).await.map_err(NoWay::Unreachable)?;
        let mut refused = NoWay::Unreachable(io::Error::other("it has no address"));
        for address in found.take(ADDRESSES) {
            match self.connect(address).await {
                Ok(socket) => return Ok(socket),
                Err(no_way) => refused = no_way,
            }
        }
        Err(refused)
    }

    /// Judges an address and connects to that very one.
    async fn connect(&self, address: SocketAddr) -> Result<TcpStream, NoWay> {
        if !self.allow_private && !address::is_public(address.ip()) {
            return Err(NoWay::Private);
        }
        let socket = TcpStream::connect(address).await.map_err(NoWay::Unreachable)?;
        socket.set_nodelay(true).map_err(NoWay::Unreachable)?;
        Ok(socket)
    }
}

async fn converse<S>(stream: S, request: Request<Full<Bytes>>, host: &str) -> Tried
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let broken = |error: hyper::Error| Tried::failed(format!("the connection to {host} broke: {error}"));
    let (mut sender, connection) = match http1::handshake(TokioIo::new(stream)).await {
        Ok(made) => made,
        Err(error) => return broken(error),
    };
    let answer = async {
        match sender.send_request(request).await {
            Ok(response) => judge(response).await,
            Err(error) => broken(error),
        }
    };
    // The connection lives no longer than this try: it is driven here and not in a task.
    let mut answer = std::pin::pin!(answer);
    tokio::select! {
        tried = &mut answer => tried,
        _ = connection => answer.await,
    }
}

async fn judge(response: http::Response<Incoming>) -> Tried {
    let (head, body) = response.into_parts();
    let status = Some(u32::from(head.status.as_u16()));
    if head.status.is_success() {
        return Tried::Delivered { status };
    }
    let mut error = match head.status {
        status if status.is_redirection() => {
            format!("the answer was {status}: redirects are not followed, write the final URL")
        }
        status => format!("the answer was {status}"),
    };
    if head.status == StatusCode::GONE {
        return Tried::Hopeless { status, error };
    }
    let said = bounded::collect(body, ANSWER_BYTES).await.unwrap_or_default();
    if is_code(&said) {
        error = format!("{error}: {}", String::from_utf8_lossy(&said));
    }
    Tried::Failed { status, error, after: retry_after(&head.headers) }
}

/// Whether an answer is one plain word, such as Slack's `invalid_payload`. Anything longer may repeat what was sent to
/// it, the URL included, and is kept nowhere.
fn is_code(said: &[u8]) -> bool {
    (1..=60).contains(&said.len()) && said.iter().all(|byte| byte.is_ascii_lowercase() || *byte == b'_')
}

/// How long the receiver wants to be left alone, where it says so in seconds.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(RETRY_AFTER_MOST))
}

impl Place {
    fn of(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let secure = match uri.scheme_str()? {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let host = uri.host()?.trim_matches(['[', ']']).to_owned();
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let authority = HeaderValue::from_str(uri.authority()?.as_str()).ok()?;
        let path = uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
        Some(Self { host, port, secure, authority, path })
    }

    fn request(&self, mut headers: HeaderMap, body: Bytes) -> Request<Full<Bytes>> {
        headers.insert(header::HOST, self.authority.clone());
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = Uri::from(self.path.clone());
        *request.headers_mut() = headers;
        request
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn post(client: &Client, url: &str) -> Tried {
        client.post(url, HeaderMap::new(), Bytes::from_static(b"{}")).await
    }

    #[tokio::test]
    async fn no_way_of_writing_this_machine_reaches_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let client = Client::new(false).unwrap();
        for host in [
            "127.0.0.1",
            "localhost",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0177.0.0.1",
            "0.0.0.0",
            "0",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[64:ff9b::7f00:1]",
            "127.0.0.1.",
        ] {
            let tried = post(&client, &format!("http://{host}:{port}/secret")).await;
            let (Tried::Hopeless { error, .. } | Tried::Failed { error, .. }) = tried else {
                panic!("{host}: {tried:?}")
            };
            assert!(!error.contains("secret"), "{host}: {error}");
        }
        let connected = timeout(Duration::ZERO, listener.accept()).await;
        assert!(connected.is_err(), "somebody connected");
    }

    #[tokio::test]
    async fn what_cannot_be_reached_is_tried_again_and_what_may_not_be_is_not() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        drop(listener);
        assert!(matches!(post(&Client::new(true).unwrap(), &url).await, Tried::Failed { .. }));
        assert!(matches!(post(&Client::new(false).unwrap(), &url).await, Tried::Hopeless { .. }));
        for bad in ["", "/x", "ftp://a/", "http://"] {
            assert!(matches!(post(&Client::new(true).unwrap(), bad).await, Tried::Hopeless { .. }), "{bad}");
        }
    }

    #[test]
    fn of_an_answer_only_a_plain_word_is_kept() {
        assert!(is_code(b"invalid_payload") && is_code(b"no_service"));
        for said in ["", "Cannot POST /services/T0/B0/xyz", "{\"a\":1}", "Not Found"] {
            assert!(!is_code(said.as_bytes()), "{said}");
        }
    }

    #[test]
    fn nobody_asks_to_be_left_alone_for_ever() {
        let after = |value: &'static str| {
            retry_after(&HeaderMap::from_iter([(header::RETRY_AFTER, HeaderValue::from_static(value))]))
        };
        assert_eq!(after("120"), Some(Duration::from_mins(2)));
        assert_eq!(after("99999999"), Some(RETRY_AFTER_MOST));
        assert_eq!((after("-1"), after("Wed, 21 Oct 2026 07:28:00 GMT")), (None, None));
    }
}
