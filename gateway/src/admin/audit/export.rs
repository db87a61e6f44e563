//! `/audit/export`: every entry as a line of JSON, oldest first, streamed page by page.

use std::io;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use http::header;
use http_body::Frame;
use http_body_util::StreamBody;
use registry::{AuditFilter, AuditHead, Registry};
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{Wanted, query_of_changes};
use crate::admin::Admin;
use crate::admin::calls::EXPORTS;
use crate::admin::permission::{Allowed, Read};
use crate::refusal::{Kind, Refusal};

/// How many entries are read at once; the largest have some 20 KiB.
const PAGE: u32 = 200;

pub(super) fn routes() -> OpenApiRouter<Admin> {
    OpenApiRouter::default().routes(routes!(export_audit))
}

query_of_changes! {
    /// Which changes to export.
    struct ExportQuery {
        /// Go on behind the entry with this number.
        #[param(minimum = 0)]
        after: Option<i64>,
        /// End with one more line, the receipt: `{"weir_audit": {"entries", "complete", "head"}}`.
        receipt: Option<bool>,
    }
}

/// Export changes
///
/// All that match up to now, oldest first, a line of JSON each. An answer that ends without the end of its HTTP
/// message, or without the receipt that was asked for, broke off: go on with `after`. The chain can be verified only
/// as a whole: with `all_projects`, and without other conditions.
#[utoipa::path(
    get, path = "/audit/export", tag = "audit", params(ExportQuery),
    responses(
        (status = 200, description = "The changes", content(
            (String = "application/x-ndjson", example = json!("{\"number\":1,\"action\":\"token.issued\"}\n")),
        )),
    ),
)]
async fn export_audit(
    mut allowed: Allowed<Read, ExportQuery>,
    State(admin): State<Admin>,
) -> Result<Response, Refusal> {
    let permit = admin.exports.clone().try_acquire_owned().map_err(|_| {
        let message = format!("{EXPORTS} exports are running: try again when one has ended");
        Refusal::new(Kind::Overloaded, message).retry_after(std::time::Duration::from_secs(5))
    })?;
    let asked = &mut allowed.asked;
    let (after, receipt) = (asked.after.unwrap_or(0), asked.receipt.unwrap_or(false));
    let filter = asked.wanted().filter(&admin, &allowed)?;
    let registry = admin.app.registry.clone();
    // What is written from here on is left to the next export: the receipt names an end that was reached.
    let (head, last) = registry.audit_head().await?;
    let mut export = Export {
        registry,
        filter,
        head,
        last,
        after,
        entries: 0,
        next: Next::Entries,
        receipt,
        _permit: permit,
    };
    // The first page comes before the head of the answer, so that what cannot be read is refused and not broken off.
    let first = export.next().await?;
    Ok(answer(export, first))
}

/// An export on its way.
struct Export {
    registry: Registry,
    filter: AuditFilter,
    head: AuditHead,
    last: i64,
    after: i64,
    entries: u64,
    next: Next,
    receipt: bool,
    _permit: OwnedSemaphorePermit,
}

enum Next {
    Entries,
    Receipt,
    Nothing,
}

impl Export {
    /// The next piece of the answer; `None` behind its end.
    async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        loop {
            match self.next {
                Next::Entries => {
                    let written = self.write_page().await?;
                    if !written.is_empty() {
                        return Ok(Some(written.into()));
                    }
                }
                Next::Receipt => {
                    self.next = Next::Nothing;
                    if self.receipt {
                        let receipt = json!({"entries": self.entries, "complete": true, "head": self.head});
                        return Ok(Some(format!("{}\n", json!({"weir_audit": receipt})).into()));
                    }
                }
                Next::Nothing => return Ok(None),
            }
        }
    }

    async fn write_page(&mut self) -> Result<Vec<u8>, Refusal> {
        let entries = self.registry.audit_after(&self.filter, self.after, self.last, PAGE).await?;
        let mut written = Vec::new();
        for entry in &entries {
            serde_json::to_writer(&mut written, entry).map_err(|error| {
                Refusal::new(Kind::Internal, "an entry could not be written out").because(error)
            })?;
            written.push(b'\n');
        }
        self.entries += entries.len() as u64;
        match entries.last() {
            Some(last) if entries.len() == PAGE as usize => self.after = last.number,
            Some(_) | None => self.next = Next::Receipt,
        }
        Ok(written)
    }
}

fn answer(export: Export, first: Option<Bytes>) -> Response {
    let pieces = stream::try_unfold((export, first), async |(mut export, first)| {
        let next = match first {
            Some(piece) => Some(piece),
            None => export.next().await.map_err(|refusal| broken(&refusal))?,
        };
        Ok::<_, io::Error>(next.map(|piece| (Frame::data(piece), (export, None))))
    });
    let body = Body::new(StreamBody::new(Box::pin(pieces)));
    let headers = [
        (header::CONTENT_TYPE, "application/x-ndjson"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"audit.jsonl\""),
    ];
    (headers, body).into_response()
}

/// What ends the answer before its end; the log has the reason.
fn broken(refusal: &Refusal) -> io::Error {
    refusal.log(&"export");
    io::Error::other(refusal.message().to_owned())
}
