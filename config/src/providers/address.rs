//! A provider's base URL: checked, tidied, and never the gateway itself.

use std::net::IpAddr;

use http::Uri;

use crate::problem::Wrong;
use crate::providers::ProviderKind;
use crate::server::Server;

/// Where Ollama listens when its address names no port.
const OLLAMA_PORT: u16 = 11_434;

/// Checks a base URL and puts it into the one form the rest of the program relies on: `http(s)://host[:port]/path`,
/// no slash at the end.
pub(crate) fn base_url(kind: ProviderKind, text: &str, own: &Server) -> Result<String, Wrong> {
    const FIX: &str = "write the URL up to and with /v1, such as \"https://api.example.com/v1\"";
    let spelt = if kind == ProviderKind::Ollama { ollama(text) } else { text.trim().to_owned() };
    // A URL that does not parse is not repeated: it may hold a password.
    let uri: Option<Uri> = spelt.parse().ok();
    let authority = uri.as_ref().filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")));
    let (Some(uri), Some(authority)) = (&uri, authority.and_then(Uri::authority)) else {
        return Err(Wrong::new("it is not an http:// or https:// URL", FIX));
    };
    if authority.as_str().contains('@') {
        return Err(Wrong::new("it holds a user or password", "take them out and write api_key"));
    }
    if uri.query().is_some() {
        return Err(Wrong::new("it holds a query", "write the URL up to the `?`"));
    }
    if is_own(uri, own) {
        return Err(Wrong::new(
            format!("{spelt} is this gateway's own address, and calls would go round in a circle"),
            "write the provider's address, or listen on another port",
        ));
    }
    let url = spelt.trim_end_matches('/');
    Ok(match (kind, uri.path().trim_end_matches('/')) {
        (ProviderKind::Azure, "") => format!("{url}/openai/v1"),
        (ProviderKind::Ollama, "") => format!("{url}/v1"),
        _ => url.to_owned(),
    })
}

/// `OLLAMA_HOST` may lack the scheme, the port, or the host, and may be an address to listen on.
fn ollama(text: &str) -> String {
    let text = text.trim();
    if text.contains("://") {
        return text.replacen("//0.0.0.0", "//127.0.0.1", 1);
    }
    let (host, path) = text.split_once('/').unwrap_or((text, ""));
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() => (name, port.to_owned()),
        _ => (host, OLLAMA_PORT.to_string()),
    };
    let name = if name.is_empty() || name == "0.0.0.0" { "127.0.0.1" } else { name };
    if path.is_empty() { format!("http://{name}:{port}") } else { format!("http://{name}:{port}/{path}") }
}

/// Whether the URL leads to one of the gateway's own listeners, as far as its text tells.
fn is_own(uri: &Uri, own: &Server) -> bool {
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let ip: Option<IpAddr> = host.parse().ok();
    [own.listen, own.admin_listen].iter().any(|listener| {
        let here = host == "localhost" || ip.is_some_and(|ip| ip.is_loopback() || ip.is_unspecified());
        let reached = here && (listener.ip().is_loopback() || listener.ip().is_unspecified());
        listener.port() == port && (reached || ip == Some(listener.ip()))
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn own() -> Server {
        Server {
            listen: ([127, 0, 0, 1], 8080).into(),
            admin_listen: ([0, 0, 0, 0], 8081).into(),
            shutdown_grace: Duration::from_secs(1),
        }
    }

    #[test]
    fn base_urls_take_one_form() {
        for (kind, text, wanted) in [
            (ProviderKind::OpenAi, "https://api.openai.com/v1/", "https://api.openai.com/v1"),
            (ProviderKind::OpenAi, "http://127.0.0.1:9100/v1", "http://127.0.0.1:9100/v1"),
            (ProviderKind::Azure, "https://x.openai.azure.com/", "https://x.openai.azure.com/openai/v1"),
            (
                ProviderKind::Azure,
                "https://x.openai.azure.com/openai/v1",
                "https://x.openai.azure.com/openai/v1",
            ),
            (ProviderKind::Ollama, "0.0.0.0", "http://127.0.0.1:11434/v1"),
            (ProviderKind::Ollama, ":1234", "http://127.0.0.1:1234/v1"),
            (ProviderKind::Ollama, "box", "http://box:11434/v1"),
            (ProviderKind::Ollama, "https://box/ollama", "https://box/ollama"),
            (ProviderKind::Ollama, "box:1/v1", "http://box:1/v1"),
        ] {
            assert_eq!(base_url(kind, text, &own()), Ok(wanted.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_no_providers_url_is_refused_without_telling_a_password() {
        for (text, said) in [
            ("api.openai.com/v1", "http:// or https://"),
            ("ftp://x/v1", "http:// or https://"),
            ("https://u:hunter2@x/v1", "user or password"),
            ("https://x/v1?api-version=1", "a query"),
            ("https://hunter2 x", "http:// or https://"),
        ] {
            let wrong = base_url(ProviderKind::OpenAi, text, &own()).unwrap_err();
            assert!(wrong.wrong.contains(said), "{text}: {}", wrong.wrong);
            assert!(!wrong.wrong.contains("hunter2"));
        }
    }

    #[test]
    fn the_gateways_own_listeners_are_refused() {
        for text in [
            "http://127.0.0.1:8080/v1",
            "http://localhost:8080",
            "http://[::1]:8080/v1",
            "http://localhost:8081/v1",
            "http://127.0.0.1:8081",
        ] {
            let wrong = base_url(ProviderKind::OpenAi, text, &own()).unwrap_err();
            assert!(wrong.wrong.contains("own address"), "{text}");
        }
        assert!(base_url(ProviderKind::OpenAi, "http://10.0.0.9:8080/v1", &own()).is_ok());
    }
}
