//! URLs the operator writes. Problems never repeat one: it may hold a password.

use http::Uri;

use crate::problem::Wrong;

/// Reads a URL of one of these schemes, with a host and without a fragment.
pub(crate) fn parse(text: &str, schemes: &[&str], fix: &str) -> Result<Uri, Wrong> {
    let wrong = |wrong: &str| Err(Wrong::new(wrong, fix));
    let scheme = text.split_once("://").map(|(scheme, _)| scheme);
    if !scheme.is_some_and(|scheme| schemes.contains(&scheme)) {
        let starts = schemes.iter().map(|scheme| format!("{scheme}://")).collect::<Vec<_>>().join(" or ");
        return wrong(&format!("it does not start with {starts}"));
    }
    // `Uri` drops fragments in silence, and with them half of a password that holds a `#`.
    let parsed: Option<Uri> = text.parse().ok().filter(|_| !text.contains('#'));
    let Some(uri) = parsed.filter(|uri| has_place(uri) && !uri.path().contains('@')) else {
        return wrong("it is not a URL (in a user or password, write what is special as %XX)");
    };
    Ok(uri)
}

/// Reads the address of an HTTP service without user, password or query; no slash stands at its end.
pub(crate) fn http(text: &str, fix: &str) -> Result<String, Wrong> {
    let uri = parse(text, &["http", "https"], fix)?;
    if user(&uri).is_some() {
        return Err(Wrong::new("it holds a user or password", fix));
    }
    if uri.query().is_some() {
        return Err(Wrong::new("it holds a query", "write the URL up to the `?`"));
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// What stands before the `@`.
pub(crate) fn user(uri: &Uri) -> Option<&str> {
    Some(uri.authority()?.as_str().rsplit_once('@')?.0)
}

/// Whether a host is named, and the port is a number if there is one.
fn has_place(uri: &Uri) -> bool {
    let Some(authority) = uri.authority() else { return false };
    let place = authority.as_str().rsplit('@').next().unwrap_or_default();
    let port = place.strip_prefix(authority.host());
    let users = authority.as_str().matches('@').count();
    users < 2 && !authority.host().is_empty() && (port == Some("") || authority.port_u16().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_a_service_is_scheme_host_and_path() {
        for (text, wanted) in [
            ("https://weir.example/", "https://weir.example"),
            ("http://127.0.0.1:8080/a/b", "http://127.0.0.1:8080/a/b"),
            ("http://[::1]:8080", "http://[::1]:8080"),
        ] {
            assert_eq!(http(text, ""), Ok(wanted.to_owned()));
        }
    }

    #[test]
    fn what_is_wrong_with_a_url_is_told_without_repeating_it() {
        for (text, said) in [
            ("weir.example", "it does not start with http:// or https://"),
            ("ftp://hunter2@h", "it does not start with http:// or https://"),
            ("https://", "it is not a URL"),
            ("https://u:hun#ter2@h/d", "it is not a URL"),
            ("https://u:hun/ter2@h/d", "it is not a URL"),
            ("https://u:hun@ter2@h/d", "it is not a URL"),
            ("https://h:port/d", "it is not a URL"),
            ("https://u:hunter2@h/", "it holds a user or password"),
            ("https://h/?key=hunter2", "it holds a query"),
        ] {
            let Wrong { wrong, fix } = http(text, "write another").unwrap_err();
            assert!(wrong.starts_with(said), "{text}: {wrong}");
            assert!(!format!("{wrong}{fix}").contains("ter2"), "{text}: {wrong}");
        }
    }
}
