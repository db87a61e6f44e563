//! What price ids stand for, kept beside the calls: only ever added to.

use super::ask::Asker;
use super::sql::Sql;
use crate::store::{PriceRow, QueryError};

/// Prices to a statement.
const STEP: usize = 200;

/// Adds those whose ids are not there yet. Two nodes that do so at the same moment may both.
pub(super) async fn keep(asker: &Asker, prices: &[PriceRow]) -> Result<(), QueryError> {
    for prices in prices.chunks(STEP) {
        asker.run(&statement(prices)).await?;
    }
    Ok(())
}

fn statement(prices: &[PriceRow]) -> Sql {
    let mut sql =
        Sql::new("INSERT INTO prices (id, provider, model, price) SELECT row.1, row.2, row.3, row.4 FROM (");
    sql.push("SELECT arrayJoin([");
    for (n, price) in prices.iter().enumerate() {
        sql.push(if n > 0 { ", (" } else { "(" }).text(&*price.id).push(", ").text(&*price.provider);
        sql.push(", ").text(&*price.model).push(", ").text(&*price.price).push(")");
    }
    sql.push("]) AS row) WHERE row.1 NOT IN (SELECT id FROM prices)");
    sql
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use vocab::Clock;

    use super::super::scratch::Scratch;
    use super::*;

    fn price(n: usize, input: u32) -> PriceRow {
        PriceRow {
            id: format!("openai/m{n}#1"),
            provider: "openai".to_owned(),
            model: format!("m{n} 'quoted' ?"),
            price: format!("{{\"rates\":{{\"input\":{input}}}}}"),
        }
    }

    #[tokio::test]
    async fn a_price_is_written_down_once_and_stays_as_it_was() {
        let scratch = Scratch::new();
        let asker = Asker::new(Arc::new(scratch.connect()), Clock::system());
        let prices: Vec<_> = (0..450).map(|n| price(n, 7)).collect();
        keep(&asker, &prices).await.unwrap();
        let changed: Vec<_> = (440..460).map(|n| price(n, 8)).collect();
        keep(&asker, &changed).await.unwrap();
        assert_eq!(scratch.value("SELECT count(), uniqExact(id) FROM prices").await, "460\t460");
        let said =
            "SELECT model, JSONExtractUInt(price, 'rates', 'input') FROM prices WHERE id = 'openai/m445#1'";
        assert_eq!(scratch.value(said).await, "m445 \\'quoted\\' ?\t7");
        scratch.drop().await;
    }
}
