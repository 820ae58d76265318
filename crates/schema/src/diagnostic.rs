//! Problems with what a person wrote: code, place, what is wrong, what to do.
//!
//! All problems of all files are collected, sorted and shown at once, so that nobody fixes one per run. Rendering with
//! carets is done elsewhere; here is only the data.

use std::fmt;

use serde::Serialize;

use super::codes::Code;

/// How severe a problem is. Ordered: the most severe first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The document is refused.
    Error,
    /// Accepted, but probably not what was meant, or a risk to know.
    Warning,
    /// Worth knowing.
    Note,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        })
    }
}

/// A byte range in a text. **Invariant:** `start <= end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Mark {
    /// First byte.
    pub start: usize,
    /// Byte after the last.
    pub end: usize,
}

impl Mark {
    /// A range; an end before the start is taken as empty.
    pub fn new(start: usize, end: usize) -> Self {
        Self { start, end: end.max(start) }
    }
    /// The range from the start of this to the end of another.
    #[must_use]
    pub fn to(self, last: Self) -> Self {
        Self::new(self.start, self.end.max(last.end))
    }
}

/// A named text that a person wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// Path as the person gave it, or a name such as `regions/us-east-1.yaml (built in)`.
    pub name: String,
    /// The whole text.
    pub text: String,
}

impl Source {
    /// A text with its name.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into() }
    }

    /// The nearest range that lies within the text and on character boundaries.
    #[must_use]
    pub fn clamp(&self, mark: Mark) -> Mark {
        let floor = |place: usize| {
            let mut place = place.min(self.text.len());
            while !self.text.is_char_boundary(place) {
                place -= 1;
            }
            place
        };
        Mark::new(floor(mark.start), floor(mark.end))
    }

    /// Line and column of a byte, both counted from 1; columns count characters.
    pub fn position(&self, byte: usize) -> (usize, usize) {
        let byte = self.clamp(Mark::new(byte, byte)).start;
        let before = self.text.get(..byte).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.chars().rev().take_while(|&c| c != '\n').count() + 1;
        (line, column)
    }

    /// The text of a range; empty when it is outside.
    pub fn slice(&self, mark: Mark) -> &str {
        self.text.get(mark.start..mark.end).unwrap_or_default()
    }
}

/// One problem in one file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Diagnostic {
    /// File it is in.
    pub file: String,
    /// Where, as a byte range.
    pub span: Mark,
    /// How severe.
    pub severity: Severity,
    /// Which rule, such as `RG0102`.
    pub code: Code,
    /// Line of the first character, from 1.
    pub line: usize,
    /// Column of the first character, from 1.
    pub column: usize,
    /// Path within the document, such as `spec.stores[0].readers.min`.
    pub path: String,
    /// What is wrong, in one sentence without a final stop.
    pub message: String,
    /// What stands at the caret.
    pub label: Option<String>,
    /// What to do.
    pub help: Option<String>,
    /// What else is worth knowing: reasons, sources of a limit.
    pub notes: Vec<String>,
}

impl Diagnostic {
    /// A problem at a place.
    pub fn new(
        code: Code,
        severity: Severity,
        source: &Source,
        mark: Mark,
        message: impl Into<String>,
    ) -> Self {
        let span = source.clamp(mark);
        let (line, column) = source.position(span.start);
        Self {
            file: source.name.clone(),
            span,
            severity,
            code,
            line,
            column,
            path: String::new(),
            message: message.into(),
            label: None,
            help: None,
            notes: Vec::new(),
        }
    }
    /// With the text at the caret.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }
    /// With what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
    /// With one more remark.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }
    /// With the path within the document.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }
}

impl fmt::Display for Diagnostic {
    /// One line: `blueprints/x.yaml:12:5: error[RG0102]: unknown field `reader``.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}:{}: {}[{}]: {}",
            self.file, self.line, self.column, self.severity, self.code, self.message
        )
    }
}

/// A problem found in a typed value: it names a path, and gets its place in the text when it is reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which rule.
    pub code: Code,
    /// How severe.
    pub severity: Severity,
    /// Path within the document, such as `spec.stores[0].readers`; the nearest existing ancestor gets the caret.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What stands at the caret.
    pub label: Option<String>,
    /// What to do.
    pub help: Option<String>,
    /// What else is worth knowing.
    pub notes: Vec<String>,
}

impl Finding {
    /// Something that makes the document refused.
    pub fn error(code: Code, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Error, path, message)
    }
    /// Something accepted, but risky or probably not meant.
    pub fn warning(code: Code, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Warning, path, message)
    }
    fn new(code: Code, severity: Severity, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code,
            severity,
            path: path.into(),
            message: message.into(),
            label: None,
            help: None,
            notes: Vec::new(),
        }
    }
    /// With the text at the caret.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }
    /// With what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
    /// With one more remark.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }
    /// The finding at its place in a text.
    pub fn locate(self, source: &Source, mark: Mark) -> Diagnostic {
        let mut diagnostic = Diagnostic::new(self.code, self.severity, source, mark, self.message);
        diagnostic.path = self.path;
        diagnostic.label = self.label;
        diagnostic.help = self.help;
        diagnostic.notes = self.notes;
        diagnostic
    }
}

/// All problems found, in the order of files and places, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Diagnostics(Vec<Diagnostic>);

/// Longer than any list of remedies; what is longer quotes a value.
const TEXT_CHARS_MAX: usize = 2_000;

fn shorten(text: &mut String) {
    if let Some((end, _)) = text.char_indices().nth(TEXT_CHARS_MAX) {
        text.truncate(end);
        text.push('…');
    }
}

impl Diagnostics {
    /// Adds a problem; one that is already there is not added again. What it quotes of the text is cut: a value may have a
    /// million letters.
    pub fn push(&mut self, mut diagnostic: Diagnostic) {
        let texts = [Some(&mut diagnostic.message), diagnostic.label.as_mut(), diagnostic.help.as_mut()];
        texts.into_iter().flatten().chain(&mut diagnostic.notes).for_each(shorten);
        if let Err(place) = self.0.binary_search(&diagnostic) {
            self.0.insert(place, diagnostic);
        }
    }
    /// Adds all of another collection.
    pub fn merge(&mut self, other: Self) {
        for diagnostic in other.0 {
            self.push(diagnostic);
        }
    }
    /// In order of file and place.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }
    /// How many of a severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.0.iter().filter(|d| d.severity == severity).count()
    }
    /// Whether anything is an error.
    pub fn has_errors(&self) -> bool {
        self.count(Severity::Error) > 0
    }
    /// Whether there is nothing at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The candidate that a misspelt word most probably meant: the same but for case and separators, or few edits away.
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |text: &str| -> String {
        text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    let wanted = plain(word);
    // A third of the letters may be wrong; of very short words one.
    let limit = (wanted.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&wanted, &plain(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= limit && !candidate.is_empty())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes;

    #[test]
    fn a_value_of_a_million_letters_is_not_quoted_in_full() {
        let source = Source::new("a.yaml", "one\n");
        let long = "ü".repeat(1_000_000);
        let mut all = Diagnostics::default();
        let problem = Diagnostic::new(codes::UNKNOWN_FIELD, Severity::Error, &source, Mark::new(0, 1), &long);
        all.push(problem.help(&long).label(&long));
        let kept = all.iter().next().unwrap();
        assert_eq!(kept.message.chars().count(), TEXT_CHARS_MAX + 1);
        assert!(kept.help.as_ref().unwrap().ends_with("ü…") && kept.label.as_ref().unwrap().len() < 5_000);
    }

    #[test]
    fn problems_are_sorted_and_each_is_kept_once() {
        let source = Source::new("a.yaml", "one\ntwo: ü3\n");
        let mut all = Diagnostics::default();
        let late = Diagnostic::new(codes::UNKNOWN_FIELD, Severity::Error, &source, Mark::new(9, 11), "late");
        let early =
            Diagnostic::new(codes::UNKNOWN_FIELD, Severity::Warning, &source, Mark::new(0, 3), "early");
        all.push(late.clone());
        all.push(early);
        all.push(late);
        let shown: Vec<_> = all.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["a.yaml:1:1: warning[RG0102]: early", "a.yaml:2:6: error[RG0102]: late"]);
    }

    #[test]
    fn a_place_outside_the_text_is_moved_inside() {
        let source = Source::new("a", "ü");
        assert_eq!(source.clamp(Mark::new(1, 99)), Mark::new(0, 2));
        assert_eq!(source.position(99), (1, 2));
    }

    #[test]
    fn a_misspelt_word_finds_its_neighbour() {
        let words = ["peakConcurrent", "readers", "min"];
        assert_eq!(did_you_mean("peak_concurrent", words), Some("peakConcurrent"));
        assert_eq!(did_you_mean("reader", words), Some("readers"));
        assert_eq!(did_you_mean("whatever", words), None);
    }
}
