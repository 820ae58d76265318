//! How a kind is written in a document.

use serde_json::Value;

use super::KindId;
use rgctl_schema::codes;
use rgctl_schema::diagnostic::did_you_mean;
use rgctl_schema::node::Tree;
use rgctl_schema::section::{Reader, Setting};
use rgctl_schema::shape::{Scalar, Shape};

impl Setting for KindId {
    fn decode(tree: &Tree, reader: &mut Reader<'_>) -> Option<Self> {
        let word = reader.word(tree, "a kind of object", "aurora.cluster")?;
        let known = Self::ALL.iter().copied().filter(|kind| !kind.facts().observe_only);
        if let Some(kind) = known.clone().find(|kind| kind.as_str() == word) {
            return Some(kind);
        }
        let words: Vec<&str> = known.map(Self::as_str).collect();
        let help = did_you_mean(word, words.iter().copied()).map_or_else(
            || format!("one of: {}", words.join(", ")),
            |near| format!("did you mean `{near}`?"),
        );
        let problem = reader
            .error(codes::UNKNOWN_WORD, tree.mark, format!("there is no kind of object `{word}`"))
            .label("unknown kind of object")
            .help(help);
        reader.report(problem);
        None
    }
    fn encode(&self) -> Option<Value> {
        Some(Value::String(self.as_str().to_owned()))
    }
    fn shape() -> Shape {
        Shape::Scalar(Scalar {
            name: "kind of object",
            doc: "A kind of object as plans show it, such as `aurora.cluster`.",
            json: &["string"],
            pattern: None,
            bounds: None,
            example: "aurora.cluster",
        })
    }
}
