//! A gateway with a token of each role, and short ways to ask its admin API.

use std::ops::Deref;

use config::Config;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use registry::Role;
use serde_json::{Value, json};

use crate::support::{Answer, Call, Harness};

/// A gateway and those who manage it.
pub(crate) struct Desk {
    weir: Harness,
    /// Tokens' secrets, in the order of the roles.
    tokens: Vec<String>,
}

impl Deref for Desk {
    type Target = Harness;

    fn deref(&self) -> &Harness {
        &self.weir
    }
}

impl Desk {
    /// A gateway with nothing but its first token and key, and a token of each role owned by someone of that name.
    pub(crate) async fn open() -> Self {
        Self::with(|_| {}).await
    }

    /// The same, with a configuration the test changes.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::of(Harness::with(change).await).await
    }

    /// The same for a gateway that runs already.
    pub(crate) async fn of(weir: Harness) -> Self {
        let mut tokens = Vec::new();
        for role in Role::ALL {
            let token = json!({"name": format!("the {role}"), "role": role.as_str(), "owner": role.as_str()});
            let made = weir.admin("POST", "/tokens").json(&token).send().await;
            assert_eq!(made.status, 201, "{}", made.text());
            tokens.push(made.json()["secret"].as_str().unwrap().to_owned());
        }
        Self { weir, tokens }
    }

    /// A request by someone of a role; `path` is below `/api/v1`.
    pub(crate) fn by(&self, role: Role, method: &str, path: &str) -> Call {
        Call::new(self.admin_address(), method, &format!("/api/v1{path}")).key(&self.tokens[role as usize])
    }

    /// Sends JSON as an admin.
    pub(crate) async fn send(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.by(Role::Admin, method, path).json(body).send().await
    }

    /// Posts JSON as an admin.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, body).await
    }

    /// Gets as an admin.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.by(Role::Admin, "GET", path).send().await
    }

    /// Deletes as an admin.
    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.by(Role::Admin, "DELETE", path).send().await
    }

    /// The same as [`Desk::get`], of a list that must be there: what it holds on all its pages.
    pub(crate) async fn all(&self, path: &str, limit: usize) -> Vec<Value> {
        let mut found = Vec::new();
        let mut next = format!("{path}{}limit={limit}", if path.contains('?') { '&' } else { '?' });
        let first = next.clone();
        loop {
            let answer = self.get(&next).await;
            assert_eq!(answer.status, 200, "{next}: {}", answer.text());
            let page = answer.json();
            let data = page["data"].as_array().unwrap();
            assert!(data.len() <= limit && (data.len() == limit || page["next_cursor"].is_null()), "{page}");
            found.extend(data.iter().cloned());
            let Some(cursor) = page["next_cursor"].as_str() else { return found };
            next = format!("{first}&cursor={}", encoded(cursor));
        }
    }
}

/// A text as one segment of a path or one value of a query.
pub(crate) fn encoded(name: &str) -> String {
    utf8_percent_encode(name, NON_ALPHANUMERIC).to_string()
}

/// A field of each item of a list.
pub(crate) fn each<'a>(items: &'a [Value], field: &str) -> Vec<&'a Value> {
    items.iter().map(|item| &item[field]).collect()
}
