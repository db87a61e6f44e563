//! An event as Slack's incoming webhooks take it: its one line, and a smaller one that says where it comes from.

use bytes::Bytes;
use registry::webhooks::Delivery;
use serde_json::json;

use super::Words;

/// The longest text of a block that Slack takes is 3,000 characters.
const TEXT_CHARS: usize = 2_900;

/// The message.
pub(super) fn message(delivery: &Delivery) -> Bytes {
    let words = Words::of(delivery);
    let summary = escaped(&words.summary);
    let from = escaped(&format!("{} · project {} · {}", words.event, words.project, words.at));
    let message = json!({
        "text": summary,
        "blocks": [
            {"type": "section", "text": {"type": "mrkdwn", "text": summary}},
            {"type": "context", "elements": [{"type": "mrkdwn", "text": from}]},
        ],
    });
    message.to_string().into()
}

/// Text that Slack shows as it is: `<!channel>` in a group's value must not call everybody.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars().take(TEXT_CHARS) {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            plain => escaped.push(plain),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_an_event_commands_slack() {
        assert_eq!(escaped("<!channel> a & b > c"), "&lt;!channel&gt; a &amp; b &gt; c");
        assert_eq!(escaped(&"x".repeat(5_000)).len(), TEXT_CHARS);
    }
}
