//! Reading of tables: comma-separated text with a header line, quoted where a field holds a comma.
//!
//! Goes in: the text of a table and the columns that it must have. Comes out: rows, in order, or the table, line and
//! reason of the first one that cannot be read.

use super::CatalogError;

/// One line of a table, addressed by the position of its column.
pub(super) struct Row<'r> {
    record: &'r csv::StringRecord,
}

impl Row<'_> {
    /// The field in column `at`, without surrounding blanks; empty where the row is short.
    pub(super) fn text(&self, at: usize) -> &str {
        self.record.get(at).unwrap_or("").trim()
    }
    /// The field as an owned text.
    pub(super) fn owned(&self, at: usize) -> String {
        self.text(at).to_owned()
    }
    /// The field as a number; `unknown` and an empty field are no number, anything else is an error.
    pub(super) fn number<N: std::str::FromStr>(&self, at: usize) -> Result<Option<N>, String> {
        match self.text(at) {
            "" | "unknown" => Ok(None),
            text => text.parse().map(Some).map_err(|_| format!("`{text}` is not a number")),
        }
    }
}

/// Reads `text` as a table with exactly these columns and hands each row to `keep`.
pub(super) fn read_table(
    table: &'static str,
    text: &str,
    columns: &[&str],
    mut keep: impl FnMut(&Row<'_>) -> Result<(), String>,
) -> Result<(), CatalogError> {
    let bad = |line: u64, problem: String| CatalogError::BadRow { table, line, problem };
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    let mut record = csv::StringRecord::new();
    let mut header = true;
    loop {
        let line = reader.position().line();
        match reader.read_record(&mut record) {
            Ok(false) if header => return Err(bad(line, "the table is empty".to_owned())),
            Ok(false) => return Ok(()),
            Err(error) => return Err(bad(line, error.to_string())),
            Ok(true) if header => {
                header = false;
                if !record.iter().eq(columns.iter().copied()) {
                    return Err(bad(line, format!("expected the columns {}", columns.join(","))));
                }
            }
            Ok(true) => keep(&Row { record: &record }).map_err(|problem| bad(line, problem))?,
        }
    }
}

/// The names in the header line of a table.
pub(super) fn header_of(text: &str) -> Vec<&str> {
    text.lines().next().unwrap_or("").split(',').collect()
}
