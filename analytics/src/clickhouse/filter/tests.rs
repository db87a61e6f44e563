//! What filters become: conditions whose words are ours, and parameters that are the caller's.

use clickhouse::Client;

use super::*;
use crate::query;

fn written(text: &str) -> String {
    Conditions::of(&query::parse(text).unwrap(), Some("default"))
        .columns
        .query(&Client::default())
        .sql_display()
        .to_string()
}

#[test]
fn nothing_a_caller_says_becomes_part_of_the_statement() {
    let said = "it's; DROP-TABLE {calls:Identifier}";
    for field in
        ["model", "user", "tag", "metadata.\"x'y\"", "error", "prompt", "session", "trace", "id", "label"]
    {
        let sql = written(&format!("{field}:\"{said}\" -{field}:\"{said}\"*"));
        assert!(!sql.contains("DROP") && !sql.contains("x'y"), "{field}: {sql}");
    }
    let conditions = Conditions::of(&query::parse(&format!("\"{said}\" -\"{said}\"")).unwrap(), None);
    let sql = conditions.says.query(&Client::default()).sql_display().to_string();
    assert_eq!(sql, " AND said LIKE {p0:String}");
    assert_eq!(conditions.says_not, ["%it's; drop-table {calls:identifier}%"]);
}

#[test]
fn exact_words_are_looked_up_where_they_are_indexed() {
    assert_eq!(written("user:ann"), " AND ((has(words, {p0:String})))");
    assert_eq!(written("trace:0af7651916cd43dd8448eb211c80319c"), {
        " AND (trace_id = toFixedString(unhex({p0:String}), 16))"
    });
    assert_eq!(written("trace:none id:none"), " AND (0) AND (0)");
    assert!(written("-status:200").starts_with(" AND NOT ifNull((1 AND status = {p0:Int64}), 0)"));
}

#[test]
fn texts_are_patterns_in_which_nothing_has_a_meaning() {
    assert_eq!(containing("100%_\\"), "%100\\%\\_\\\\%");
}
