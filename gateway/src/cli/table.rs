//! Rows for a terminal, in columns as wide as their widest cell, and facts about one thing, one to a line.

use serde_json::Value;

/// How much of a time is shown: to the second.
const TIME_CHARS: usize = 19;

/// The rows under their headings, two blanks between columns.
pub(super) fn lay_out<const N: usize>(headings: [&str; N], rows: &[[String; N]]) -> String {
    lay_out_any(&headings.map(str::to_owned), rows)
}

/// The same, of as many columns as there are headings.
pub(super) fn lay_out_any(headings: &[String], rows: &[impl AsRef<[String]>]) -> String {
    let mut widths: Vec<usize> = headings.iter().map(|heading| heading.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row.as_ref()) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &[String]| {
        let padded: Vec<String> =
            cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:0$}", *width)).collect();
        padded.join("  ").trim_end().to_owned()
    };
    let mut lines = vec![line(headings)];
    lines.extend(rows.iter().map(|row| line(row.as_ref())));
    lines.join("\n")
}

/// Items under headings, each column a field of theirs.
pub(super) fn of_fields<const N: usize>(columns: [(&str, &str); N], items: &[Value]) -> String {
    let rows: Vec<[String; N]> =
        items.iter().map(|item| columns.map(|(_, field)| field_cell(item, field))).collect();
    lay_out(columns.map(|(heading, _)| heading), &rows)
}

/// Some fields of one thing, a line each.
pub(super) fn facts<const N: usize>(fields: [(&str, &str); N], item: &Value) -> String {
    let rows = fields.map(|(name, field)| [name.to_owned(), field_cell(item, field)]);
    lines(&rows)
}

/// Names and what they stand for, a line each.
pub(super) fn lines(rows: &[[String; 2]]) -> String {
    let width = rows.iter().map(|[name, _]| name.chars().count()).max().unwrap_or_default();
    let line = |[name, value]: &[String; 2]| format!("{name:width$}  {value}");
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A field as a cell; one that is named like a time is shown to the second.
pub(super) fn field_cell(item: &Value, field: &str) -> String {
    match item[field].as_str() {
        Some(time) if field == "at" || field.ends_with("_at") => {
            time.chars().take(TIME_CHARS).collect::<String>().replace('T', " ")
        }
        _ => cell(&item[field]),
    }
}

/// A value on one line: texts as they are, lists and objects with their items side by side, `-` for nothing.
pub(super) fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        Value::Number(number) => number.to_string(),
        // What people wrote cannot move the cursor or colour the terminal.
        Value::String(text) => text.replace(char::is_control, " "),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => {
            let pairs = fields.iter().map(|(name, value)| format!("{name}={}", cell(value)));
            pairs.collect::<Vec<_>>().join(", ")
        }
    };
    if text.is_empty() { "-".to_owned() } else { text }
}

/// A list that opens something: `all` where there is none.
pub(super) fn scope(list: &Value) -> String {
    match list.as_array().map(Vec::len) {
        None => "all".to_owned(),
        Some(0) => "none".to_owned(),
        Some(_) => cell(list),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [["a".to_owned(), "long cell".to_owned()], ["äöü".to_owned(), "x".to_owned()]];
        assert_eq!(lay_out(["id", "name"], &rows), "id   name\na    long cell\näöü  x");
    }

    #[test]
    fn values_stand_on_one_line_and_move_no_cursor() {
        for (value, shown) in [
            (json!(null), "-"),
            (json!(""), "-"),
            (json!(true), "yes"),
            (json!(3), "3"),
            (json!("two\nlines \u{1b}[31mred"), "two lines  [31mred"),
            (json!([]), "-"),
            (json!(["a", "b"]), "a, b"),
            (json!({"production": 3, "staging": 4}), "production=3, staging=4"),
        ] {
            assert_eq!(cell(&value), shown, "{value}");
        }
        assert_eq!([&json!(null), &json!([]), &json!(["a"])].map(scope), ["all", "none", "a"]);
    }

    #[test]
    fn facts_show_times_to_the_second() {
        let item = json!({"name": "a", "created_at": "2026-11-30T12:00:00.123456Z"});
        let shown = facts([("name", "name"), ("created", "created_at"), ("gone", "gone_at")], &item);
        assert_eq!(shown, "name     a\ncreated  2026-11-30 12:00:00\ngone     -");
    }
}
