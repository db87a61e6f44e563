//! Where a ClickHouse server is, out of the settings' url: `https://user:password@host:8443/database`.

use percent_encoding::percent_decode_str;
use vocab::Secret;

/// What an address says. The password is in no message and no log.
#[derive(Clone, Debug)]
pub(super) struct Address {
    /// Scheme, host and port, nothing else.
    pub(super) server: String,
    pub(super) user: Option<String>,
    pub(super) password: Option<Secret>,
    pub(super) database: String,
}

/// What is wrong with an address, without repeating it.
pub(super) type Problem = &'static str;

impl Address {
    pub(super) fn read(url: &str) -> Result<Self, Problem> {
        let (scheme, rest) = url.split_once("://").ok_or("it has no `://`")?;
        if !matches!(scheme, "http" | "https") {
            return Err("it begins with neither `http://` nor `https://`");
        }
        let (place, path) = rest.split_once('/').ok_or("it names no database: put `/weir` at its end")?;
        if path.contains(['?', '#']) {
            return Err("it goes on behind the database's name: end it there");
        }
        let database = decoded(path.trim_end_matches('/'))?;
        if database.is_empty() {
            return Err("it names no database: put `/weir` at its end");
        }
        let (access, host) = match place.rsplit_once('@') {
            Some((access, host)) => (Some(access), host),
            None => (None, place),
        };
        if host.is_empty() || host.contains([' ', '?', '#']) {
            return Err("it names no host");
        }
        let (user, password) = match access.map(|access| access.split_once(':').unwrap_or((access, ""))) {
            Some((user, password)) => (decoded(user)?, decoded(password)?),
            None => (String::new(), String::new()),
        };
        Ok(Self {
            server: format!("{scheme}://{host}"),
            user: Some(user).filter(|user| !user.is_empty()),
            password: Some(password).filter(|password| !password.is_empty()).map(Secret::new),
            database,
        })
    }
}

fn decoded(text: &str) -> Result<String, Problem> {
    let text = percent_decode_str(text).decode_utf8().map_err(|_| "its percent codes are not UTF-8")?;
    Ok(text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_server_user_password_and_database() {
        let address = Address::read("https://we%40ir:p%3Aw%2F@db.example:8443/calls").unwrap();
        assert_eq!(address.server, "https://db.example:8443");
        assert_eq!((address.user.as_deref(), address.database.as_str()), (Some("we@ir"), "calls"));
        assert!(address.password.as_ref().unwrap().is("p:w/"));
        assert!(!format!("{address:?}").contains("p:w/"));
        let bare = Address::read("http://127.0.0.1:8123/weir/").unwrap();
        assert_eq!((bare.server.as_str(), bare.database.as_str()), ("http://127.0.0.1:8123", "weir"));
        assert!(bare.user.is_none() && bare.password.is_none());
    }

    #[test]
    fn what_is_no_address_is_refused_without_repeating_it() {
        let bad = [
            "clickhouse",
            "tcp://host:9000/weir",
            "http://host:8123",
            "http://host:8123/",
            "http://user:secret@/weir",
            "http://user:secret@host/weir?async_insert=1",
            "http://%ff:secret@host/weir",
        ];
        for url in bad {
            let problem = Address::read(url).unwrap_err();
            assert!(!problem.contains("secret"), "{problem}");
        }
    }
}
