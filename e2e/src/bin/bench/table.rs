//! Tables that grow on the screen line by line, and end as Markdown.

use std::fmt::Write;

/// Width of the names of rows on the screen.
const NAME: usize = 34;
/// Width of a cell on the screen.
const CELL: usize = 12;

/// Numbers of one kind, a row for each thing that was measured.
#[derive(Debug)]
pub(crate) struct Table {
    title: String,
    columns: Vec<&'static str>,
    rows: Vec<(String, Vec<String>)>,
}

impl Table {
    /// Prints the title and the heads of the columns.
    pub(crate) fn new(title: impl Into<String>, columns: &[&'static str]) -> Self {
        let table = Self {
            title: title.into(),
            columns: columns.to_vec(),
            rows: Vec::new(),
        };
        println!("\n{}", line(&table.title, &table.columns));
        table
    }

    /// Prints a row. What isn't known is an empty cell.
    pub(crate) fn row(&mut self, name: impl Into<String>, cells: Vec<String>) {
        let name = name.into();
        println!("{}", line(&format!("  {name}"), &cells));
        self.rows.push((name, cells));
    }

    /// The same for a document.
    pub(crate) fn markdown(&self) -> String {
        let mut text = format!("| {} | {} |\n", self.title, self.columns.join(" | "));
        text += &format!("|---|{}\n", "---:|".repeat(self.columns.len()));
        for (name, cells) in &self.rows {
            // Writing to a String can't fail.
            let _ = writeln!(text, "| {name} | {} |", cells.join(" | "));
        }
        text
    }
}

fn line(name: &str, cells: &[impl AsRef<str>]) -> String {
    let mut line = format!("{name:<NAME$}");
    for cell in cells {
        let _ = write!(line, " {:>CELL$}", cell.as_ref());
    }
    line
}
