//! A table of text with aligned columns.

use std::fmt;

/// Which side of a column its cells stick to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// For names.
    Left,
    /// For figures.
    Right,
}

/// Rows under one heading. `Display` renders it, one line a row, without trailing blanks.
#[derive(Debug, Clone)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with its heading.
    pub fn new<const N: usize>(heading: [(&str, Column); N]) -> Table {
        Table {
            columns: heading.iter().map(|&(_, column)| column).collect(),
            rows: vec![heading.iter().map(|&(title, _)| title.to_owned()).collect()],
        }
    }

    /// Adds a row; missing cells are blank, cells without a column are left out.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().take(self.columns.len()).collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cell = |row: &[String], index: usize| row.get(index).cloned().unwrap_or_default();
        let width = |index| self.rows.iter().map(|row| cell(row, index).chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        for row in &self.rows {
            let mut line = String::new();
            for (index, (column, &width)) in self.columns.iter().zip(&widths).enumerate() {
                if index > 0 {
                    line.push_str(GAP);
                }
                match column {
                    Column::Left => line.push_str(&format!("{:<width$}", cell(row, index))),
                    Column::Right => line.push_str(&format!("{:>width$}", cell(row, index))),
                }
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

const GAP: &str = "   ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_to_the_left_and_figures_to_the_right() {
        let mut table = Table::new([("stage", Column::Left), ("count", Column::Right), ("p50", Column::Right)]);
        table.row(["created".into(), "1,000".into(), "850 µs".into()]);
        table.row(["Active".into(), "7".into()]);
        let expected = "\
stage     count      p50
created   1,000   850 µs
Active        7
";
        assert_eq!(table.to_string(), expected);
    }
}
