//! `/calls/export`: every matching call, streamed page by page, so that memory stays the same however many there are.
//!
//! An export that breaks never looks whole: its HTTP message has no end, and its receipt is missing.

mod columns;
mod rows;

use std::io;

use analytics::Cursor;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use http::header;
use http_body::Frame;
use http_body_util::StreamBody;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::admin::Admin;
use crate::admin::permission::{Allowed, Read};
use crate::admin::searched::{Sought, cursor};
use crate::arriving;
use crate::refusal::{Kind, Refusal};
pub(in crate::admin) use columns::is_column;
use rows::{Export, Format, Wanted};

/// How many exports run at once; further ones are refused.
pub(in crate::admin) const EXPORTS: usize = 4;
/// What an export says of itself behind its end, for those who send `te: trailers`.
const TRAILERS: &str = "weir-export-rows, weir-export-cursor";

pub(super) fn routes() -> OpenApiRouter<Admin> {
    OpenApiRouter::default().routes(routes!(export_calls))
}

/// What to export, and from where on.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ExportQuery {
    /// Search text, as for `GET /calls`.
    #[param(example = "tag:checkout")]
    q: Option<String>,
    /// The earliest start, itself included.
    #[param(example = "-7d")]
    from: Option<String>,
    /// The latest start, itself excluded.
    to: Option<String>,
    /// `jsonl`: a line for each call with its bodies and attempts, as `GET /calls/{id}` answers it. `csv`: its
    /// columns, without bodies.
    #[param(inline)]
    format: Option<FormatWord>,
    /// The most rows; all when absent.
    #[param(minimum = 1)]
    limit: Option<u64>,
    /// Go on behind the call with this id: the last whole row of an export that broke off. A CSV that goes on has no
    /// line of headings.
    after: Option<String>,
    /// Go on where an export stopped at its `limit`: the `cursor` of its receipt.
    cursor: Option<String>,
    /// End with one more line, the receipt: `{"weir_export": {"rows", "complete", "cursor"}}`, in CSV behind `# `.
    receipt: Option<bool>,
}

#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum FormatWord {
    Jsonl,
    Csv,
}

/// Export calls
///
/// All that match, newest first, in one answer. The trailers `weir-export-rows` and `weir-export-cursor` (sent to
/// those who ask with `te: trailers`) and the receipt say how many rows there were and, when a `limit` ended it, where
/// to go on. An answer that ends without the end of its HTTP message broke off: go on with `after`.
#[utoipa::path(
    get, path = "/calls/export", tag = "calls", params(ExportQuery),
    responses(
        (status = 200, description = "The calls", content(
            (String = "application/x-ndjson", example = json!("{\"id\":\"019aa2d8-5a00-7c3e-9d5b-0f6c2a1b3c4d\"}\n")),
            (String = "text/csv", example = json!("id,project\n019aa2d8-5a00-7c3e-9d5b-0f6c2a1b3c4d,default\n")),
        )),
    ),
)]
async fn export_calls(
    allowed: Allowed<Read, ExportQuery>,
    State(admin): State<Admin>,
) -> Result<Response, Refusal> {
    let ExportQuery { q, from, to, format, limit, after, cursor: place, receipt } = allowed.asked;
    let permit = admin.exports.clone().try_acquire_owned().map_err(|_| {
        let message = format!("{EXPORTS} exports are running: try again when one has ended");
        Refusal::new(Kind::Overloaded, message).retry_after(std::time::Duration::from_secs(5))
    })?;
    if limit == Some(0) {
        return Err(Refusal::new(Kind::InvalidRequest, "`limit` must be 1 or more").param("limit"));
    }
    let mut search = Sought { q, from, to }.search(&admin, allowed.project.clone())?;
    search.cursor = match (after, place) {
        (None, None) => None,
        (None, Some(place)) => Some(cursor(&place)?),
        (Some(id), None) => Some(behind(&admin, &allowed.project, &id).await?),
        (Some(_), Some(_)) => {
            let message = "go on `after` a call or at a `cursor`, not both";
            return Err(Refusal::new(Kind::InvalidRequest, message).param("cursor"));
        }
    };
    arriving::settled(&admin.app).await?;
    let format = match format {
        None | Some(FormatWord::Jsonl) => Format::Jsonl,
        Some(FormatWord::Csv) => Format::Csv { headings: search.cursor.is_none() },
    };
    let mut export = Export::new(
        &admin.app,
        search,
        format,
        Wanted { rows: limit, receipt: receipt.unwrap_or(false) },
        permit,
    );
    // The first page comes before the head, so that what cannot be read is refused and not broken off.
    let first = export.next().await?;
    Ok(answer(export, first))
}

/// The place behind a call that was exported already.
async fn behind(admin: &Admin, project: &str, id: &str) -> Result<Cursor, Refusal> {
    let unknown = || {
        let message = format!(
            "there is no call `{}` to go on after: it may have been deleted; start again, or go on after another",
            id.escape_debug()
        );
        Refusal::new(Kind::InvalidRequest, message).param("after")
    };
    let call = admin.app.store.get(id.parse().map_err(|_| unknown())?).await?;
    let call = call.filter(|call| call.row.project == project).ok_or_else(unknown)?;
    Ok(admin.app.store.behind(call.row.started_at, call.row.id))
}

fn answer(export: Export, first: Option<Frame<Bytes>>) -> Response {
    let format = export.format();
    let frames = stream::try_unfold((export, first), async |(mut export, first)| {
        let next = match first {
            Some(frame) => Some(frame),
            None => export.next().await.map_err(|refusal| broken(&refusal))?,
        };
        Ok::<_, io::Error>(next.map(|frame| (frame, (export, None))))
    });
    let body = Body::new(StreamBody::new(Box::pin(frames)));
    let headers = [
        (header::CONTENT_TYPE, format.content_type()),
        (header::CONTENT_DISPOSITION, format.disposition()),
        (header::TRAILER, TRAILERS),
    ];
    (headers, body).into_response()
}

/// What ends the answer before its end; the log has the reason.
fn broken(refusal: &Refusal) -> io::Error {
    refusal.log(&"export");
    io::Error::other(refusal.message().to_owned())
}
