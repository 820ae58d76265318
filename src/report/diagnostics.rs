//! Diagnostics as text with carets, and as JSON.

use std::collections::BTreeMap;
use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde_json::{Value, json};

use rgctl_schema::codes;
use rgctl_schema::diagnostic::{Diagnostic, Diagnostics, Severity, Source};

/// The texts that diagnostics point into, by name.
pub type Sources = BTreeMap<String, String>;

/// Whether text may carry colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// For a terminal.
    Yes,
    /// For files, pipes and `NO_COLOR`.
    No,
}

/// Lines shown around the place.
const CONTEXT_LINES: usize = 1;
/// A text is shown in so wide a terminal; longer lines are cut by the renderer around the place.
const WIDTH: usize = 120;

/// Collects texts by their names.
pub fn sources<'a>(all: impl IntoIterator<Item = &'a Source>) -> Sources {
    all.into_iter().map(|source| (source.name.clone(), source.text.clone())).collect()
}

/// All diagnostics with carets, each followed by an empty line.
pub fn text(found: &Diagnostics, sources: &Sources, colour: Colour) -> String {
    let mut out = String::new();
    for diagnostic in found {
        out.push_str(&one(diagnostic, sources.get(&diagnostic.file).map(String::as_str), colour));
        out.push_str("\n\n");
    }
    out
}

/// One line that sums up: `2 errors, 1 warning in 3 files`.
pub fn summary(found: &Diagnostics, files: usize) -> String {
    let counted = |count: usize, one: &str| match count {
        0 => None,
        1 => Some(format!("1 {one}")),
        many => Some(format!("{many} {one}s")),
    };
    let parts: Vec<String> = [
        counted(found.count(Severity::Error), "error"),
        counted(found.count(Severity::Warning), "warning"),
        counted(found.count(Severity::Note), "note"),
    ]
    .into_iter()
    .flatten()
    .collect();
    // What could not be read counts: it was given, and something is wrong with it.
    let unread = found.iter().filter(|diagnostic| diagnostic.code == codes::UNREADABLE).count();
    let files = counted(files + unread, "file").unwrap_or_else(|| "no file".to_owned());
    if parts.is_empty() { format!("{files}: valid") } else { format!("{} in {files}", parts.join(", ")) }
}

/// As JSON, with a format name and version.
pub fn json(found: &Diagnostics) -> Value {
    json!({
        "format": "rgctl.diagnostics",
        "version": 1,
        "errors": found.count(Severity::Error),
        "warnings": found.count(Severity::Warning),
        "diagnostics": found,
    })
}

fn one(diagnostic: &Diagnostic, source: Option<&str>, colour: Colour) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let title = level.primary_title(diagnostic.message.as_str()).id(diagnostic.code.as_str());
    let window = source.map(|source| window(diagnostic, source));
    // A text that was not read has no line to show.
    let mut group: Group<'_> = match &window {
        None => Group::with_title(title),
        Some(window) => {
            let label = diagnostic.label.as_deref().unwrap_or_default();
            let annotation = AnnotationKind::Primary.span(window.span.clone()).label(label);
            let snippet = Snippet::source(window.text.as_str())
                .line_start(window.first_line)
                .path(diagnostic.file.as_str())
                .fold(false)
                .annotation(annotation);
            title.element(snippet)
        }
    };
    for note in &diagnostic.notes {
        group = group.element(Level::NOTE.message(note.as_str()));
    }
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(help.as_str()));
    }
    let renderer = match colour {
        Colour::Yes => Renderer::styled(),
        Colour::No => Renderer::plain(),
    };
    renderer.decor_style(DecorStyle::Ascii).term_width(WIDTH).render(&[group])
}

/// The lines around a place, so that a long file is not copied into each diagnostic.
struct Window {
    text: String,
    first_line: usize,
    span: Range<usize>,
}

fn window(diagnostic: &Diagnostic, source: &str) -> Window {
    let clamped = Source::new("", source).clamp(diagnostic.span);
    // A caret spans one line: of a longer place only its first line is underlined.
    let head = source.get(..clamped.start).unwrap_or_default();
    let tail = source.get(clamped.start..).unwrap_or_default();
    let line_start = head.rfind('\n').map_or(0, |newline| newline + 1);
    let line_end = clamped.start + tail.find('\n').unwrap_or(tail.len());
    let mut start = line_start;
    let mut first_line = head.matches('\n').count() + 1;
    for _ in 0..CONTEXT_LINES {
        if start > 0 {
            start =
                source.get(..start - 1).and_then(|text| text.rfind('\n')).map_or(0, |newline| newline + 1);
            first_line -= 1;
        }
    }
    let text = source.get(start..line_end).unwrap_or_default().replace('\t', " ");
    let from = clamped.start - start;
    let to = clamped.end.min(line_end) - start;
    Window { text, first_line, span: from..to.max(from) }
}
