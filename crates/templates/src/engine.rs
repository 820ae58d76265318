//! The template engine, for a process with bounds only. This is the one home of the template library.
//!
//! Goes in: a template and its values. Comes out: a text, or a diagnostic in the template. Or nothing, for ever.
//!
//! **Invariant:** a value that a template names and nobody gives is an error, never an empty string.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};

use rgctl_blueprint::template::{Values, check};
use rgctl_schema::codes;
use rgctl_schema::diagnostic::{Diagnostic, Mark, Severity, Source};

/// A rendered text larger than this is a loop that went wrong: it is more than is read of a document.
pub const RENDERED_BYTES_MAX: usize = 1 << 20;
/// Numbers that `range` makes at once. A document has at most some thousand lines.
const RANGE_MAX: u64 = 10_000;

/// Renders a template. It may not return, or end the process: only for a process with bounds.
///
/// Fails with a diagnostic in the template.
pub(super) fn render(template: &Source, values: &Values) -> Result<String, Box<Diagnostic>> {
    check(template)?;
    let refuse = |message: String, mark: Mark| {
        Box::new(Diagnostic::new(codes::BAD_TEMPLATE, Severity::Error, template, mark, message))
    };
    let mut engine = tera::Tera::default();
    // Documents are not HTML: nothing is escaped.
    engine.autoescape_on(Vec::new());
    engine.register_function("range", range);
    engine.register_function("get_env", get_env(values));
    if let Err(error) = engine.add_raw_template("document", &template.text) {
        let (message, mark) = told(&error, template);
        return Err(Box::new(
            refuse(message, mark).help("look at the braces of `{{ value }}` and `{% tag %}`"),
        ));
    }
    let mut context = tera::Context::new();
    for (name, value) in &values.given {
        context.insert(name, value);
    }
    let mut out = Bounded::default();
    let rendered = engine.render_to("document", &context, &mut out);
    if out.is_over {
        let message = format!("it renders to more than {RENDERED_BYTES_MAX} bytes, which no document has");
        return Err(Box::new(refuse(message, Mark::default()).help("look for a loop that is too long")));
    }
    rendered.map_err(|error| {
        let (message, mark) = told(&error, template);
        let given: Vec<&str> = values.given.keys().map(String::as_str).collect();
        let given = if given.is_empty() { "none".to_owned() } else { given.join(", ") };
        Box::new(refuse(message, mark).help(format!(
            "give every value with `--set NAME=VALUE`, or `--env NAME` for one of the environment; given: {given}"
        )))
    })?;
    // The engine copies texts, and makes none that is no text.
    Ok(String::from_utf8_lossy(&out.bytes).into_owned())
}

/// Takes what is rendered, up to the bound.
#[derive(Default)]
struct Bounded {
    bytes: Vec<u8>,
    is_over: bool,
}

impl Write for Bounded {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + piece.len() > RENDERED_BYTES_MAX {
            self.is_over = true;
            return Err(io::Error::other("the rendered text is too long"));
        }
        self.bytes.extend_from_slice(piece);
        Ok(piece.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The engine's own `range`, with an end.
fn range(arguments: &HashMap<String, tera::Value>) -> tera::Result<tera::Value> {
    let number = |name: &str, otherwise: Option<u64>| match arguments.get(name) {
        Some(value) => value.as_u64().ok_or_else(|| format!("`range` needs a number from 0 on as `{name}`")),
        None => otherwise.ok_or_else(|| format!("`range` needs `{name}`")),
    };
    let (start, end, step) = (number("start", Some(0))?, number("end", None)?, number("step_by", Some(1))?);
    if step == 0 {
        return Err("`range` needs a `step_by` above 0".into());
    }
    let count = end.saturating_sub(start).div_ceil(step);
    if count > RANGE_MAX {
        return Err(format!("`range` would make {count} numbers, at most {RANGE_MAX} are made").into());
    }
    Ok((0..count).map(|place| start + place * step).collect::<Vec<u64>>().into())
}

/// The engine's own `get_env`, for the variables that were named on the command line: a template from somebody else must
/// not print what it finds.
fn get_env(
    values: &Values,
) -> impl Fn(&HashMap<String, tera::Value>) -> tera::Result<tera::Value> + Sync + Send + 'static {
    let given = values.given.iter().filter(|(name, _)| values.variables.contains(*name));
    let known: BTreeMap<String, String> = given.map(|(name, value)| (name.clone(), value.clone())).collect();
    move |arguments| {
        let name = arguments.get("name").and_then(tera::Value::as_str).unwrap_or_default();
        match known.get(name) {
            Some(value) => Ok(value.clone().into()),
            None => Err(format!("the variable `{name}` may not be read: name it with `--env {name}`").into()),
        }
    }
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
    let quoted = |after: &str, quote: char| {
        text.split(after).nth(1).and_then(|rest| rest.split(quote).next()).filter(|name| !name.is_empty())
    };
    if let Some(name) = quoted("Variable `", '`') {
        return (format!("the value `{name}` is not given"), within_braces(name, template));
    }
    let last = text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("it cannot be rendered");
    let last = last.trim_start_matches("= ").to_owned();
    if let Some(name) = quoted("Function call '", '\'') {
        return (last, within_braces(name, template));
    }
    let place = text.split("--> ").nth(1).and_then(|rest| rest.lines().next()).and_then(|place| {
        let (line, column) = place.trim().split_once(':')?;
        byte_at(&template.text, line.parse().ok()?, column.parse().ok()?)
    });
    let start = place.unwrap_or(0);
    (last, Mark::new(start, start + usize::from(place.is_some())))
}

/// The first place of a word within braces: a comment may name it too.
fn within_braces(word: &str, template: &Source) -> Mark {
    let opens = |at: usize| {
        let before = template.text.get(..at).unwrap_or_default();
        before.rfind("{{").max(before.rfind("{%")) > before.rfind("}}").max(before.rfind("%}"))
    };
    let start = template.text.match_indices(word).map(|(at, _)| at).find(|at| opens(*at)).unwrap_or(0);
    Mark::new(start, start + word.len())
}

/// The byte of a line and column, both counted from 1.
fn byte_at(text: &str, line: usize, column: usize) -> Option<usize> {
    let before: usize = text.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
    let rest = text.get(before..)?;
    Some(before + rest.char_indices().nth(column.checked_sub(1)?).map_or(rest.len(), |(at, _)| at))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn values(all: &[(&str, &str)]) -> Values {
        let given = all.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Values { given, variables: BTreeSet::new() }
    }

    fn refusal(text: &str) -> Box<Diagnostic> {
        render(&Source::new("t", text), &Values::default()).unwrap_err()
    }

    #[test]
    fn a_template_is_filled_in() {
        let template = Source::new("t", "name: {{ game }}\n{% if big == \"yes\" %}big: true{% endif %}\n");
        let text = render(&template, &values(&[("game", "a<b"), ("big", "yes")])).unwrap();
        assert_eq!(text, "name: a<b\nbig: true\n");
        let counted = Source::new("t", "{% for n in range(start=1, end=6, step_by=2) %}{{ n }} {% endfor %}");
        assert_eq!(render(&counted, &Values::default()).unwrap(), "1 3 5 ");
    }

    #[test]
    fn a_value_that_is_not_given_is_an_error_at_its_place() {
        let problem = refusal("one: 1\nname: {{ game }}\n");
        assert_eq!((problem.line, problem.column), (2, 10));
        assert_eq!(problem.message, "the value `game` is not given");
    }

    #[test]
    fn a_broken_template_is_an_error() {
        let problem = refusal("one: 1\ntwo: {{ 1 + }}\n");
        assert_eq!(problem.code, codes::BAD_TEMPLATE);
        assert_eq!(problem.line, 2);
    }

    #[test]
    fn a_range_and_a_text_have_an_end() {
        let problem = refusal("a: 1\nb: {% for i in range(end=10000000000) %}x{% endfor %}");
        assert_eq!((problem.line, problem.column), (2, 16));
        assert_eq!(problem.message, "`range` would make 10000000000 numbers, at most 10000 are made");
        for wrong in ["range()", "range(end=-1)", "range(end=3, step_by=0)", "range(end=\"a\")"] {
            assert!(refusal(&format!("{{{{ {wrong} }}}}")).message.contains("`range` needs"), "{wrong}");
        }
        let long =
            "{% for a in range(end=9000) %}{% for b in range(end=9000) %}xxxxxxxx{% endfor %}{% endfor %}";
        assert!(refusal(long).message.contains("more than 1048576 bytes"));
    }

    #[test]
    fn the_environment_is_closed_but_for_what_was_named() {
        let template = Source::new("t", "{{ get_env(name=\"PATH\") }}");
        let problem = render(&template, &values(&[("PATH", "a value of that name")])).unwrap_err();
        assert!(problem.message.contains("name it with `--env PATH`"), "{problem}");
        let default = refusal("{{ get_env(name=\"PATH\", default=\"\") }}");
        assert!(default.message.contains("--env PATH"), "{default}");
        let mut named = values(&[("PATH", "/bin")]);
        named.variables.insert("PATH".to_owned());
        assert_eq!(render(&template, &named).unwrap(), "/bin");
    }
}
