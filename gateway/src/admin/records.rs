//! `/records` and `/outbox`: how the keeping of records goes, and what operators do about it.

use analytics::outbox::{PoisonedRow, Which};
use analytics::{Outbox, OutboxCondition, Unavailable, clickhouse};
use axum::Json;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use registry::Deed;
use registry::audit::NO_PROJECT;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use vocab::Time;

use super::Admin;
use super::answer::List;
use super::description::NotFound;
use super::given::{Named, Sent, limit};
use super::permission::{Allowed, Operate, Read};
use crate::refusal::{Kind, Refusal};

/// The largest poisoned row that is shown whole.
const ROW_BYTES: usize = 64 * 1024;

pub(super) fn routes() -> OpenApiRouter<Admin> {
    OpenApiRouter::default()
        .routes(routes!(outbox_status))
        .routes(routes!(list_poisoned, drop_all_poisoned))
        .routes(routes!(drop_poisoned))
        .routes(routes!(retry_poisoned))
        .routes(routes!(compact_records))
}

/// What waits to be shipped to the record store, and how that goes, on the node that answers.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "kind": "outbox", "rows": 1200, "bytes": 1_048_576, "oldest": "2026-11-30T12:00:00.000000Z", "shipped": 81_200,
    "poisoned": 0, "shed": {"bodies": 0, "previews": 0, "successes": 0, "rows": 0},
    "trouble": "connection refused", "file_bytes": 2_097_152,
}))]
struct OutboxStatus {
    /// `outbox`, or `direct` where records go straight into the embedded store. Then only what an earlier
    /// configuration left in the outbox waits, and `trouble` says so.
    kind: &'static str,
    /// Rows that wait: calls, spans and scores.
    rows: u64,
    /// Bytes they take on disk.
    bytes: u64,
    /// When the oldest of them was committed.
    #[schema(value_type = Option<String>, format = DateTime)]
    oldest: Option<Time>,
    /// Rows shipped since the start.
    shipped: u64,
    /// Rows the store refused for what is in them; kept aside with the reason.
    poisoned: u64,
    /// What was given up since the start because the disk was full.
    shed: ShedBody,
    /// Why the last try to ship failed; null while shipping works.
    trouble: Option<String>,
    /// Bytes the files of records take on this node's disk.
    file_bytes: u64,
}

/// What was given up for want of room, in the order it is given up.
#[derive(Serialize, ToSchema)]
#[schema(as = Shed)]
struct ShedBody {
    /// Calls kept without bodies.
    bodies: u64,
    /// Calls kept without previews, variables and metadata too.
    previews: u64,
    /// Successful calls not kept at all.
    successes: u64,
    /// Other calls, spans and scores not kept.
    rows: u64,
}

/// How shipping goes
///
/// Of the node that answers: each has an outbox of its own.
#[utoipa::path(
    get, path = "/outbox", tag = "records",
    responses((status = 200, description = "What waits", body = OutboxStatus)),
)]
async fn outbox_status(_allowed: Allowed<Read>, State(admin): State<Admin>) -> Json<OutboxStatus> {
    let condition = admin.app.store.condition();
    let kind = if condition.outbox.is_some() { "outbox" } else { "direct" };
    let shed = condition.shed;
    let OutboxCondition { rows, bytes, oldest, shipped, poisoned, trouble } =
        condition.outbox.or_else(|| admin.app.leftovers.outbox()).unwrap_or_default();
    let shed =
        ShedBody { bodies: shed.bodies, previews: shed.previews, successes: shed.successes, rows: shed.rows };
    let file_bytes = condition.file_bytes;
    Json(OutboxStatus { kind, rows, bytes, oldest, shipped, poisoned, shed, trouble, file_bytes })
}

/// A row the store refused for what is in it.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "id": 3, "table": "calls", "layout": 1, "refused_at": "2026-11-30T12:00:00.000000Z",
    "reason": "Code: 27. Cannot parse input", "bytes": 812, "row": "AZqi2FoAfD6dWw9sKhs8TQ==",
    "columns": {"project": "default", "started_at": "2026-11-30T11:59:58.000000Z", "id": "019aa2d8-5a00-7c3e-9d5b-0f6c2a1b3c4d"},
}))]
struct Poisoned {
    /// Its number on this node.
    id: i64,
    /// The table it was meant for.
    table: &'static str,
    /// Which columns it has.
    layout: u32,
    /// When it was refused.
    #[schema(value_type = String, format = DateTime)]
    refused_at: Time,
    /// Why.
    reason: String,
    /// How large it is.
    bytes: usize,
    /// The row as it was sent, in base64; null when it has more than 64 KiB.
    row: Option<String>,
    /// What it says, column by column: texts of more than 1,000 bytes and lists of more than 100 items by their
    /// beginning, and of a row that is broken what stands before the break. Null when a newer Weir wrote it.
    #[schema(value_type = Option<Object>)]
    columns: Option<Value>,
}

impl From<PoisonedRow> for Poisoned {
    fn from(poisoned: PoisonedRow) -> Self {
        let columns = clickhouse::readable(&poisoned);
        let PoisonedRow { id, table, layout, at, reason, row } = poisoned;
        let bytes = row.len();
        let row = (bytes <= ROW_BYTES).then(|| STANDARD.encode(row));
        Self { id, table: table.as_str(), layout, refused_at: at, reason, bytes, row, columns }
    }
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct PoisonedQuery {
    /// The most rows.
    #[param(minimum = 1, maximum = 1000, default = 50)]
    limit: Option<u32>,
}

/// List poisoned rows, newest first
///
/// What the store refused for what is in it, set aside so that everything else goes in; of the node that answers.
/// They hold what callers sent, so that it takes an admin to see them.
#[utoipa::path(
    get, path = "/outbox/poisoned", tag = "records", params(PoisonedQuery),
    responses((status = 200, description = "The rows, on one page", body = List<Poisoned>)),
)]
async fn list_poisoned(
    allowed: Allowed<Operate, PoisonedQuery>,
    State(admin): State<Admin>,
) -> Result<Json<List<Poisoned>>, Refusal> {
    allowed.everywhere()?;
    let most = limit(allowed.asked.limit)?.get();
    let rows = in_outbox(&admin, Vec::new(), move |outbox| outbox.poisoned(most)).await?;
    Ok(Json(List::whole(rows.into_iter().map(Poisoned::from).collect())))
}

/// How many rows were deleted.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"dropped": 1}))]
struct Dropped {
    /// How many.
    dropped: u64,
}

/// Delete all poisoned rows
#[utoipa::path(
    delete, path = "/outbox/poisoned", tag = "records",
    responses((status = 200, description = "They are gone", body = Dropped)),
)]
async fn drop_all_poisoned(
    allowed: Allowed<Operate>,
    State(admin): State<Admin>,
) -> Result<Json<Dropped>, Refusal> {
    witness(&admin, &allowed, "outbox.dropped", "all").await?;
    let dropped = in_outbox(&admin, 0, |outbox| outbox.drop_poisoned(Which::All)).await?;
    Ok(Json(Dropped { dropped }))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
struct PoisonedPath {
    /// The row's number.
    #[param(example = 3)]
    id: String,
}

/// Delete a poisoned row
#[utoipa::path(
    delete, path = "/outbox/poisoned/{id}", tag = "records", params(PoisonedPath),
    responses((status = 200, description = "It is gone", body = Dropped), NotFound),
)]
async fn drop_poisoned(
    allowed: Allowed<Operate>,
    State(admin): State<Admin>,
    Named(PoisonedPath { id }): Named<PoisonedPath>,
) -> Result<Json<Dropped>, Refusal> {
    let number = id.parse().map_err(|_| no_row(&id))?;
    witness(&admin, &allowed, "outbox.dropped", &id).await?;
    match in_outbox(&admin, 0, move |outbox| outbox.drop_poisoned(Which::One(number))).await? {
        0 => Err(no_row(&id)),
        dropped => Ok(Json(Dropped { dropped })),
    }
}

/// Which rows to send once more.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"id": 3}))]
struct Retry {
    /// The row's number; all rows when absent.
    id: Option<i64>,
}

/// How many rows are sent once more.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"retried": 1}))]
struct Retried {
    /// How many.
    retried: u64,
}

/// Send poisoned rows once more
///
/// After whatever was wrong with them or their table was mended. What is refused again is set aside again.
#[utoipa::path(
    post, path = "/outbox/poisoned/retry", tag = "records", request_body = Retry,
    responses((status = 200, description = "They wait to be shipped", body = Retried), NotFound),
)]
async fn retry_poisoned(
    allowed: Allowed<Operate>,
    State(admin): State<Admin>,
    Sent(retry): Sent<Retry>,
) -> Result<Json<Retried>, Refusal> {
    let row = retry.id.map_or_else(|| "all".to_owned(), |id| id.to_string());
    witness(&admin, &allowed, "outbox.retried", &row).await?;
    let which = retry.id.map_or(Which::All, Which::One);
    let retried = in_outbox(&admin, 0, move |outbox| outbox.retry_poisoned(which)).await?;
    match retry.id {
        Some(id) if retried == 0 => Err(no_row(&id.to_string())),
        _ => Ok(Json(Retried { retried })),
    }
}

/// Notes in the audit what is about to be done with poisoned rows, which may be any project's.
async fn witness(
    admin: &Admin,
    allowed: &Allowed<Operate>,
    action: &'static str,
    row: &str,
) -> Result<(), Refusal> {
    allowed.everywhere()?;
    let detail = json!({"node": admin.app.config.node, "row": row});
    let deed = Deed { action, target: format!("outbox/{row}"), detail };
    Ok(admin.app.registry.witness(NO_PROJECT, deed, &allowed.who).await?)
}

fn no_row(id: &str) -> Refusal {
    Refusal::new(Kind::NotFound, format!("there is no poisoned row `{}` on this node", id.escape_debug()))
}

/// Does something with the outbox, away from the threads that answer; without one there is `nothing`.
async fn in_outbox<T: Send + 'static>(
    admin: &Admin,
    nothing: T,
    work: impl FnOnce(&Outbox) -> Result<T, Unavailable> + Send + 'static,
) -> Result<T, Refusal> {
    let Some(outbox) = admin.app.store.outbox().cloned() else { return Ok(nothing) };
    let done = tokio::task::spawn_blocking(move || work(&outbox)).await;
    let away = |message| Refusal::new(Kind::Unavailable, message);
    match done {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(away("the outbox cannot be used right now: see the log").because(error)),
        Err(died) => Err(away("the outbox cannot be used right now").because(died)),
    }
}

/// What was given back.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"freed_bytes": 1_048_576}))]
struct Compacted {
    /// How many bytes.
    freed_bytes: u64,
}

/// Give room back to the disk
///
/// What deletions and retention left empty. Calls are recorded meanwhile; it takes seconds to minutes.
#[utoipa::path(
    post, path = "/records/compact", tag = "records",
    responses((status = 200, description = "It is done", body = Compacted)),
)]
async fn compact_records(
    allowed: Allowed<Operate>,
    State(admin): State<Admin>,
) -> Result<Json<Compacted>, Refusal> {
    allowed.everywhere()?;
    let freed_bytes = admin.app.store.compact().await?;
    Ok(Json(Compacted { freed_bytes }))
}
