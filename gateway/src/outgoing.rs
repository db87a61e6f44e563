//! What the gateway sends by itself: signed webhooks, Slack messages, e-mail. One try at a time; when to try again is
//! the business of whoever keeps the queue.
//!
//! Nothing here is a call: addresses come from people who manage the gateway, not from callers, and still may not
//! reach into the gateway's own network unless the operator allows it.

mod address;
mod mail;
mod send;
mod sign;
mod slack;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use config::Config;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use registry::webhooks::{Delivery, Format, Parcel, Receiver};
use vocab::{Clock, Secret};

use mail::Post;
use send::Client;

pub use sign::SIGNATURE;

const EVENT: HeaderName = HeaderName::from_static("weir-event");
const EVENT_ID: HeaderName = HeaderName::from_static("weir-event-id");
const DELIVERY_ID: HeaderName = HeaderName::from_static("weir-delivery-id");

/// Sends what is due, once.
pub struct Outgoing {
    client: Client,
    post: Option<Post>,
    clock: Clock,
}

/// How a try went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tried {
    /// The receiver took it.
    Delivered {
        /// The answer's status; `None` for e-mail.
        status: Option<u32>,
    },
    /// It did not, and may later.
    Failed {
        /// The answer's status, if there was one.
        status: Option<u32>,
        /// What went wrong, without secrets.
        error: String,
        /// How long the receiver wants to be left alone.
        after: Option<Duration>,
    },
    /// It never will.
    Hopeless {
        /// The answer's status, if there was one.
        status: Option<u32>,
        /// What went wrong, without secrets.
        error: String,
    },
}

impl Outgoing {
    /// Prepares to send. Opens no connection.
    pub fn new(config: &Config, clock: &Clock) -> anyhow::Result<Self> {
        let post = config.smtp.as_ref().map(|smtp| Post::new(smtp, clock)).transpose()?;
        Ok(Self { client: Client::new(config.webhooks.allow_private_addresses)?, post, clock: clock.clone() })
    }

    /// Whether e-mail can be sent at all.
    pub const fn has_mail(&self) -> bool {
        self.post.is_some()
    }

    /// Whether one more mail may be handed over in this minute. Without a mail server all may: they come to nothing.
    pub fn has_room_for_mail(&self) -> bool {
        self.post.as_ref().is_none_or(Post::has_room)
    }

    /// Counts a mail that is about to be handed over.
    pub fn count_mail(&self) {
        if let Some(post) = &self.post {
            post.count();
        }
    }

    /// Tries once to deliver, within a limit of time.
    pub async fn send(&self, parcel: &Parcel) -> Tried {
        let delivery = &parcel.delivery;
        match (&parcel.receiver, &self.post) {
            (None, _) => Tried::hopeless("the webhook was disabled or deleted meanwhile"),
            (Some(Receiver::Webhook { url, secret, format: Format::Weir }), _) => {
                self.webhook(delivery, url, secret).await
            }
            (Some(Receiver::Webhook { url, format: Format::Slack, .. }), _) => {
                self.slack(delivery, url).await
            }
            (Some(Receiver::Mail(address)), Some(post)) => post.send(delivery, address).await,
            (Some(Receiver::Mail(_)), None) => {
                Tried::hopeless("no mail server is configured: set smtp.url and smtp.from")
            }
        }
    }

    async fn webhook(&self, delivery: &Delivery, url: &Secret, secret: &Secret) -> Tried {
        let body = Bytes::copy_from_slice(delivery.body.as_bytes());
        let seconds = self.clock.now().micros().div_euclid(1_000_000);
        let signature = sign::signature(secret, seconds, &body);
        let texts = [
            (EVENT, delivery.event.to_string()),
            (EVENT_ID, delivery.event_id.to_string()),
            (DELIVERY_ID, delivery.id.to_string()),
            (SIGNATURE, signature),
        ];
        let mut headers = json_headers();
        for (name, text) in texts {
            let Ok(value) = HeaderValue::from_str(&text) else {
                return Tried::hopeless("the event's name cannot be sent in a header");
            };
            headers.insert(name, value);
        }
        self.client.post(url.expose(), headers, body).await
    }

    async fn slack(&self, delivery: &Delivery, url: &Secret) -> Tried {
        self.client.post(url.expose(), json_headers(), slack::message(delivery)).await
    }
}

fn json_headers() -> HeaderMap {
    let agent = HeaderValue::from_static(concat!("weir/", env!("CARGO_PKG_VERSION")));
    let json = HeaderValue::from_static("application/json");
    HeaderMap::from_iter([(header::CONTENT_TYPE, json), (header::USER_AGENT, agent)])
}

impl Tried {
    fn hopeless(error: impl Into<String>) -> Self {
        Self::Hopeless { status: None, error: error.into() }
    }

    fn failed(error: impl Into<String>) -> Self {
        Self::Failed { status: None, error: error.into(), after: None }
    }
}

/// The words of an event that are for people: its one line, and what belongs to it.
struct Words {
    summary: String,
    event: Arc<str>,
    project: Arc<str>,
    at: String,
}

impl Words {
    fn of(delivery: &Delivery) -> Self {
        let body: serde_json::Value = serde_json::from_str(&delivery.body).unwrap_or_default();
        let text = |field: &str| body[field].as_str().map(str::to_owned);
        Self {
            summary: text("summary").unwrap_or_else(|| delivery.event.to_string()),
            event: Arc::clone(&delivery.event),
            project: Arc::clone(&delivery.project),
            at: text("created_at").unwrap_or_else(|| delivery.created_at.to_string()),
        }
    }
}
