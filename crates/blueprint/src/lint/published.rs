//! Values that the services say they refuse: ports, names of databases, windows, tags.
//!
//! Sources: the published models of the four services (RDS, DocumentDB, ElastiCache, Redshift and Redshift Serverless, botocore
//! 1.44), where they give a range, a pattern or a rule in words.
//!
//! **Invariant:** what a model leaves open is not refused here.

use std::collections::BTreeMap;

use super::LintContext;
use crate::families::Store;
use crate::families::checks::{NameOfDatabase, WINDOW_MIN};
use rgctl_model::node::TAG_PREFIX;
use rgctl_schema::codes;
use rgctl_schema::diagnostic::Finding;
use rgctl_schema::time::Span;

const TAG_KEY_MAX: usize = 128;
const TAG_VALUE_MAX: usize = 256;
/// An object may have 50 tags, of which rgctl sets up to six.
const TAGS_MAX: usize = 44;
const TAG_SIGNS: &str = "_.:/=+-@";
/// The services keep keys that begin like this for themselves, in any case of letters.
const TAG_RESERVED: [&str; 2] = ["aws:", "rds:"];

/// Words that no engine takes as the name of a database: those that standard SQL reserves and both engines of Aurora and
/// Redshift have.
const RESERVED: [&str; 55] = [
    "all",
    "and",
    "as",
    "asc",
    "between",
    "both",
    "case",
    "check",
    "collate",
    "column",
    "constraint",
    "create",
    "cross",
    "default",
    "desc",
    "distinct",
    "else",
    "except",
    "false",
    "for",
    "foreign",
    "from",
    "grant",
    "group",
    "having",
    "in",
    "inner",
    "intersect",
    "into",
    "is",
    "join",
    "leading",
    "left",
    "like",
    "natural",
    "not",
    "null",
    "on",
    "or",
    "order",
    "outer",
    "primary",
    "references",
    "right",
    "select",
    "table",
    "then",
    "to",
    "trailing",
    "true",
    "union",
    "unique",
    "using",
    "when",
    "where",
];

pub(super) fn check(view: &LintContext<'_>, found: &mut Vec<Finding>) {
    tags(&view.blueprint.spec.tags, "spec.tags", 0, found);
    let of_all = view.blueprint.spec.tags.len();
    for (at, store) in view.stores() {
        port(store, &at, found);
        database(store, &at, found);
        windows(view, store, &at, found);
        tags(&store.common().tags, &format!("{at}.tags"), of_all, found);
    }
}

fn port(store: &Store, at: &str, found: &mut Vec<Finding>) {
    let Some(port) = store.common().port else { return };
    let ranges = store.ports();
    if ranges.iter().any(|range| range.contains(&port)) {
        return;
    }
    let text: Vec<String> =
        ranges.iter().map(|range| format!("{} to {}", range.start(), range.end())).collect();
    let message = format!("the service takes no port {port} for {}", store.engine());
    let problem = Finding::error(codes::OUT_OF_BOUNDS, format!("{at}.port"), message);
    found.push(problem.label(text.join(", or ")).help("leave it out to have the engine's own"));
}

fn database(store: &Store, at: &str, found: &mut Vec<Finding>) {
    let Some(NameOfDatabase { name, most, only_lower }) = store.name_of_database() else { return };
    let why = if RESERVED.iter().any(|word| name.eq_ignore_ascii_case(word)) {
        "it is a reserved word".to_owned()
    } else if name.is_empty() || name.len() > most {
        format!("it has {} letters, from 1 to {most} are taken", name.len())
    } else if !name.starts_with(|first: char| first.is_ascii_alphabetic()) {
        "it does not begin with a letter".to_owned()
    } else if !name.chars().all(|sign| sign.is_ascii_alphanumeric() || sign == '_') {
        "only letters, digits and `_` are taken".to_owned()
    } else if only_lower && name.chars().any(|sign| sign.is_ascii_uppercase()) {
        "only lower case is taken".to_owned()
    } else {
        return;
    };
    let message = format!("the service takes no database `{name}`: {why}");
    let problem = Finding::error(codes::BAD_NAME, format!("{at}.database"), message);
    found.push(problem.label("not a name of a database").help("write for example `database: game`"));
}

fn windows(view: &LintContext<'_>, store: &Store, at: &str, found: &mut Vec<Finding>) {
    let mut short = |path: String, lasts: Span| {
        let least = store.window_min();
        // What is shorter than every service's least is told where it is written.
        if (WINDOW_MIN..least).contains(&lasts) {
            let message = format!("a window of {lasts} is not accepted for `{}`", store.name());
            let problem = Finding::error(codes::WINDOW_TOO_SHORT, path, message);
            let help = format!("for {} windows last at least {least}", store.engine());
            found.push(problem.label(format!("at least {least}")).help(help));
        }
    };
    if let Some(window) = &view.blueprint.spec.policies.maintenance {
        short("spec.policies.maintenance.lasts".to_owned(), window.lasts);
    }
    let backup = store.common().backup.as_ref().and_then(|backup| backup.window.as_deref());
    if let Some((from, to)) = backup.and_then(super::times::daily) {
        let lasts = Span::from_mins(u64::try_from(to - from).unwrap_or(0));
        short(format!("{at}.backup.window"), lasts);
    }
}

fn tags(tags: &BTreeMap<String, String>, at: &str, others: usize, found: &mut Vec<Finding>) {
    let mut refuse = |path: String, message: String, help: &str| {
        found.push(Finding::error(codes::BAD_NAME, path, message).label("not a tag").help(help));
    };
    if !tags.is_empty() && tags.len() + others > TAGS_MAX {
        let message =
            format!("{} tags, and up to {TAGS_MAX} are taken beside those of rgctl", tags.len() + others);
        refuse(at.to_owned(), message, "an object may have 50 tags");
    }
    for (key, value) in tags {
        let lower = key.to_ascii_lowercase();
        let path = format!("{at}.{key}");
        let is_known = |text: &str| {
            text.chars()
                .all(|sign| sign.is_alphanumeric() || sign.is_whitespace() || TAG_SIGNS.contains(sign))
        };
        if TAG_RESERVED.iter().any(|prefix| lower.starts_with(prefix)) {
            refuse(path, format!("the services keep tags like `{key}` for themselves"), "choose another key");
        } else if lower.starts_with(TAG_PREFIX) {
            refuse(
                path,
                format!("rgctl sets tags like `{key}` itself, to know what it owns"),
                "choose another key",
            );
        } else if key.is_empty() || key.chars().count() > TAG_KEY_MAX || value.chars().count() > TAG_VALUE_MAX
        {
            let help = "a key has from 1 to 128 letters, a value up to 256";
            refuse(
                path,
                "the services take no tag as long as this one, or with an empty key".to_owned(),
                help,
            );
        } else if !is_known(key) || !is_known(value) {
            let help = "letters, digits, spaces and _ . : / = + - @ are taken";
            refuse(path, format!("the services take no tag `{key}: {value}`"), help);
        }
    }
}
