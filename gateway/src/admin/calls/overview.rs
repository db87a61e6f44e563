//! `/calls/count`, `/calls/values`, `/calls/fields`: what there is to search for.

use analytics::query::known::{self, Holds, Known};
use analytics::{Count, ValueCount};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::admin::Admin;
use crate::admin::answer::List;
use crate::admin::given::limit;
use crate::admin::permission::{Allowed, Read};
use crate::admin::searched::Sought;
use crate::refusal::{Kind, Refusal};

/// The longest beginning of a value.
const STARTS_WITH_BYTES: usize = 256;

pub(super) fn routes() -> OpenApiRouter<Admin> {
    OpenApiRouter::default()
        .routes(routes!(count_calls))
        .routes(routes!(call_values))
        .routes(routes!(call_fields))
}

/// How many calls match.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"calls": 1284, "complete": true}))]
struct CallCount {
    /// How many were counted.
    calls: u64,
    /// Whether that is all of them; false when time ran out first.
    complete: bool,
}

impl From<Count> for CallCount {
    fn from(count: Count) -> Self {
        let Count { calls, complete } = count;
        Self { calls, complete }
    }
}

/// Count calls
#[utoipa::path(
    get, path = "/calls/count", tag = "calls", params(Sought),
    responses((status = 200, description = "How many match", body = CallCount)),
)]
async fn count_calls(
    allowed: Allowed<Read, Sought>,
    State(admin): State<Admin>,
) -> Result<Json<CallCount>, Refusal> {
    let search = allowed.asked.search(&admin, allowed.project)?;
    Ok(Json(admin.app.store.count(search).await?.into()))
}

/// Which values to suggest.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ValuesQuery {
    /// A field of words, as in a search text.
    #[param(example = "metadata.tier")]
    field: String,
    /// Only values that begin so, case aside.
    #[param(example = "go")]
    starts_with: Option<String>,
    /// Only values of calls that match this search text.
    #[param(example = "provider:openai")]
    q: Option<String>,
    /// Only of calls that started then or later.
    #[param(example = "-7d")]
    from: Option<String>,
    /// Only of calls that started before.
    to: Option<String>,
    /// The most values.
    #[param(minimum = 1, maximum = 1000, default = 50)]
    limit: Option<u32>,
}

/// A value of a field.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"value": "gold", "calls": 210}))]
struct FieldValue {
    /// The value.
    value: String,
    /// The calls seen that have it.
    calls: u64,
}

impl From<ValueCount> for FieldValue {
    fn from(count: ValueCount) -> Self {
        let ValueCount { value, calls } = count;
        Self { value, calls }
    }
}

/// Suggest values of a field
///
/// The most frequent first, among the newest calls that match.
#[utoipa::path(
    get, path = "/calls/values", tag = "calls", params(ValuesQuery),
    responses((status = 200, description = "Values, on one page", body = List<FieldValue>)),
)]
async fn call_values(
    allowed: Allowed<Read, ValuesQuery>,
    State(admin): State<Admin>,
) -> Result<Json<List<FieldValue>>, Refusal> {
    let ValuesQuery { field, starts_with, q, from, to, limit: most } = allowed.asked;
    let refuse = |message: String, param| Refusal::new(Kind::InvalidRequest, message).param(param);
    let field = known::field(&field).map_err(|error| refuse(error.to_string(), "field"))?;
    let starts_with = starts_with.unwrap_or_default();
    if starts_with.len() > STARTS_WITH_BYTES {
        let message = format!("`starts_with` has more than {STARTS_WITH_BYTES} bytes: write less");
        return Err(refuse(message, "starts_with"));
    }
    let mut search = Sought { q, from, to }.search(&admin, allowed.project)?;
    search.limit = limit(most)?;
    let values = admin.app.store.values(search, field, starts_with).await?;
    Ok(Json(List::whole(values.into_iter().map(FieldValue::from).collect())))
}

/// A field of the search text.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "field": "latency", "holds": "duration", "says": "the whole call", "example": "latency>2s", "values": false,
}))]
struct SearchField {
    /// Its name; `<key>` and `<name>` stand for one's own.
    field: &'static str,
    /// What it holds.
    holds: HoldsWord,
    /// What that is.
    says: &'static str,
    /// A term with it.
    example: &'static str,
    /// Whether `/calls/values` suggests values of it.
    values: bool,
}

/// What a field holds.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = SearchFieldHolds)]
enum HoldsWord {
    Words,
    Number,
    Duration,
    Dollars,
}

impl From<&'static Known> for SearchField {
    fn from(known: &'static Known) -> Self {
        let holds = match known.holds {
            Holds::Words => HoldsWord::Words,
            Holds::Number => HoldsWord::Number,
            Holds::Duration => HoldsWord::Duration,
            Holds::Dollars => HoldsWord::Dollars,
        };
        let Known { name: field, says, example, .. } = *known;
        Self { field, holds, says, example, values: known.holds == Holds::Words && field != "id" }
    }
}

/// List the fields a search text may name
#[utoipa::path(
    get, path = "/calls/fields", tag = "calls",
    responses((status = 200, description = "All fields, on one page", body = List<SearchField>)),
)]
async fn call_fields(_allowed: Allowed<Read>) -> Json<List<SearchField>> {
    Json(List::whole(known::FIELDS.iter().map(SearchField::from).collect()))
}
