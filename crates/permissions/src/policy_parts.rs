//! A policy in parts that IAM takes.
//!
//! Goes in: statements. Comes out: documents, each small enough for a managed policy, that allow the same together.
//!
//! **Invariant:** what the documents allow is what the statements allow, no more and no less: a statement that is too long
//! is halved by its resources or, when it has one, by its actions, and never widened.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Characters of a managed policy, white space left out. Source of both limits: "IAM and AWS STS quotas", IAM User Guide.
pub const CHARACTERS_MAX: usize = 6_144;
/// Managed policies that a role takes unless its account has a higher quota.
pub const ATTACHED_MAX: usize = 10;

/// The length of a document as IAM counts it.
pub fn characters(document: &Value) -> usize {
    document.to_string().chars().filter(|letter| !letter.is_whitespace()).count()
}

/// A document of statements.
pub(super) fn document(statements: &[Value]) -> Value {
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// Documents of at most so many characters, in the order of the statements; later ones fill up what earlier ones leave.
pub(super) fn parts(statements: Vec<Value>, most: usize) -> Vec<Value> {
    let mut parts: Vec<Vec<Value>> = Vec::new();
    for statement in numbered(statements.into_iter().flat_map(|one| small_enough(one, most)).collect()) {
        let has_room = |part: &&mut Vec<Value>| {
            let with = [part.as_slice(), std::slice::from_ref(&statement)].concat();
            characters(&document(&with)) <= most
        };
        match parts.iter_mut().find(has_room) {
            Some(part) => part.push(statement),
            None => parts.push(vec![statement]),
        }
    }
    parts.iter().map(|part| document(part)).collect()
}

/// A statement in pieces that each fit into a document of their own, with room for a number in the name.
fn small_enough(statement: Value, most: usize) -> Vec<Value> {
    let is_small = characters(&document(std::slice::from_ref(&statement))) + 3 <= most;
    let halves =
        if is_small { None } else { halved(&statement, "Resource").or_else(|| halved(&statement, "Action")) };
    match halves {
        Some(halves) => halves.into_iter().flat_map(|half| small_enough(half, most)).collect(),
        None => vec![statement],
    }
}

fn halved(statement: &Value, field: &str) -> Option<[Value; 2]> {
    let all = statement.get(field)?.as_array().filter(|all| all.len() > 1)?;
    let (one, other) = all.split_at(all.len() / 2);
    Some([one, other].map(|half| {
        let mut statement = statement.clone();
        statement[field] = json!(half);
        statement
    }))
}

/// Pieces of one statement get a number each.
fn numbered(mut statements: Vec<Value>) -> Vec<Value> {
    let name = |statement: &Value| statement["Sid"].as_str().unwrap_or_default().to_owned();
    let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for statement in &statements {
        counts.entry(name(statement)).or_default().0 += 1;
    }
    for statement in &mut statements {
        let name = name(statement);
        if let Some((_, so_far)) = counts.get_mut(&name).filter(|(pieces, _)| *pieces > 1) {
            *so_far += 1;
            statement["Sid"] = json!(format!("{name}{so_far}"));
        }
    }
    statements
}
