//! Opens a connection to a provider: TCP without delay, TLS where the URL says so, HTTP/2 where ALPN agrees.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use http::Uri;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::Unsent;
use super::body::SendBody;

/// How often an open HTTP/2 connection is asked whether it still lives.
const HTTP2_PING_EVERY: Duration = Duration::from_secs(20);

/// Where one provider is and how to get there.
pub struct Connector {
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    patience: Duration,
}

/// A connection after its handshakes.
pub(super) enum Negotiated {
    Http1(http1::SendRequest<SendBody>),
    Http2(http2::SendRequest<SendBody>),
}

impl Connector {
    /// The way to `base`, an absolute `http` or `https` URL; `tls` is used for the latter.
    pub fn new(base: &Uri, tls: Arc<ClientConfig>, patience: Duration) -> anyhow::Result<Self> {
        let host = base.host().context("the URL names no host")?.trim_matches(['[', ']']).to_owned();
        let secure = base.scheme_str() == Some("https");
        let port = base.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let tls = if secure {
            let name = ServerName::try_from(host.clone()).context("the host is not a name TLS can check")?;
            Some((TlsConnector::from(tls), name))
        } else {
            None
        };
        Ok(Self { host, port, tls, patience })
    }

    /// Connects, within the connect time limit.
    pub(super) async fn connect(&self) -> Result<Negotiated, Unsent> {
        match tokio::time::timeout(self.patience, self.dial()).await {
            Ok(connected) => connected,
            Err(_) => Err(Unsent::unreachable(io::ErrorKind::TimedOut.into())),
        }
    }

    async fn dial(&self) -> Result<Negotiated, Unsent> {
        let socket =
            TcpStream::connect((self.host.as_str(), self.port)).await.map_err(Unsent::unreachable)?;
        socket.set_nodelay(true).map_err(Unsent::unreachable)?;
        let Some((connector, name)) = &self.tls else {
            return handshake1(socket).await;
        };
        let stream = connector.connect(name.clone(), socket).await.map_err(Unsent::unreachable)?;
        if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
            return handshake2(stream).await;
        }
        handshake1(stream).await
    }
}

async fn handshake1<S>(stream: S) -> Result<Negotiated, Unsent>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| Unsent::broken(error, true))?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(error = %error, "provider connection ended");
        }
    });
    Ok(Negotiated::Http1(sender))
}

async fn handshake2<S>(stream: S) -> Result<Negotiated, Unsent>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.timer(TokioTimer::new()).keep_alive_interval(HTTP2_PING_EVERY).adaptive_window(true);
    let (sender, connection) =
        builder.handshake(TokioIo::new(stream)).await.map_err(|error| Unsent::broken(error, true))?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(error = %error, "provider connection ended");
        }
    });
    Ok(Negotiated::Http2(sender))
}

/// TLS as Weir speaks it to providers: the machine's trusted roots (`SSL_CERT_FILE` is honoured), plus
/// `ca_file` for a provider behind a private authority.
pub fn tls_config(ca_file: Option<&Path>) -> anyhow::Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    for error in &native.errors {
        tracing::warn!(error = %error, "a trusted root certificate could not be read");
    }
    roots.add_parsable_certificates(native.certs);
    if let Some(path) = ca_file {
        let certificates = CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .with_context(|| format!("cannot read the certificates in {}", path.display()))?;
        for certificate in certificates {
            roots.add(certificate).with_context(|| format!("bad certificate in {}", path.display()))?;
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("no TLS version is available")?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
