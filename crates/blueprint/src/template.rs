//! What can be told about a template without rendering it: how deeply it nests, and which names it uses.
//!
//! A fragment that several blueprints share, such as the stores of a studio's games, lives once in `templates/` and is
//! rendered with the values of each. The result is read like any other text; nothing is patched afterwards.
//!
//! A template is a program: it can call itself, loop without end, and double a text until no memory is left. So it is
//! rendered where it can be stopped, by the crate `templates`, and only looked at here.
//!
//! Goes in: the text of a template. Comes out: its names and literals, and the first place that is beyond measure.
//!
//! **Invariant:** one pass over the text, without recursion: it may be given anything.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use rgctl_schema::codes;
use rgctl_schema::diagnostic::{Diagnostic, Mark, Severity, Source};

/// Tags within tags. The parser calls itself for each.
const TAGS_DEEP_MAX: usize = 32;
/// Brackets within brackets of one tag. The parser's time grows tenfold with each.
const BRACKETS_DEEP_MAX: usize = 5;
/// Words and signs in one tag. A chain of operators becomes a tree as deep as it is long.
const WORDS_MAX: usize = 500;

/// Words of the template language that are no names of values.
const KEYWORDS: [&str; 14] = [
    "and", "or", "not", "in", "is", "true", "false", "True", "False", "as", "ignore", "missing", "super",
    "self",
];

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// Names that may be those of values.
    pub names: BTreeSet<String>,
    /// Texts in quotes within tags.
    pub literals: BTreeSet<String>,
    /// Functions that are called.
    pub functions: BTreeSet<String>,
    /// Where it is beyond measure, and how.
    pub problem: Option<(usize, String)>,
}

impl Scan {
    /// Whether a value of this name is of any use to the template.
    pub fn uses(&self, name: &str) -> bool {
        self.names.contains(name) || self.names.contains("__tera_context")
    }

    /// Whether a variable of the environment of this name is of any use to it.
    pub fn uses_variable(&self, name: &str) -> bool {
        self.uses(name) || self.functions.contains("get_env") && self.literals.contains(name)
    }
}

/// What a template is rendered with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Values {
    /// Values by name, as they would stand in the document.
    pub given: BTreeMap<String, String>,
    /// Those of them that are variables of the environment, which `get_env` may tell, too.
    pub variables: BTreeSet<String>,
}

/// What can be told about a template before it is rendered: its names, or a diagnostic where it is beyond measure.
pub fn check(template: &Source) -> Result<Scan, Box<Diagnostic>> {
    let found = scan(&template.text);
    match &found.problem {
        None => Ok(found),
        Some((at, what)) => Err(Box::new(
            Diagnostic::new(
                codes::BAD_TEMPLATE,
                Severity::Error,
                template,
                Mark::new(*at, at + 2),
                what.as_str(),
            )
            .help("name a part of it first with `{% set name = … %}`, or write it as several templates"),
        )),
    }
}

/// A word or sign within a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Word<'t> {
    Name(&'t str),
    Literal(&'t str),
    Sign(char),
}

/// Looks through a template.
pub fn scan(text: &str) -> Scan {
    let mut scan = Scan::default();
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(opening) = next_opening(text, at) {
        let inside = opening + 2;
        let is_tag = text[opening..].starts_with("{%");
        if text[opening..].starts_with("{#") {
            let Some(end) = text[inside..].find("#}") else { break };
            at = inside + end + 2;
            continue;
        }
        let (words, end) = words_of(text, inside);
        if let Some(what) = beyond_measure(&words) {
            scan.problem = Some((opening, what));
            return scan;
        }
        at = end;
        if !is_tag {
            note(&words, &mut scan);
            continue;
        }
        let Some(Word::Name(first)) = words.first() else { continue };
        match *first {
            "raw" => at = after_raw(text, end),
            "if" | "for" | "block" | "macro" | "filter" => depth += 1,
            word if word.starts_with("end") => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > TAGS_DEEP_MAX {
            let what = format!("tags stand {depth} deep within each other, at most {TAGS_DEEP_MAX} are read");
            scan.problem = Some((opening, what));
            return scan;
        }
        note(used_by(first, &words), &mut scan);
    }
    scan
}

fn next_opening(text: &str, from: usize) -> Option<usize> {
    let rest = text.get(from..)?;
    ["{{", "{%", "{#"].iter().filter_map(|opening| rest.find(opening)).min().map(|at| from + at)
}

/// The words up to the end of a tag, and the byte after it.
fn words_of(text: &str, from: usize) -> (Vec<Word<'_>>, usize) {
    let mut words = Vec::new();
    let mut at = from;
    while let Some(letter) = text[at..].chars().next() {
        let rest = &text[at..];
        if rest.starts_with("}}") || rest.starts_with("%}") {
            return (words, at + 2);
        }
        at += letter.len_utf8();
        if letter.is_ascii_alphabetic() || letter == '_' {
            let length = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
            words.push(Word::Name(&rest[..length]));
            at += length - 1;
        } else if matches!(letter, '"' | '\'' | '`') {
            let length = text[at..].find(letter).unwrap_or(text.len() - at);
            words.push(Word::Literal(&text[at..at + length]));
            at = (at + length + 1).min(text.len());
        } else if !letter.is_whitespace() && !letter.is_ascii_digit() {
            words.push(Word::Sign(letter));
        }
    }
    (words, at)
}

/// The byte after the tag that ends a part which is not read.
fn after_raw(text: &str, from: usize) -> usize {
    let mut at = from;
    while let Some(opening) = text[at..].find("{%") {
        let (words, end) = words_of(text, at + opening + 2);
        if words.contains(&Word::Name("endraw")) {
            return end;
        }
        at += opening + 2;
    }
    text.len()
}

fn beyond_measure(words: &[Word<'_>]) -> Option<String> {
    if words.len() > WORDS_MAX {
        return Some(format!("a tag has {} words and signs, at most {WORDS_MAX} are read", words.len()));
    }
    let mut depth = 0_usize;
    for word in words {
        match word {
            Word::Sign('(' | '[') => depth += 1,
            Word::Sign(')' | ']') => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > BRACKETS_DEEP_MAX {
            return Some(format!("brackets stand {depth} deep, at most {BRACKETS_DEEP_MAX} are read"));
        }
    }
    None
}

/// The words of a tag behind those that only it understands, or that it gives names to.
fn used_by<'w, 't>(first: &str, words: &'w [Word<'t>]) -> &'w [Word<'t>] {
    let from = match first {
        "for" => words.iter().position(|word| *word == Word::Name("in")).unwrap_or(0),
        "set" | "set_global" => words.iter().position(|word| *word == Word::Sign('=')).unwrap_or(0),
        "macro" | "block" | "import" | "extends" | "include" | "raw" => words.len().saturating_sub(1),
        _ => 0,
    };
    words.get(from + 1..).unwrap_or_default()
}

fn note(words: &[Word<'_>], scan: &mut Scan) {
    for (place, word) in words.iter().enumerate() {
        let before = place.checked_sub(1).and_then(|place| words.get(place));
        let (next, after) = (words.get(place + 1), words.get(place + 2));
        match word {
            Word::Literal(text) => {
                scan.literals.insert((*text).to_owned());
            }
            Word::Name(name) if next == Some(&Word::Sign('(')) => {
                scan.functions.insert((*name).to_owned());
            }
            Word::Name(name) => {
                let is_key = next == Some(&Word::Sign('=')) && after != Some(&Word::Sign('='));
                let is_part = matches!(before, Some(Word::Sign('.' | '|' | ':')));
                let is_test = before == Some(&Word::Name("is"))
                    || before == Some(&Word::Name("not"))
                        && place > 1
                        && words[place - 2] == Word::Name("is");
                if !(is_key || is_part || is_test || KEYWORDS.contains(name)) {
                    scan.names.insert((*name).to_owned());
                }
            }
            Word::Sign(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        scan(text).names.into_iter().collect()
    }

    #[test]
    fn the_names_of_values_are_told_from_everything_else() {
        for (text, expected) in [
            ("{{ game }} and game2 {# {{ no }} #}", vec!["game"]),
            ("{% if a == b and not c %}{% elif d is defined %}{% endif %}", vec!["a", "b", "c", "d"]),
            ("{% for x in range(end=n) %}{{ loop.index }}{% endfor %}", vec!["loop", "n"]),
            ("{% set total = players | upper %}{{ f(key=value) }}", vec!["players", "value"]),
            ("{{ \"}} {{ quoted }}\" ~ plain }}", vec!["plain"]),
            ("{% raw %}{{ not_read }}{% endraw %}{{ read }}", vec!["read"]),
            ("{% macro m(game) %}{% endmacro %}{{ self::m(a=1) }}", vec![]),
            ("{{ unfinished", vec!["unfinished"]),
            ("{{ 'ü' }}{{ ü }}{%", vec![]),
        ] {
            assert_eq!(names(text), expected, "{text}");
        }
        let variable = scan("{{ get_env(name=\"HOME\") }}");
        assert!(variable.uses_variable("HOME") && !variable.uses("HOME") && !variable.uses_variable("USER"));
    }

    #[test]
    fn what_nests_beyond_measure_is_found_at_its_place() {
        for text in [
            "{% if a %}".repeat(2_000),
            format!("ok {{{{ {}1{} }}}}", "(".repeat(20_000), ")".repeat(20_000)),
            format!("{{{{ {}1 }}}}", "1 + ".repeat(5_000)),
            format!("{{{{ {}1 }}}}", "not ".repeat(5_000)),
            format!("{{{{ a{} }}}}", " | upper".repeat(5_000)),
        ] {
            let (at, _) = scan(&text).problem.unwrap_or_else(|| panic!("{}", &text[..40]));
            assert!(text[at..].starts_with("{{") || text[at..].starts_with("{%"));
        }
        assert_eq!(scan(&"{% if a %}x{% endif %}".repeat(2_000)).problem, None);
    }
}
