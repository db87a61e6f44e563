//! `/prices`: what calls are reckoned with, and what a recorded price id meant.

use serde_json::json;

use crate::desk::{Desk, each};

#[tokio::test]
async fn a_price_is_looked_up_by_the_id_that_records_keep() {
    let desk = Desk::open().await;
    let rows = desk.get("/prices?provider=anthropic&model=claude-sonnet-4-5").await.json();
    let row = &rows["data"][0];
    assert_eq!(row["rates"]["input"], 3_000_000_000_u64);
    assert_eq!(row["rates"]["cache_write_1h"], 6_000_000_000_u64);
    assert_eq!(row["tiers"][0]["above"], 200_000);
    assert_eq!((&row["service"], &row["retired"]), (&json!(null), &json!(false)));
    assert_eq!(rows["data"][1]["service"], "batch");

    let id = row["id"].as_str().unwrap().replace('/', "%2F").replace('#', "%23");
    let same = desk.get(&format!("/prices?id={id}")).await.json();
    assert_eq!((&same["data"], &same["next_cursor"]), (&json!([row]), &json!(null)));
}

#[tokio::test]
async fn the_catalogue_comes_in_pages() {
    let desk = Desk::open().await;
    let demo = desk.all("/prices?provider=demo", 2).await;
    assert_eq!(each(&demo, "model"), ["demo-small", "demo-large", "demo-embed"]);
    assert_eq!(desk.get("/prices?provider=nobody").await.json()["data"], json!([]));
    for wrong in ["/prices?cursor=x", "/prices?limit=0", "/prices?colour=red"] {
        assert_eq!(desk.get(wrong).await.status, 400, "{wrong}");
    }
}
