//! Rows for a terminal, in columns as wide as their widest cell.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [["a".to_owned(), "long cell".to_owned()], ["äöü".to_owned(), "x".to_owned()]];
        assert_eq!(lay_out(["id", "name"], &rows), "id   name\na    long cell\näöü  x");
    }
}
