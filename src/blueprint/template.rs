//! Templates: text with placeholders to text. This is the one home of the template library.
//!
//! A fragment that several blueprints share, such as the stores of a studio's games, lives once in `templates/` and is
//! rendered with the values of each. The result is read like any other text; nothing is patched afterwards.
//!
//! **Invariant:** a value that a template names and nobody gives is an error, never an empty string.

use std::collections::BTreeMap;

use crate::vocabulary::codes;
use crate::vocabulary::diagnostic::{Diagnostic, Mark, Severity, Source};

/// A rendered text larger than this is a loop that went wrong.
const RENDERED_BYTES_MAX: usize = 1 << 20;

/// Renders a template with named values. Values are texts as they would stand in the document.
///
/// Fails with a diagnostic in the template.
pub fn render(template: &Source, values: &BTreeMap<String, String>) -> Result<Source, Box<Diagnostic>> {
    let refuse = |message: String, mark: Mark| {
        Box::new(Diagnostic::new(codes::BAD_TEMPLATE, Severity::Error, template, mark, message))
    };
    let mut engine = tera::Tera::default();
    // Documents are not HTML: nothing is escaped.
    engine.autoescape_on(Vec::new());
    if let Err(error) = engine.add_raw_template("document", &template.text) {
        let (message, mark) = told(&error, template);
        return Err(Box::new(
            refuse(message, mark).help("look at the braces of `{{ value }}` and `{% tag %}`"),
        ));
    }
    let mut context = tera::Context::new();
    for (name, value) in values {
        context.insert(name, value);
    }
    let text = engine.render("document", &context).map_err(|error| {
        let (message, mark) = told(&error, template);
        let given: Vec<&str> = values.keys().map(String::as_str).collect();
        let given = if given.is_empty() { "none".to_owned() } else { given.join(", ") };
        Box::new(
            refuse(message, mark).help(format!("give every value with `--set NAME=VALUE`; given: {given}")),
        )
    })?;
    if text.len() > RENDERED_BYTES_MAX {
        let message = format!("it renders to {} bytes, at most {RENDERED_BYTES_MAX} are read", text.len());
        return Err(Box::new(refuse(message, Mark::default()).help("look for a loop that is too long")));
    }
    Ok(Source::new(format!("{} (rendered)", template.name), text))
}

/// What the engine says, and where. It tells the place only as text, ` --> 3:12` or a variable's name.
fn told(error: &tera::Error, template: &Source) -> (String, Mark) {
    let mut all = Vec::new();
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(link) = cause {
        all.push(link.to_string());
        cause = link.source();
    }
    let text = all.join("\n");
    if let Some(name) = text.split("Variable `").nth(1).and_then(|rest| rest.split('`').next()) {
        // A comment may name it too: the place wanted is within braces.
        let opens = |at: usize| {
            let before = template.text.get(..at).unwrap_or_default();
            before.rfind("{{").max(before.rfind("{%")) > before.rfind("}}").max(before.rfind("%}"))
        };
        let start = template.text.match_indices(name).map(|(at, _)| at).find(|at| opens(*at)).unwrap_or(0);
        return (format!("the value `{name}` is not given"), Mark::new(start, start + name.len()));
    }
    let place = text.split("--> ").nth(1).and_then(|rest| rest.lines().next()).and_then(|place| {
        let (line, column) = place.trim().split_once(':')?;
        byte_at(&template.text, line.parse().ok()?, column.parse().ok()?)
    });
    let last = text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("it cannot be rendered");
    let start = place.unwrap_or(0);
    (last.trim_start_matches("= ").to_owned(), Mark::new(start, start + usize::from(place.is_some())))
}

/// The byte of a line and column, both counted from 1.
fn byte_at(text: &str, line: usize, column: usize) -> Option<usize> {
    let before: usize = text.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
    let rest = text.get(before..)?;
    Some(before + rest.char_indices().nth(column.checked_sub(1)?).map_or(rest.len(), |(at, _)| at))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(all: &[(&str, &str)]) -> BTreeMap<String, String> {
        all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_template_is_filled_in() {
        let template = Source::new("t", "name: {{ game }}\n{% if big == \"yes\" %}big: true{% endif %}\n");
        let text = render(&template, &values(&[("game", "a<b"), ("big", "yes")])).unwrap().text;
        assert_eq!(text, "name: a<b\nbig: true\n");
    }

    #[test]
    fn a_value_that_is_not_given_is_an_error_at_its_place() {
        let template = Source::new("t", "one: 1\nname: {{ game }}\n");
        let problem = render(&template, &BTreeMap::new()).unwrap_err();
        assert_eq!((problem.line, problem.column), (2, 10));
        assert_eq!(problem.message, "the value `game` is not given");
    }

    #[test]
    fn a_broken_template_is_an_error() {
        let problem = render(&Source::new("t", "one: 1\ntwo: {{ 1 + }}\n"), &BTreeMap::new()).unwrap_err();
        assert_eq!(problem.code, codes::BAD_TEMPLATE);
        assert_eq!(problem.line, 2);
    }
}
