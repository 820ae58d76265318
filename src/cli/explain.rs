//! `rgctl explain`: what a field or a diagnostic code means, from the tables that read the documents.

use std::fmt::Write as _;
use std::io::{self, Write};

use clap::Args;

use super::error::Failure;
use super::exit::Exit;
use rgctl_blueprint::document::{KINDS, ParsedDocuments};
use rgctl_blueprint::places;
use rgctl_blueprint::schema;
use rgctl_schema::codes::{self, Code};
use rgctl_schema::diagnostic::did_you_mean;
use rgctl_schema::shape::{Row, Shape, Table};

/// Explain a kind of document, one of its fields, a diagnostic code, or a place: a region or a city.
#[derive(Args, Clone, Debug)]
pub struct ExplainArgs {
    /// `Blueprint`, `blueprint.spec.stores.readers`, `region.spec`, `RG0102`, `shanghai`.
    #[arg(value_name = "KIND[.FIELD...]|CODE|PLACE")]
    pub what: String,
}

/// Why there is nothing to explain.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// Writing it failed.
    #[error("cannot write the explanation")]
    Write(#[from] io::Error),
    /// No such thing.
    #[error("there is no `{what}`; {hint}")]
    Unknown {
        /// What was asked for.
        what: String,
        /// What there is.
        hint: String,
    },
}

impl From<ExplainError> for Failure {
    fn from(error: ExplainError) -> Self {
        match error {
            ExplainError::Write(error) => error.into(),
            error @ ExplainError::Unknown { .. } => Self::of(Exit::BadInput, &error),
        }
    }
}

/// Runs the command.
pub fn run(args: &ExplainArgs, out: &mut dyn Write, _err: &mut dyn Write) -> Result<u8, ExplainError> {
    write!(out, "{}", explain(&args.what)?)?;
    Ok(0)
}

/// The explanation of a path or a code.
pub fn explain(what: &str) -> Result<String, ExplainError> {
    let what = what.trim();
    if what.len() > 2 && what.get(..2).is_some_and(|head| head.eq_ignore_ascii_case("rg")) {
        if let Some(entry) = Code::find(what) {
            return Ok(format!("{}: {}\n\n{}\n", entry.code, entry.title, wrapped(entry.explanation, "")));
        }
        let all = codes::REGISTER.iter().map(|entry| entry.code.as_str());
        let hint = did_you_mean(what, all).map_or_else(
            || {
                let all: Vec<&str> = codes::REGISTER.iter().map(|entry| entry.code.as_str()).collect();
                format!("the codes are: {}", all.join(", "))
            },
            |near| format!("did you mean `{near}`?"),
        );
        // A kind may begin with the same letters, so only what looks like a code ends here.
        if what.chars().skip(2).all(|letter| letter.is_ascii_digit()) {
            return Err(ExplainError::Unknown { what: what.to_owned(), hint });
        }
    }
    let mut steps = what.split('.').filter(|step| !step.is_empty());
    let kind = steps.next().unwrap_or_default();
    let Some(shape) = schema::shape(kind) else {
        let shipped = ParsedDocuments::with_built_in_regions(&[]).regions;
        if let Some(page) = places::page(&shipped, what) {
            let lines: Vec<String> = page
                .lines()
                .map(|line| if line.len() > 100 { wrapped(line, "") } else { line.to_owned() })
                .collect();
            return Ok(format!("{}\n", lines.join("\n")));
        }
        let hint = did_you_mean(kind, KINDS).map_or_else(
            || format!("the kinds are: {}", KINDS.join(", ")),
            |near| format!("did you mean `{near}`?"),
        );
        return Err(ExplainError::Unknown { what: kind.to_owned(), hint });
    };
    descend(&shape, None, &steps.collect::<Vec<_>>(), kind)
}

fn descend(shape: &Shape, row: Option<&Row>, steps: &[&str], path: &str) -> Result<String, ExplainError> {
    let Some((step, rest)) = steps.split_first() else { return Ok(page(shape, row, path)) };
    // A list index may be copied from a diagnostic's path.
    let name = step.split('[').next().unwrap_or(step);
    let tables = shape.tables();
    if let Shape::OneOf { variants, .. } = shape
        && let Some((_, table)) = variants.iter().find(|(words, _)| words.contains(&name))
    {
        return descend(&Shape::Section(table.clone()), row, rest, &format!("{path}.{name}"));
    }
    if let Shape::List(inner) = shape {
        return descend(inner, row, steps, path);
    }
    let next = format!("{path}.{name}");
    // Sections of one kind share fields; each distinct explanation is shown once.
    let mut pages: Vec<(Vec<&'static str>, String)> = Vec::new();
    for (words, table) in &tables {
        let Some(row) = table.row(name) else { continue };
        let page = descend(&row.shape, Some(row), rest, &next)?;
        match pages.iter_mut().find(|(_, known)| *known == page) {
            Some((engines, _)) => engines.extend(words.unwrap_or_default()),
            None => pages.push((words.unwrap_or_default().to_vec(), page)),
        }
    }
    if pages.is_empty() {
        let fields: Vec<&str> =
            tables.iter().flat_map(|(_, table)| table.rows.iter().map(|row| row.name.as_str())).collect();
        let hint = did_you_mean(name, fields.iter().copied()).map_or_else(
            || {
                if fields.is_empty() {
                    format!("`{path}` has no fields")
                } else {
                    format!("the fields are: {}", unique(&fields))
                }
            },
            |near| format!("did you mean `{path}.{near}`?"),
        );
        return Err(ExplainError::Unknown { what: next, hint });
    }
    let single = pages.len() == 1;
    let all: Vec<String> =
        pages
            .into_iter()
            .map(|(engines, page)| {
                if single || engines.is_empty() { page } else { format!("# {}\n{page}", engines.join(", ")) }
            })
            .collect();
    Ok(all.join("\n"))
}

fn unique(words: &[&str]) -> String {
    let mut seen: Vec<&str> = Vec::new();
    for word in words {
        if !seen.contains(word) {
            seen.push(word);
        }
    }
    seen.join(", ")
}

fn page(shape: &Shape, row: Option<&Row>, path: &str) -> String {
    let mut out = format!("{path}\n");
    // Writing to a String cannot fail, here and below.
    if let Some(row) = row {
        let _ = writeln!(out, "  type:     {}", shape.type_name());
        let _ = writeln!(out, "  default:  {}", row.shown_default());
        if let Some(example) = row.shown_example() {
            let _ = writeln!(out, "  example:  {}: {example}", row.name);
        }
        let _ = writeln!(out, "\n{}", wrapped(row.doc, "  "));
    }
    body(shape, &mut out);
    out
}

fn body(shape: &Shape, out: &mut String) {
    match shape {
        Shape::Scalar(scalar) => {
            let _ = writeln!(out, "{}", wrapped(scalar.doc, "  "));
        }
        Shape::Choice(choice) => {
            let _ = writeln!(out, "\nWORDS");
            for (word, meaning) in &choice.words {
                let _ = writeln!(out, "  {word:<18} {meaning}");
            }
        }
        Shape::List(inner) | Shape::Map(inner) => body(inner, out),
        Shape::Section(table) => fields(table, out),
        Shape::OneOf { doc, tag, variants, .. } => {
            let _ = writeln!(out, "{}", wrapped(doc, "  "));
            for (words, table) in variants {
                let words: Vec<String> = words.iter().map(|word| format!("{tag}: {word}")).collect();
                let _ = writeln!(out, "\n{} — {}", words.join(" or "), table.doc);
                rows(table, out);
            }
        }
        Shape::Either(short, long) => {
            let _ = writeln!(out, "  Either {} or a section:", short.type_name());
            body(long, out);
        }
    }
}

fn fields(table: &Table, out: &mut String) {
    let _ = writeln!(out, "{}\n\nFIELDS", wrapped(table.doc, "  "));
    rows(table, out);
}

fn rows(table: &Table, out: &mut String) {
    let width = table.rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
    for row in &table.rows {
        let mark = if row.required { "*" } else { " " };
        let kind = match &row.shape {
            Shape::Choice(choice) if choice.words.len() > 3 => "word".to_owned(),
            other => other.type_name(),
        };
        let doc = row.doc.split(". ").next().unwrap_or(row.doc).trim_end_matches('.');
        let _ = writeln!(out, "  {mark} {:<width$}  {doc} ({kind})", row.name);
    }
    if table.rows.iter().any(|row| row.required) {
        let _ = writeln!(out, "  (* required)");
    }
}

/// Lines of at most 100 characters.
fn wrapped(text: &str, indent: &str) -> String {
    let mut out = String::from(indent);
    let mut column = indent.len();
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if column > indent.len() && column + 1 + length > 100 {
            out.push('\n');
            out.push_str(indent);
            column = indent.len();
        } else if column > indent.len() {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out
}
