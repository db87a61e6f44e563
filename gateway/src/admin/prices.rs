//! `/prices`: the rows of the price catalogue, and what a recorded `price_id` meant.

use axum::Json;
use axum::extract::State;
use dialects::prices::Listed;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Admin;
use super::answer::List;
use super::given;
use super::permission::{Allowed, Read};
use crate::refusal::{Kind, Refusal};

pub(super) fn routes() -> OpenApiRouter<Admin> {
    OpenApiRouter::default().routes(routes!(list_prices))
}

/// A row of the catalogue. It never changes: another price has another id.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({
    "id": "openai/gpt-4.1#2f1ff7f1", "provider": "openai", "model": "gpt-4.1", "service": null, "from": null,
    "source": "genai-prices 0.2.3 (https://pypi.org/project/genai-prices), MIT", "retired": false,
    "rates": {"input": 2_000_000_000_u64, "cached_input": 500_000_000, "output": 8_000_000_000_u64}, "tiers": [],
}))]
struct Price {
    /// What records keep as `price_id`.
    id: String,
    /// The provider that sells it.
    provider: String,
    /// The model's name in the catalogue.
    model: String,
    /// The service tier it holds for (`flex`, `priority`, `batch`, `fast`, …); null is the standard one.
    service: Option<String>,
    /// When it began to hold; null: it always did.
    #[schema(format = DateTime)]
    from: Option<String>,
    /// Where it comes from.
    source: String,
    /// Whether it stands only for what was recorded under its id.
    retired: bool,
    /// Nano-dollars per million of each class; a class that is absent costs what its parent does.
    #[schema(value_type = Object)]
    rates: Value,
    /// Other rates, for all tokens of a call with more input tokens than `above`.
    #[schema(value_type = Vec<Object>)]
    tiers: Value,
}

impl From<Listed<'_>> for Price {
    fn from(row: Listed<'_>) -> Self {
        let mut rates = row.rates();
        if let Some(members) = rates.as_object_mut() {
            members.retain(|_, rate| !rate.is_null());
        }
        Self {
            id: row.id.to_owned(),
            provider: row.provider.to_owned(),
            model: row.model.to_owned(),
            service: row.service.map(str::to_owned),
            from: row.from.map(|from| from.to_string()),
            source: row.source.to_owned(),
            retired: row.retired,
            rates,
            tiers: row.tiers(),
        }
    }
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct PriceQuery {
    /// The row with this id, retired or not.
    #[param(example = "openai/gpt-4.1#2f1ff7f1")]
    id: Option<String>,
    /// Rows of this provider.
    #[param(example = "openai")]
    provider: Option<String>,
    /// Rows of this model, by its name in the catalogue.
    #[param(example = "gpt-4.1")]
    model: Option<String>,
    /// How many to a page.
    #[param(minimum = 1, maximum = 1000, default = 50)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

impl PriceQuery {
    fn fits(&self, row: &Listed<'_>) -> bool {
        let is = |asked: &Option<String>, value: &str| asked.as_deref().is_none_or(|asked| asked == value);
        is(&self.id, row.id) && is(&self.provider, row.provider) && is(&self.model, row.model)
    }
}

/// List the prices calls are reckoned with
///
/// The operator's own rows come first. Calls whose `price_id` is `stated` cost what the provider itself said.
#[utoipa::path(
    get, path = "/prices", tag = "prices", params(PriceQuery),
    responses((status = 200, description = "A page of rows", body = List<Price>)),
)]
async fn list_prices(
    allowed: Allowed<Read, PriceQuery>,
    State(admin): State<Admin>,
) -> Result<Json<List<Price>>, Refusal> {
    let asked = allowed.asked;
    let limit = given::limit(asked.limit)?.get() as usize;
    let start = asked.cursor.as_deref().map_or(Ok(0), str::parse::<usize>).map_err(|_| {
        Refusal::new(Kind::InvalidRequest, "`cursor` is none of this list's: leave it out for the first page")
            .param("cursor")
    })?;
    let catalogue = admin.app.router.catalogue();
    let mut rows = catalogue.rows().filter(|row| asked.fits(row)).skip(start);
    let data: Vec<Price> = rows.by_ref().take(limit).map(Price::from).collect();
    let next_cursor = rows.next().map(|_| (start + limit).to_string());
    Ok(Json(List { data, next_cursor }))
}
