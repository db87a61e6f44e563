//! The page behind a feedback link: a form without scripts, in the reader's colours, that runs nothing from elsewhere.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Response, StatusCode, header};
use sha2::{Digest as _, Sha256};

use super::link::Link;
use super::link::given::FIELD;
use crate::call::relay::Body;
use crate::refusal::Refusal;

/// The frame of the page, with places for its title and its contents.
const FRAME: &str = include_str!("page.html");
/// Its styles, named by their digest in the policy.
const STYLE: &str = include_str!("page.css");

/// Where a comment is written.
const COMMENT: &str = "<p><label for=\"comment\">Comment (optional)</label>\n\
    <textarea id=\"comment\" name=\"comment\" rows=\"4\" maxlength=\"2000\"></textarea></p>";

/// Nothing but these very styles and a form that posts to where it came from.
static POLICY: LazyLock<Option<HeaderValue>> = LazyLock::new(|| {
    let digest = STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    HeaderValue::from_str(&policy).ok()
});

/// The form of a link.
pub(super) fn form(link: &Link) -> Response<Body> {
    let mut parts = vec![format!("<h1>{}</h1>\n<form method=\"post\">", escaped(link.question()))];
    parts.extend(link.names().iter().enumerate().map(|(at, name)| fieldset(link, at, name)));
    if link.takes_comment() {
        parts.push(COMMENT.to_owned());
    }
    parts.push("<p><button type=\"submit\">Send</button></p>\n</form>".to_owned());
    page(StatusCode::OK, "Feedback", &parts.join("\n"))
}

fn fieldset(link: &Link, at: usize, name: &str) -> String {
    // Of one question an answer is needed; of several, any may be skipped.
    let required = if link.names().len() == 1 { " required" } else { "" };
    let name = escaped(name);
    let radio = |(choice, (value, label)): (usize, &(f64, String))| {
        let (id, label) = (format!("c{at}-{choice}"), escaped(label));
        format!(
            "<p><input type=\"radio\" id=\"{id}\" name=\"{FIELD}{name}\" value=\"{value}\"{required}>\n\
             <label for=\"{id}\">{label}</label></p>"
        )
    };
    let radios: Vec<String> = link.choices().iter().enumerate().map(radio).collect();
    format!("<fieldset>\n<legend>{name}</legend>\n{}\n</fieldset>", radios.join("\n"))
}

/// What is shown when the scores are filed.
pub(super) fn thanks() -> Response<Body> {
    page(
        StatusCode::CREATED,
        "Thank you",
        "<h1>Thank you</h1>\n<p role=\"status\">Your feedback was received. You can close this page.</p>",
    )
}

/// What is shown when a link does not work.
pub(super) fn refused(refusal: &Refusal) -> Response<Body> {
    let html = format!("<h1>That did not work</h1>\n<p role=\"alert\">{}</p>", sentence(refusal.message()));
    page(refusal.status(), "That did not work", &html)
}

/// A refusal's message as a sentence for people.
fn sentence(message: &str) -> String {
    let mut chars = message.chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    escaped(&format!("{first}{}.", chars.as_str()))
}

fn page(status: StatusCode, title: &str, contents: &str) -> Response<Body> {
    let html =
        FRAME.replace("{{style}}", STYLE).replace("{{title}}", title).replace("{{contents}}", contents);
    let mut response = Response::new(Body::plain(html));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert("x-robots-tag", HeaderValue::from_static("noindex"));
    if let Some(policy) = &*POLICY {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy.clone());
    }
    response
}

/// Text as HTML shows it, in elements and in quoted attributes.
fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            other => html.push(other),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text() {
        assert_eq!(escaped("<a href=\"x\">'&"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;");
    }

    #[test]
    fn a_refusal_reads_as_a_sentence() {
        assert_eq!(sentence("this link is <old>: ask again"), "This link is &lt;old&gt;: ask again.");
    }

    #[test]
    fn the_policy_names_the_styles_that_are_sent() {
        let policy = POLICY.as_ref().unwrap().to_str().unwrap();
        assert!(policy.contains(&STANDARD.encode(Sha256::digest(STYLE))) && !policy.contains("unsafe"));
        assert!(FRAME.contains("<style>{{style}}</style>"), "not a byte more or less than what is digested");
    }
}
