//! What a document may say in a file and a custom resource may not: numbers where the definition has a text, long forms.
//!
//! Goes in: a kind, and the body of a document. Comes out: each such value by its path, and how it is written for a cluster.

use serde_json::Value;

use super::all;

/// A value that the API server does not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit {
    /// Where it stands in the document.
    pub path: String,
    /// What it is.
    pub what: &'static str,
    /// How it is written for a cluster.
    pub remedy: String,
}

/// The values of the body of a document of this kind that the API server does not take. What is wrong in a file, too, is not told here.
pub fn unfit(kind: &str, body: &Value) -> Vec<Unfit> {
    let mut found = Vec::new();
    let definition = all().into_iter().find(|one| one["spec"]["names"]["kind"] == kind);
    if let Some(definition) = definition {
        let schema = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
        walk(schema, body, "spec", &mut found);
    }
    found
}

fn walk(schema: &Value, value: &Value, path: &str, found: &mut Vec<Unfit>) {
    let is = |key: &str| schema.get(key) == Some(&Value::Bool(true));
    let mut say = |what, remedy| found.push(Unfit { path: path.to_owned(), what, remedy });
    let kind = schema.get("type").and_then(Value::as_str);
    match (kind, value) {
        (Some("string"), Value::Number(_) | Value::Bool(_)) => {
            say("a number where a custom resource has a text", format!("quote it: `\"{value}\"`"));
        }
        (None, Value::Number(number)) if is("x-kubernetes-int-or-string") && number.is_f64() => {
            say(
                "a fraction where a custom resource has a whole number or a text",
                format!("quote it: `\"{value}\"`"),
            );
        }
        (None, Value::Object(bounds)) if is("x-kubernetes-int-or-string") => {
            let end = |name: &str| bounds.get(name).map_or_else(|| "?".to_owned(), ToString::to_string);
            let short = format!("write bounds as one word: `\"{}..{}\"`", end("min"), end("max"));
            say("a section where a custom resource has a number or a text", short);
        }
        (_, Value::Object(fields)) => {
            for (name, child) in fields {
                let of = schema.get("properties").and_then(|all| all.get(name));
                if let Some(of) = of.or_else(|| schema.get("additionalProperties")) {
                    walk(of, child, &format!("{path}.{name}"), found);
                }
            }
        }
        (_, Value::Array(items)) => {
            for (place, child) in items.iter().enumerate() {
                if let Some(of) = schema.get("items") {
                    walk(of, child, &format!("{path}[{place}]"), found);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_not_quoted_and_long_forms_are_told_with_what_to_write() {
        let body = json!({ "stores": [
            { "name": "a", "engine": "aurora-mysql", "version": 8.0, "readers": { "min": 2, "max": 8 } },
            { "name": "b", "engine": "aurora-mysql", "version": "8.0", "readers": "2..8" },
        ] });
        let found: Vec<(String, String)> =
            unfit("Blueprint", &body).into_iter().map(|one| (one.path, one.remedy)).collect();
        let wanted = [
            ("spec.stores[0].version", "quote it: `\"8.0\"`"),
            ("spec.stores[0].readers", "write bounds as one word: `\"2..8\"`"),
        ];
        assert_eq!(found, wanted.map(|(path, remedy)| (path.to_owned(), remedy.to_owned())));
        assert_eq!(unfit("Plan", &json!({})), []);
    }
}
