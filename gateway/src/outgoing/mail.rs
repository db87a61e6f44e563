//! An event as an e-mail, handed to the operator's mail server.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use anyhow::Context as _;
use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::transport::smtp::Error;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use registry::webhooks::Delivery;
use tokio::time::timeout;
use vocab::{Clock, Time};

use super::{Tried, Words, send::TRY_TIME};

/// The most mails one node hands over in a minute. More wait for the next one: a storm of alerts must not get the
/// server's sender blocked.
const PER_MINUTE: u32 = 30;
/// The longest subject, in characters.
const SUBJECT_CHARS: usize = 150;

/// The way to the mail server.
pub(super) struct Post {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    clock: Clock,
    minute: Mutex<Minute>,
}

/// How many mails were handed over since when.
struct Minute {
    began: Time,
    mails: u32,
}

impl Post {
    /// Prepares to send; connects to nobody.
    pub(super) fn new(smtp: &config::Smtp, clock: &Clock) -> anyhow::Result<Self> {
        let from = smtp.from.parse().context("smtp.from is no e-mail address: write name@example.com")?;
        // The error would repeat the URL, which holds a password.
        let Ok(transport) = AsyncSmtpTransport::<Tokio1Executor>::from_url(smtp.url.expose()) else {
            anyhow::bail!("smtp.url cannot be used: write smtps://user:password@host")
        };
        let minute = Mutex::new(Minute { began: clock.now(), mails: 0 });
        Ok(Self { transport: transport.timeout(Some(TRY_TIME)).build(), from, clock: clock.clone(), minute })
    }

    /// Hands one mail over.
    pub(super) async fn send(&self, delivery: &Delivery, address: &str) -> Tried {
        let message = match self.message(delivery, address) {
            Ok(message) => message,
            Err(error) => return Tried::hopeless(format!("the mail cannot be written: {error:#}")),
        };
        match timeout(TRY_TIME, self.transport.send(message)).await {
            Ok(Ok(_)) => Tried::Delivered { status: None },
            Ok(Err(error)) => judge(&error),
            Err(_) => {
                Tried::failed(format!("the mail server did not answer within {} s", TRY_TIME.as_secs()))
            }
        }
    }

    /// Whether one more may go now.
    pub(super) fn has_room(&self) -> bool {
        self.minute().mails < PER_MINUTE
    }

    /// Counts one that goes now.
    pub(super) fn count(&self) {
        self.minute().mails += 1;
    }

    /// The minute that is now.
    fn minute(&self) -> MutexGuard<'_, Minute> {
        let now = self.clock.now();
        let mut minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back starts a new minute too.
        if now >= minute.began.plus(Duration::from_mins(1)) || now < minute.began {
            *minute = Minute { began: now, mails: 0 };
        }
        minute
    }

    fn message(&self, delivery: &Delivery, address: &str) -> anyhow::Result<Message> {
        let words = Words::of(delivery);
        let line = words.summary.replace(char::is_control, " ");
        let subject: String = line.chars().take(SUBJECT_CHARS).collect();
        let text = format!(
            "{}\n\n{} in project {}, {}\n\nEvent {}\n",
            words.summary, words.event, words.project, words.at, delivery.event_id
        );
        let micros = u64::try_from(self.clock.now().micros()).unwrap_or_default();
        let host = self.from.email.domain();
        Ok(Message::builder()
            .from(self.from.clone())
            .to(address.parse()?)
            .date(UNIX_EPOCH + Duration::from_micros(micros))
            // The same for every try, so that a mail that arrives twice is one mail.
            .message_id(Some(format!("<{}@{host}>", delivery.id)))
            .subject(subject)
            .header(ContentType::TEXT_PLAIN)
            .body(text)?)
    }
}

/// A server's own words stay out: they may repeat the user's name.
fn judge(error: &Error) -> Tried {
    let status = error.status().map(|code| u16::from(code).into());
    if error.is_permanent() {
        let error = format!("the mail server refused it for good{}", with(status));
        return Tried::Hopeless { status, error };
    }
    let what = if error.is_transient() {
        "the mail server refused it for now"
    } else if error.is_timeout() {
        "the mail server did not answer in time"
    } else if error.is_tls() {
        "the mail server speaks no TLS that can be trusted"
    } else {
        "the mail server cannot be reached or does not speak SMTP"
    };
    Tried::Failed { status, error: format!("{what}{}", with(status)), after: None }
}

fn with(status: Option<u32>) -> String {
    status.map_or_else(String::new, |status| format!(" ({status})"))
}
