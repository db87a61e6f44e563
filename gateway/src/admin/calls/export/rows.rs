//! The rows of an export: a page of calls at a time, written out, then the receipt and the trailers.

use std::sync::Arc;

use analytics::{Cursor, Search, Store};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use http_body::Frame;
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;
use vocab::Limit;

use super::columns;
use crate::app::App;
use crate::refusal::{Kind, Refusal};

/// About how many bytes one page should come to; pages grow and shrink towards it.
const PAGE_BYTES: usize = 2 << 20;
/// How many calls the first page has, whose size nobody knows yet.
const FIRST_PAGE: u32 = 10;

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Whole calls, each a line of JSON.
    Jsonl,
    /// Columns without bodies.
    Csv {
        /// Whether the first line names them.
        headings: bool,
    },
}

impl Format {
    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::Jsonl => "application/x-ndjson",
            Self::Csv { .. } => "text/csv; charset=utf-8",
        }
    }

    pub(super) const fn disposition(self) -> &'static str {
        match self {
            Self::Jsonl => "attachment; filename=\"calls.jsonl\"",
            Self::Csv { .. } => "attachment; filename=\"calls.csv\"",
        }
    }
}

/// What is still wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// The most rows; `None` is all.
    pub(super) rows: Option<u64>,
    /// Whether a receipt comes at the end.
    pub(super) receipt: bool,
}

/// An export on its way.
pub(super) struct Export {
    store: Arc<dyn Store>,
    search: Search,
    format: Format,
    wanted: Wanted,
    rows: u64,
    page: u32,
    next: Next,
    _permit: OwnedSemaphorePermit,
}

/// What comes next.
enum Next {
    Rows,
    Receipt(Option<Cursor>),
    Trailers(Option<Cursor>),
    Nothing,
}

impl Export {
    pub(super) fn new(
        app: &App,
        search: Search,
        format: Format,
        wanted: Wanted,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        Self {
            store: Arc::clone(&app.store),
            search,
            format,
            wanted,
            rows: 0,
            page: FIRST_PAGE,
            next: Next::Rows,
            _permit: permit,
        }
    }

    pub(super) const fn format(&self) -> Format {
        self.format
    }

    /// The next piece of the answer; `None` behind its end.
    pub(super) async fn next(&mut self) -> Result<Option<Frame<Bytes>>, Refusal> {
        loop {
            match self.next {
                Next::Rows => {
                    let written = self.write_page().await?;
                    if !written.is_empty() {
                        return Ok(Some(Frame::data(written.into())));
                    }
                }
                Next::Receipt(cursor) => {
                    self.next = Next::Trailers(cursor);
                    if self.wanted.receipt {
                        return Ok(Some(Frame::data(self.receipt_line(cursor).into())));
                    }
                }
                Next::Trailers(cursor) => {
                    self.next = Next::Nothing;
                    return Ok(Some(Frame::trailers(self.trailers(cursor))));
                }
                Next::Nothing => return Ok(None),
            }
        }
    }

    async fn write_page(&mut self) -> Result<Vec<u8>, Refusal> {
        let most = self.wanted.rows.map_or(u64::from(Limit::MAX), |wanted| wanted.min(u64::from(Limit::MAX)));
        let page = self.page.min(u32::try_from(most).unwrap_or(Limit::MAX));
        self.search.limit = Limit::new(page).unwrap_or_default();
        let search = self.search.clone();
        let (rows, next_cursor, written) = match self.format {
            Format::Jsonl => {
                let page = self.store.export(search).await?;
                (page.rows.len(), page.next_cursor, lines(&page.rows)?)
            }
            Format::Csv { headings } => {
                let page = self.store.find(search).await?;
                self.format = Format::Csv { headings: false };
                (page.rows.len(), page.next_cursor, columns::write(&page.rows, headings).map_err(unwritten)?)
            }
        };
        self.rows += rows as u64;
        self.wanted.rows = self.wanted.rows.map(|wanted| wanted.saturating_sub(rows as u64));
        self.search.cursor = next_cursor;
        if next_cursor.is_none() || self.wanted.rows == Some(0) {
            self.next = Next::Receipt(next_cursor);
        }
        self.adapt(rows, written.len());
        Ok(written)
    }

    /// Makes the next page as many rows as should come to [`PAGE_BYTES`], and never many times the last one.
    fn adapt(&mut self, rows: usize, bytes: usize) {
        if rows == 0 {
            return;
        }
        let fitting = rows.saturating_mul(PAGE_BYTES) / bytes.max(1);
        let fitting = u32::try_from(fitting).unwrap_or(Limit::MAX);
        self.page = fitting.clamp(1, self.page.saturating_mul(4)).clamp(1, Limit::MAX);
    }

    fn receipt_line(&self, cursor: Option<Cursor>) -> String {
        let before = match self.format {
            Format::Jsonl => "",
            Format::Csv { .. } => "# ",
        };
        let receipt = json!({"rows": self.rows, "complete": cursor.is_none(), "cursor": cursor});
        format!("{before}{}\n", json!({ "weir_export": receipt }))
    }

    fn trailers(&self, cursor: Option<Cursor>) -> HeaderMap {
        let mut trailers = HeaderMap::new();
        trailers.insert("weir-export-rows", HeaderValue::from(self.rows));
        let cursor = cursor.and_then(|cursor| HeaderValue::from_str(&cursor.to_string()).ok());
        trailers.insert("weir-export-cursor", cursor.unwrap_or(HeaderValue::from_static("")));
        trailers
    }
}

fn lines(calls: &[analytics::FoundCall]) -> Result<Vec<u8>, Refusal> {
    let mut written = Vec::new();
    for call in calls {
        serde_json::to_writer(&mut written, call).map_err(unwritten)?;
        written.push(b'\n');
    }
    Ok(written)
}

fn unwritten(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Refusal {
    Refusal::new(Kind::Internal, "a call could not be written out").because(error)
}
