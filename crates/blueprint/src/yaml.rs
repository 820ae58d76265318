//! YAML text to trees with places. This is the one home of the YAML library, so that it can be exchanged in an hour.
//!
//! **Invariant:** bounded in size, depth and aliases; no input makes it panic.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_yaml::{Budget, DuplicateKeyPolicy, Location, MergeKeyPolicy, Options, Spanned};

use rgctl_schema::codes;
use rgctl_schema::diagnostic::{Diagnostic, Diagnostics, Mark, Severity, Source};
use rgctl_schema::node::{Data, MapEntry, Tree};

/// A blueprint of a large game has a few hundred lines; a mebibyte is beyond anything written by hand.
const TEXT_BYTES_MAX: usize = 1 << 20;
/// The deepest document of this tool has eight levels.
const DEPTH_MAX: usize = 32;
/// Aliases are a convenience; more than this is a bomb.
const ALIASES_MAX: usize = 100;
/// Nodes after expansion of aliases.
const EVENTS_MAX: usize = 100_000;

/// Reads all documents of a text. On a syntax error, which is reported, none is returned.
pub fn parse(source: &Source, found: &mut Diagnostics) -> Vec<Tree> {
    if source.text.len() > TEXT_BYTES_MAX {
        let size = source.text.len();
        found.push(
            Diagnostic::new(
                codes::NOT_YAML,
                Severity::Error,
                source,
                Mark::default(),
                format!("the file has {size} bytes, at most {TEXT_BYTES_MAX} are read"),
            )
            .help("split it into several files; `-f` can be given more than once"),
        );
        return Vec::new();
    }
    let read: Result<Vec<Spanned<Raw>>, _> =
        serde_yaml::from_str_multiple_with_options::<Spanned<Raw>, Vec<_>>(&source.text, options());
    match read {
        Ok(documents) => documents.into_iter().map(|document| grow(document, source, found)).collect(),
        Err(error) => {
            found.push(refusal(&error, source));
            Vec::new()
        }
    }
}

/// A value as YAML, for outputs. JSON is YAML, too, so that nothing is lost where the writer refuses.
pub fn to_text(value: &serde_json::Value) -> String {
    serde_yaml::to_string(value).unwrap_or_else(|_| value.to_string())
}

fn options() -> Options {
    let mut budget = Budget::default();
    budget.max_depth = DEPTH_MAX;
    budget.max_aliases = ALIASES_MAX;
    budget.max_events = EVENTS_MAX;
    let mut options = Options::default();
    options.budget = Some(budget);
    options.alias_limits.max_total_replayed_events = EVENTS_MAX;
    // Both of two equal keys are kept, so that the section that knows their meaning reports them.
    options.duplicate_keys = DuplicateKeyPolicy::LastWins;
    options.merge_keys = MergeKeyPolicy::AsOrdinary;
    // `no` is the code of Norway before it is a negation.
    options.strict_booleans = true;
    options.with_snippet = false;
    options
}

fn refusal(error: &serde_yaml::Error, source: &Source) -> Diagnostic {
    let location = error.location();
    let mark = location
        .map(|location| place(&location).unwrap_or_else(|| beginning(&location, source)))
        .unwrap_or_default();
    let text = error.without_snippet().to_string();
    // The reader repeats the place in its text; the diagnostic shows it anyway.
    let first = text.lines().next().unwrap_or_default();
    let message = first.split(" at line ").next().unwrap_or(first).trim_end_matches([',', ':', ' ']);
    let problem = |message: String| {
        Diagnostic::new(codes::NOT_YAML, Severity::Error, source, mark, message).label("reading stopped here")
    };
    if let Some((beyond, help)) = beyond_measure(first) {
        return problem(beyond).help(help);
    }
    let problem = problem(format!("this is not YAML: {message}"));
    let line = source.text.lines().nth(problem.line.saturating_sub(1)).unwrap_or_default();
    let before = source.text.lines().nth(problem.line.saturating_sub(2)).unwrap_or_default();
    if line.contains("{{") || line.contains("{%") || before.contains("{{") {
        problem.help("this looks like a template: render it first with `rgctl template render`")
    } else if line.contains('\t') {
        problem.help("indent with spaces; YAML does not allow tabs there")
    } else {
        problem.help("look at this line and the one before: colons, indentation, brackets, quotes")
    }
}

/// What is YAML, and more of it than is read. The reader tells it in its own words only.
fn beyond_measure(text: &str) -> Option<(String, &'static str)> {
    if text.contains("recursion limit") || text.contains("budget breached: Depth") {
        let message = format!("it is nested more than {DEPTH_MAX} levels deep");
        return Some((
            message,
            "look for brackets that are not closed; no document has more than eight levels",
        ));
    }
    if text.contains("budget breached: Aliases") {
        return Some((format!("it uses more than {ALIASES_MAX} aliases"), "write out what they stand for"));
    }
    if text.contains("budget breached") || text.contains("replay") {
        let message =
            format!("it has more than {EVENTS_MAX} values, counting those that its aliases stand for");
        return Some((message, "split it into several files, or use fewer aliases"));
    }
    None
}

/// Nothing for a place that the reader does not know.
fn place(location: &Location) -> Option<Mark> {
    let span = location.span();
    let start = usize::try_from(span.byte_offset()?).ok()?;
    let length = usize::try_from(span.byte_len()?).ok()?;
    Some(Mark::new(start, start.saturating_add(length)))
}

/// The byte of a line and column, where the reader knows no more.
fn beginning(location: &Location, source: &Source) -> Mark {
    let number = |number: u64| usize::try_from(number).unwrap_or(0).saturating_sub(1);
    let lines = source.text.split_inclusive('\n');
    let before: usize = lines.take(number(location.line())).map(str::len).sum();
    let rest = source.text.get(before..).unwrap_or_default();
    let inside = rest.char_indices().nth(number(location.column())).map_or(0, |(at, _)| at);
    Mark::new(before + inside, before + inside)
}

/// A value as the reader gives it.
enum Raw {
    Null,
    Flag(bool),
    Number(String),
    Text(String),
    Seq(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<Raw>, Spanned<Raw>)>),
}

fn grow(raw: Spanned<Raw>, source: &Source, found: &mut Diagnostics) -> Tree {
    let used = place(&raw.referenced).map(|mark| source.clamp(mark)).unwrap_or_default();
    let written = place(&raw.defined).map(|mark| source.clamp(mark)).unwrap_or_default();
    let (mark, data) = match raw.value {
        Raw::Null => (Mark::new(used.start, used.start), Data::Null),
        Raw::Flag(flag) => (used, Data::Flag(flag)),
        Raw::Number(shown) => {
            // As written, so that `8.10` stays what it is; the reader's rendering where the place is not a number.
            let text = source.slice(written).trim();
            let literal = text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.'));
            (used, Data::Number(if literal { text.to_owned() } else { shown }))
        }
        Raw::Text(text) => (used, Data::Text(text)),
        Raw::Seq(items) => {
            let items: Vec<Tree> = items.into_iter().map(|item| grow(item, source, found)).collect();
            let end = items.last().map_or(used, |item| item.mark);
            (used.to(end), Data::Seq(items))
        }
        Raw::Map(fields) => {
            let entries: Vec<MapEntry> =
                fields.into_iter().filter_map(|(key, value)| field(key, value, source, found)).collect();
            let end = entries.last().map_or(used, |entry| entry.key_mark.to(entry.value.mark));
            (used.to(end), Data::Map(entries))
        }
    };
    Tree { mark, data }
}

fn field(
    key: Spanned<Raw>,
    value: Spanned<Raw>,
    source: &Source,
    found: &mut Diagnostics,
) -> Option<MapEntry> {
    let key = grow(key, source, found);
    let name = match key.data {
        Data::Text(text) | Data::Number(text) => text,
        Data::Flag(flag) => flag.to_string(),
        Data::Null | Data::Seq(_) | Data::Map(_) => {
            let problem = Diagnostic::new(
                codes::NOT_YAML,
                Severity::Error,
                source,
                key.mark,
                "the name of a field must be a word",
            );
            found.push(problem.help("if this is a template, render it first with `rgctl template render`"));
            return None;
        }
    };
    Some(MapEntry { key: name, key_mark: key.mark, value: grow(value, source, found) })
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }
    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }
    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Raw, D::Error> {
        Raw::deserialize(from)
    }
    fn visit_bool<E>(self, flag: bool) -> Result<Raw, E> {
        Ok(Raw::Flag(flag))
    }
    fn visit_i64<E>(self, number: i64) -> Result<Raw, E> {
        Ok(Raw::Number(number.to_string()))
    }
    fn visit_u64<E>(self, number: u64) -> Result<Raw, E> {
        Ok(Raw::Number(number.to_string()))
    }
    fn visit_f64<E>(self, number: f64) -> Result<Raw, E> {
        Ok(Raw::Number(number.to_string()))
    }
    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }
    fn visit_string<E>(self, text: String) -> Result<Raw, E> {
        Ok(Raw::Text(text))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut out = Vec::new();
        while let Some(item) = items.next_element()? {
            out.push(item);
        }
        Ok(Raw::Seq(out))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Raw, A::Error> {
        let mut out = Vec::new();
        while let Some(field) = fields.next_entry()? {
            out.push(field);
        }
        Ok(Raw::Map(out))
    }
}
