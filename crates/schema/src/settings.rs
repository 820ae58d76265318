//! How the common types are read from and written to documents: texts, flags, numbers, lists, names, times, money.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::codes;
use super::diagnostic::did_you_mean;
use super::money::{Currency, Money};
use super::names::{AccountName, BlueprintName, NameError, RegionId, StoreName};
use super::node::{Data, Tree};
use super::section::{Reader, Setting};
use super::shape::{Scalar, Shape};
use super::time::{Moment, Span};

impl<T: Setting> Setting for Option<T> {
    fn decode(tree: &Tree, reader: &mut Reader<'_>) -> Option<Self> {
        T::decode(tree, reader).map(Some)
    }
    fn encode(&self) -> Option<Value> {
        self.as_ref().and_then(Setting::encode)
    }
    fn shape() -> Shape {
        T::shape()
    }
    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl<T: Setting> Setting for Vec<T> {
    fn decode(tree: &Tree, reader: &mut Reader<'_>) -> Option<Self> {
        let Data::Seq(items) = &tree.data else {
            reader.wrong_type(tree, "a list", &Self::shape().example().unwrap_or_default());
            return None;
        };
        let mut out = Self::with_capacity(items.len());
        for (place, item) in items.iter().enumerate() {
            out.extend(reader.within(format!("[{place}]"), |reader| T::decode(item, reader)));
        }
        Some(out)
    }
    fn encode(&self) -> Option<Value> {
        (!self.is_empty()).then(|| Value::Array(self.iter().filter_map(Setting::encode).collect()))
    }
    fn shape() -> Shape {
        Shape::List(Box::new(T::shape()))
    }
    fn absent() -> Option<Self> {
        Some(Self::new())
    }
}

impl<T: Setting> Setting for BTreeMap<String, T> {
    fn decode(tree: &Tree, reader: &mut Reader<'_>) -> Option<Self> {
        let Data::Map(entries) = &tree.data else {
            reader.wrong_type(tree, "names with values", "");
            return None;
        };
        let mut out = Self::new();
        for entry in entries {
            let value = reader.within(entry.key.clone(), |reader| T::decode(&entry.value, reader));
            let Some(value) = value else { continue };
            if out.insert(entry.key.clone(), value).is_some() {
                let problem = reader
                    .error(codes::DUPLICATE_FIELD, entry.key_mark, format!("`{}` is given twice", entry.key))
                    .help("remove one of the two");
                reader.report(problem);
            }
        }
        Some(out)
    }
    fn encode(&self) -> Option<Value> {
        let all: Map<_, _> =
            self.iter().filter_map(|(key, value)| Some((key.clone(), value.encode()?))).collect();
        (!all.is_empty()).then_some(Value::Object(all))
    }
    fn shape() -> Shape {
        Shape::Map(Box::new(T::shape()))
    }
    fn absent() -> Option<Self> {
        Some(Self::new())
    }
}

impl Setting for String {
    fn decode(tree: &Tree, reader: &mut Reader<'_>) -> Option<Self> {
        if let Data::Flag(flag) = tree.data {
            // Parameters are texts at the service, and `on: true` is how people write them.
            return Some(flag.to_string());
        }
        reader.word(tree, "text", "").map(str::to_owned)
    }
    fn encode(&self) -> Option<Value> {
        Some(Value::String(self.clone()))
    }
    fn shape() -> Shape {
        Shape::Scalar(Scalar {
            name: "text",
            doc: "Text.",
            json: &["string", "number", "boolean"],
            pattern: None,
            bounds: None,
            example: "",
        })
    }
}

impl Setting for bool {
    fn decode(tree: &Tree, reader: &mut Reader<'_>) -> Option<Self> {
        if let Data::Flag(flag) = tree.data {
            return Some(flag);
        }
        reader.wrong_type(tree, "true or false", "true");
        None
    }
    fn encode(&self) -> Option<Value> {
        Some(Value::Bool(*self))
    }
    fn shape() -> Shape {
        Shape::Scalar(Scalar {
            name: "true | false",
            doc: "`true` or `false`.",
            json: &["boolean"],
            pattern: None,
            bounds: None,
            example: "true",
        })
    }
}

macro_rules! whole_number {
    ($($type:ty),+) => {$(
        impl Setting for $type {
            fn decode(tree: &Tree, reader: &mut Reader<'_>) -> Option<Self> {
                let Data::Number(text) = &tree.data else {
                    reader.wrong_type(tree, "a whole number", "3");
                    return None;
                };
                let read = text.replace('_', "").parse().ok();
                if read.is_none() {
                    let problem = reader
                        .error(codes::OUT_OF_BOUNDS, tree.mark, format!("`{text}` is not a whole number from 0 to {}", Self::MAX))
                        .help("write for example `3`");
                    reader.report(problem);
                }
                read
            }
            fn encode(&self) -> Option<Value> {
                Some(json!(self))
            }
            fn shape() -> Shape {
                Shape::Scalar(Scalar {
                    name: "number",
                    doc: "A whole number.",
                    json: &["integer"],
                    pattern: None,
                    bounds: Some((0, i64::from(Self::MAX))),
                    example: "3",
                })
            }
        }
    )+};
}
whole_number!(u16, u32);

/// Reads one of a list of words; used by [`choices!`](crate::choices).
pub fn choose<T: Copy>(tree: &Tree, reader: &mut Reader<'_>, words: &[(&str, T)]) -> Option<T> {
    let example = words.first().map_or("", |(word, _)| word);
    let word = reader.word(tree, "a word", example)?;
    if let Some((_, value)) = words.iter().find(|(known, _)| *known == word) {
        return Some(*value);
    }
    let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    let help = did_you_mean(word, all.iter().copied()).map_or_else(
        || format!("one of: {}", all.join(", ")),
        |near| format!("did you mean `{near}`? The words are: {}", all.join(", ")),
    );
    let problem = reader
        .error(
            codes::UNKNOWN_WORD,
            tree.mark,
            format!("`{word}` is not one of the words that can stand here"),
        )
        .label("unknown word")
        .help(help);
    reader.report(problem);
    None
}

/// Reads a scalar through a function from text; `None` from it is a problem with the code and help given.
pub fn parsed<T>(
    tree: &Tree,
    reader: &mut Reader<'_>,
    what: &Scalar,
    parse: impl FnOnce(&str) -> Option<T>,
) -> Option<T> {
    let text = reader.word(tree, &format!("a {}", what.name), what.example)?;
    let read = parse(text);
    if read.is_none() {
        let problem = reader
            .error(codes::BAD_QUANTITY, tree.mark, format!("`{text}` is not a {}", what.name))
            .label(format!("expected a {}", what.name))
            .help(format!("{} For example `{}`", what.doc, what.example));
        reader.report(problem);
    }
    read
}

const SPAN: Scalar = Scalar {
    name: "time span",
    doc: "A length of time with its unit: `ms`, `s`, `m`, `h`, `d`, `w`.",
    json: &["string"],
    pattern: Some(r"^([0-9]+(ms|s|m|h|d|w))+$"),
    bounds: None,
    example: "15m",
};
const MOMENT: Scalar = Scalar {
    name: "point in time",
    doc: "Date and time with offset or zone (RFC 3339).",
    json: &["string"],
    pattern: Some(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}"),
    bounds: None,
    example: "2026-12-04T10:00+08:00",
};
const MONEY: Scalar = Scalar {
    name: "sum of money",
    doc: "An amount with its currency, `USD` or `CNY`.",
    json: &["string"],
    pattern: Some(r"^[0-9][0-9,]*(\.[0-9]+)? (USD|CNY)$"),
    bounds: None,
    example: "20000 USD",
};

macro_rules! scalar_setting {
    ($Type:ty, $scalar:expr, $parse:expr, $show:expr) => {
        impl Setting for $Type {
            fn decode(tree: &Tree, reader: &mut Reader<'_>) -> Option<Self> {
                parsed(tree, reader, &$scalar, $parse)
            }
            fn encode(&self) -> Option<Value> {
                let show: fn(&Self) -> String = $show;
                Some(Value::String(show(self)))
            }
            fn shape() -> Shape {
                Shape::Scalar($scalar)
            }
        }
    };
}
pub(crate) use scalar_setting;

scalar_setting!(Span, SPAN, Span::parse, |span| exact_span(*span));
scalar_setting!(Moment, MOMENT, Moment::parse_rfc3339, |moment| moment.rfc3339());
scalar_setting!(Money, MONEY, parse_money, |money| format!("{} {}", money.amount, money.currency));

/// A span in all its units; its `Display` keeps only the two largest.
fn exact_span(span: Span) -> String {
    let mut rest = span.as_millis();
    let mut out = String::new();
    for (unit, name) in [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s"), (1, "ms")] {
        if rest >= unit {
            // Writing to a String cannot fail.
            let _ = write!(out, "{}{name}", rest / unit);
            rest %= unit;
        }
    }
    if out.is_empty() { "0s".to_owned() } else { out }
}

fn parse_money(text: &str) -> Option<Money> {
    let (amount, currency) = text.trim().rsplit_once(' ')?;
    let amount: Decimal = amount.trim().replace(',', "").parse().ok()?;
    (!amount.is_sign_negative()).then_some(Money::new(amount, Currency::parse(currency)?))
}

macro_rules! name_setting {
    ($($Type:ident: $what:literal, $pattern:literal, $example:literal);+ $(;)?) => {$(
        impl Setting for $Type {
            fn decode(tree: &Tree, reader: &mut Reader<'_>) -> Option<Self> {
                let text = reader.word(tree, concat!("a ", $what), $example)?;
                match Self::new(text) {
                    Ok(name) => Some(name),
                    Err(reason) => {
                        let help = lawful(text, Self::MAX).map_or_else(
                            || format!("for example `{}`", $example),
                            |better| format!("for example `{better}`"),
                        );
                        let label = match reason {
                            NameError::Empty => "nothing is given".to_owned(),
                            NameError::TooLong { max, .. } => format!("at most {max} characters"),
                            NameError::Character { found, .. } => format!("{found:?} is not allowed there"),
                        };
                        let problem = reader
                            .error(codes::BAD_NAME, tree.mark, format!("`{text}` is not a {}: {reason}", $what))
                            .label(label)
                            .help(help);
                        reader.report(problem);
                        None
                    }
                }
            }
            fn encode(&self) -> Option<Value> {
                Some(Value::String(self.as_str().to_owned()))
            }
            fn shape() -> Shape {
                Shape::Scalar(Scalar {
                    name: $what,
                    doc: "Lower-case letters, digits and single hyphens between them, starting with a letter.",
                    json: &["string"],
                    pattern: Some($pattern),
                    bounds: None,
                    example: $example,
                })
            }
        }
    )+};
}
name_setting! {
    BlueprintName: "name of a blueprint", "^[a-z][a-z0-9]*(-[a-z0-9]+)*$", "rocket-arena";
    AccountName: "name of an account", "^[a-z][a-z0-9]*(-[a-z0-9]+)*$", "china";
    StoreName: "name of a store", "^[a-z][a-z0-9]*(-[a-z0-9]+)*$", "accounts";
    RegionId: "region code", "^[a-z][a-z0-9]*(-[a-z0-9]+)*$", "us-east-1";
}

/// A legal name that resembles the text.
fn lawful(text: &str, max: usize) -> Option<String> {
    let mut out = String::new();
    for letter in text.chars().flat_map(char::to_lowercase) {
        match letter {
            'a'..='z' => out.push(letter),
            '0'..='9' if !out.is_empty() => out.push(letter),
            _ if !out.is_empty() && !out.ends_with('-') => out.push('-'),
            _ => {}
        }
    }
    let short: String = out.chars().take(max).collect();
    let name = short.trim_end_matches('-');
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Source;
    use crate::section::from_json;

    crate::choices! {
        /// A colour.
        pub enum Colour {
            /// Warm.
            Red = "red",
            /// Cold.
            DeepBlue = "deep-blue",
        }
    }
    crate::section! {
        /// Something with fields.
        pub struct Thing {
            /// How many.
            how_many: u32;
            /// Which colour.
            colour: Colour = Colour::Red;
            /// How long.
            lasts: Option<Span> => "2h";
        }
    }

    #[test]
    fn a_section_reads_what_it_writes_and_fills_in_what_is_absent() {
        let thing: Thing = from_json(&json!({ "howMany": 3, "lasts": "1h30m1s" })).unwrap();
        assert_eq!(thing.colour, Colour::Red);
        assert_eq!(Colour::ALL, [Colour::Red, Colour::DeepBlue]);
        let written = serde_json::to_value(&thing).unwrap();
        assert_eq!(written, json!({ "howMany": 3, "colour": "red", "lasts": "1h30m1s" }));
        assert_eq!(serde_json::from_value::<Thing>(written).unwrap(), thing);
    }

    #[test]
    fn all_problems_are_found_at_once_and_name_a_remedy() {
        let found =
            from_json::<Thing>(&json!({ "howmany": 3, "colour": "deepblue", "lasts": "2" })).unwrap_err();
        let mut shown: Vec<_> = found
            .iter()
            .map(|d| format!("{} {} {}", d.code, d.path, d.help.clone().unwrap_or_default()))
            .collect();
        shown.sort();
        assert_eq!(shown[0], "RG0102  did you mean `howMany`?");
        assert_eq!(shown[1], "RG0104 howMany add for example `howMany: 3`");
        assert!(shown[2].starts_with("RG0106 lasts "));
        assert!(shown[3].starts_with("RG0107 colour did you mean `deep-blue`?"));
    }

    #[test]
    fn money_and_names_are_checked() {
        let source = Source::default();
        let mut reader = Reader::new(&source);
        let text = |text: &str| Tree::from_json(&json!(text));
        let money = Money::decode(&text("20,000.50 CNY"), &mut reader).unwrap();
        assert_eq!(money.encode().unwrap(), json!("20000.50 CNY"));
        assert_eq!(StoreName::decode(&text("My Store"), &mut reader), None);
        let found = reader.finish();
        assert_eq!(found.iter().next().unwrap().help.as_deref(), Some("for example `my-store`"));
    }
}
