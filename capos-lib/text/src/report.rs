//! The same facts for people and for programs: an aligned table, or one JSON object per line.

use crate::json::Object;
use crate::table::{Align, Table};
use crate::units;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// One fact.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// Words.
    Text(String),
    /// A count.
    Number(i128),
    /// Yes or no.
    Flag(bool),
    /// Pages of memory; people see a size, programs the number of pages.
    Pages(u64),
    /// Nanoseconds; people see a span of time, programs the number.
    Span(u64),
    /// A number that people read in hexadecimal, with at least so many digits.
    Hex(u64, usize),
    /// There is none; people see nothing, programs `null`.
    Nothing,
}

impl Value {
    /// Words.
    pub fn text(text: &str) -> Value {
        Value::Text(String::from(text))
    }

    /// A count.
    pub fn number(number: impl Into<i128>) -> Value {
        Value::Number(number.into())
    }

    /// As people read it.
    pub fn shown(&self) -> String {
        match self {
            Value::Text(text) => text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect(),
            Value::Number(number) => format!("{number}"),
            Value::Flag(flag) => String::from(if *flag { "yes" } else { "no" }),
            Value::Pages(pages) => units::pages(*pages),
            Value::Span(ns) => units::duration(*ns),
            Value::Hex(number, digits) => format!("{number:0digits$x}"),
            Value::Nothing => String::new(),
        }
    }

    fn add_to(&self, object: Object, name: &str) -> Object {
        match self {
            Value::Text(text) => object.text(name, text),
            Value::Number(number) => object.number(name, *number),
            Value::Flag(flag) => object.flag(name, *flag),
            Value::Nothing => object.raw(name, "null"),
            Value::Pages(number) | Value::Span(number) | Value::Hex(number, _) => {
                object.number(name, *number)
            }
        }
    }
}

/// Rows of facts under common names.
pub struct Report {
    kind: &'static str,
    columns: Vec<(&'static str, Align)>,
    rows: Vec<Vec<Value>>,
    /// Rows that were not taken any more.
    left_out: usize,
    /// A single row is shown with a line for each column.
    stands: bool,
}

impl Report {
    /// Most rows; the rest is counted. Output must stay bounded whatever it is about.
    pub const MAX_ROWS: usize = 256;

    /// A report of this kind with these columns. The names are those of the JSON fields.
    pub fn new(kind: &'static str, columns: &[(&'static str, Align)]) -> Self {
        Report { kind, columns: columns.to_vec(), rows: Vec::new(), left_out: 0, stands: false }
    }

    /// A report of one row, shown with a line for each column.
    pub fn of_one(
        kind: &'static str,
        columns: &[(&'static str, Align)],
        row: impl IntoIterator<Item = Value>,
    ) -> Self {
        let mut report = Report { stands: true, ..Report::new(kind, columns) };
        report.row(row);
        report
    }

    /// Appends a row, in the order of the columns.
    pub fn row(&mut self, row: impl IntoIterator<Item = Value>) {
        if self.rows.len() < Self::MAX_ROWS {
            self.rows.push(row.into_iter().collect());
        } else {
            self.left_out += 1;
        }
    }

    /// Whether no more rows are taken: a caller who pays for each can stop.
    pub fn is_full(&self) -> bool {
        self.rows.len() >= Self::MAX_ROWS
    }

    /// What it is about.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// What stands in a row under that name.
    pub fn get(&self, row: usize, column: &str) -> Option<&Value> {
        let at = self.columns.iter().position(|(name, _)| *name == column)?;
        self.rows.get(row)?.get(at)
    }

    /// A table with headings.
    pub fn table(&self) -> String {
        match self.rows.as_slice() {
            [only] if self.stands => self.upright(only),
            rows => self.across(rows),
        }
    }

    /// One object per line, each with its `kind`.
    pub fn json(&self) -> String {
        let mut out = String::new();
        for row in &self.rows {
            let start = Object::new().text("kind", self.kind);
            let object = self
                .columns
                .iter()
                .zip(row)
                .fold(start, |object, ((name, _), value)| value.add_to(object, name));
            out.push_str(&object.finish());
            out.push('\n');
        }
        if self.left_out > 0 {
            let object = Object::new().text("kind", "left_out").number("rows", self.left_out as u64);
            out.push_str(&object.finish());
            out.push('\n');
        }
        out
    }

    fn across(&self, rows: &[Vec<Value>]) -> String {
        let headings: Vec<String> = self.columns.iter().map(|(name, _)| heading(name)).collect();
        let columns: Vec<(&str, Align)> = headings
            .iter()
            .zip(&self.columns)
            .map(|(heading, (_, align))| (heading.as_str(), *align))
            .collect();
        let mut table = Table::new(&columns);
        for row in rows {
            table.row(row.iter().map(Value::shown));
        }
        let mut out = table.render();
        if self.left_out > 0 {
            out.push_str(&format!("... and {} more\n", self.left_out));
        }
        out
    }

    fn upright(&self, row: &[Value]) -> String {
        let mut out = String::new();
        let width = self.columns.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for ((name, _), value) in self.columns.iter().zip(row) {
            let name = name.replace('_', " ");
            out.push_str(&format!("{name:width$}  {}\n", value.shown()));
        }
        out
    }
}

fn heading(name: &str) -> String {
    name.replace('_', " ").to_uppercase()
}
