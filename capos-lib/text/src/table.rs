//! Columns that line up.

use alloc::string::String;
use alloc::vec::Vec;

/// To which side a column leans.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A table with a heading line.
pub struct Table {
    columns: Vec<Align>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings.
    pub fn new(columns: &[(&str, Align)]) -> Self {
        let heading = columns.iter().map(|(name, _)| String::from(*name)).collect();
        Table { columns: columns.iter().map(|(_, align)| *align).collect(), rows: alloc::vec![heading] }
    }

    /// Appends a row. Missing cells are empty, surplus ones are dropped.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().take(self.columns.len()).collect());
    }

    /// Whether it has no row besides its heading.
    pub fn is_empty(&self) -> bool {
        self.rows.len() <= 1
    }

    /// The table as lines, two spaces between columns, nothing behind the last.
    pub fn render(&self) -> String {
        let widths: Vec<usize> = (0..self.columns.len()).map(|column| self.width(column)).collect();
        let mut out = String::new();
        for row in &self.rows {
            let start = out.len();
            for ((index, align), width) in self.columns.iter().enumerate().zip(&widths) {
                if index > 0 {
                    out.push_str("  ");
                }
                put(&mut out, row.get(index).map_or("", String::as_str), *align, *width);
            }
            let line = out.split_off(start);
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }

    fn width(&self, column: usize) -> usize {
        self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    }
}

fn put(out: &mut String, cell: &str, align: Align, width: usize) {
    let padding = width.saturating_sub(cell.chars().count());
    let spaces = core::iter::repeat_n(' ', padding);
    match align {
        Align::Left => {
            out.push_str(cell);
            out.extend(spaces);
        }
        Align::Right => {
            out.extend(spaces);
            out.push_str(cell);
        }
    }
}
