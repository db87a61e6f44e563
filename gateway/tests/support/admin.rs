//! What tests set up through the admin API: prompts, labels, keys.

use serde_json::{Value, json};

use super::client::{Answer, Call};
use super::harness::Harness;

impl Harness {
    /// A request to the admin API with the admin token; `path` is below `/api/v1`.
    pub fn admin(&self, method: &str, path: &str) -> Call {
        Call::new(self.admin_address(), method, &format!("/api/v1{path}")).key(self.admin_token())
    }

    /// Publishes a version, which makes the prompt if it is new, and returns it.
    pub async fn publish(&self, name: &str, version: Value) -> Value {
        let path = format!("/prompts/{}/versions", encoded(name));
        done(&self.admin("POST", &path).json(&version).send().await)
    }

    /// Publishes a version that says `text` in its system message, labelled `production`.
    pub async fn publish_saying(&self, name: &str, text: &str) -> Value {
        let messages = json!([{"role": "system", "content": text}]);
        self.publish(name, json!({"messages": messages, "model": "gpt-4o-mini", "labels": ["production"]}))
            .await
    }

    /// Makes a prompt that also answers to foreign ids.
    pub async fn create_prompt(&self, prompt: &Value) -> Value {
        done(&self.admin("POST", "/prompts").json(prompt).send().await)
    }

    /// Moves a label.
    pub async fn move_label(&self, name: &str, label: &str, version: u32) -> Value {
        let path = format!("/prompts/{}/labels/{label}", encoded(name));
        done(&self.admin("PUT", &path).json(&json!({ "version": version })).send().await)
    }

    /// Makes a virtual key and returns its id and its secret.
    pub async fn make_key(&self, key: &Value) -> (String, String) {
        let made = done(&self.admin("POST", "/keys").json(key).send().await);
        let text =
            |field: &str| made[field].as_str().unwrap_or_else(|| panic!("no {field} in {made}")).to_owned();
        (text("id"), text("secret"))
    }

    /// Makes a virtual key with this scope and returns its secret.
    pub async fn key(&self, mut scope: Value) -> String {
        scope["name"] = "for a test".into();
        self.make_key(&scope).await.1
    }

    /// Revokes a virtual key.
    pub async fn revoke(&self, id: &str) {
        let answer = self.admin("DELETE", &format!("/keys/{id}")).send().await;
        assert!((200..300).contains(&answer.status), "{}", answer.text());
    }
}

fn done(answer: &Answer) -> Value {
    assert!((200..300).contains(&answer.status), "{} {}", answer.status, answer.text());
    answer.json()
}

/// A prompt's name as one segment of a path.
fn encoded(name: &str) -> String {
    percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string()
}
