//! A section of a document is a table: one line per field writes the struct, its reader, its writer, its JSON Schema
//! and its documentation.
//!
//! Reading collects every problem and salvages what it can: a bad optional field counts as absent, a bad list element is
//! left out, and a required field that is missing or bad may have a stand-in, so that the rest can be looked at. What was
//! salvaged is good enough to be checked further, never to be acted upon: the diagnostics hold an error then.

use serde_json::{Map, Value};

use super::codes::{self, Code};
use super::diagnostic::{Diagnostic, Diagnostics, Mark, Severity, Source, did_you_mean};
use super::node::{Data, MapEntry, Tree};
use super::shape::{Row, Shape, Table};

/// A value that can stand in a document.
pub trait Setting: Sized {
    /// Reads it; nothing when a problem was reported.
    fn decode(tree: &Tree, reader: &mut Reader<'_>) -> Option<Self>;
    /// Writes it as it would be read; nothing when it is to be left out.
    fn encode(&self) -> Option<Value>;
    /// What it may look like.
    fn shape() -> Shape;
    /// What holds when a field of this type is absent; nothing when the field is required.
    fn absent() -> Option<Self> {
        None
    }
}

/// A setting with fields; implemented by [`section!`](crate::section).
pub trait Section: Setting {
    /// Its documentation and fields.
    fn table() -> Table;
    /// Reads its fields out of a map that may hold others too.
    fn read(fields: &mut Fields<'_, '_, '_>) -> Option<Self>;
    /// Writes its fields into a map.
    fn write(&self, into: &mut Map<String, Value>);
    /// What an empty section means; nothing when a field is required.
    fn blank() -> Option<Self> {
        let (blank, found) = read_empty::<Self>();
        blank.filter(|_| !found.has_errors())
    }
    /// A section of nothing but defaults and stand-ins, for the place of one that could not be read.
    fn stand_in() -> Option<Self> {
        read_empty::<Self>().0
    }
}

/// What a section without a line is read as, and what is wrong with it.
fn read_empty<T: Setting>() -> (Option<T>, Diagnostics) {
    let empty = Tree { mark: Mark::default(), data: Data::Map(Vec::new()) };
    let source = Source::default();
    let mut reader = Reader::new(&source);
    let read = T::decode(&empty, &mut reader);
    (read, reader.finish())
}

/// Reads one document, collecting what is wrong with it.
pub struct Reader<'a> {
    source: &'a Source,
    path: Vec<String>,
    found: Diagnostics,
}

impl<'a> Reader<'a> {
    /// A reader of a text.
    pub fn new(source: &'a Source) -> Self {
        Self { source, path: Vec::new(), found: Diagnostics::default() }
    }

    /// What was found.
    pub fn finish(self) -> Diagnostics {
        self.found
    }

    /// A problem at a place of the present path; to be given to [`Self::report`].
    pub fn error(&self, code: Code, mark: Mark, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(code, Severity::Error, self.source, mark, message).path(self.path())
    }

    /// Takes a problem.
    pub fn report(&mut self, problem: Diagnostic) {
        self.found.push(problem);
    }

    /// The path of what is being read.
    pub fn path(&self) -> String {
        let mut out = String::new();
        for step in &self.path {
            if !out.is_empty() && !step.starts_with('[') {
                out.push('.');
            }
            out.push_str(step);
        }
        out
    }

    /// Reads a part under its name.
    pub fn within<T>(&mut self, step: impl Into<String>, read: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(step.into());
        let out = read(self);
        self.path.pop();
        out
    }

    /// Reports that a value has another type than wanted.
    pub fn wrong_type(&mut self, tree: &Tree, wanted: &str, example: &str) {
        let mut problem = self
            .error(codes::WRONG_TYPE, tree.mark, format!("expected {wanted}, found {}", tree.type_name()))
            .label(format!("this is {}", tree.type_name()));
        if !example.is_empty() {
            problem = problem.help(format!("write for example `{example}`"));
        }
        self.report(problem);
    }

    /// The text of a scalar; numbers count as text, since `version: 17.4` is meant as it stands.
    pub fn word<'t>(&mut self, tree: &'t Tree, wanted: &str, example: &str) -> Option<&'t str> {
        match &tree.data {
            Data::Text(text) | Data::Number(text) => Some(text),
            Data::Null | Data::Flag(_) | Data::Seq(_) | Data::Map(_) => {
                self.wrong_type(tree, wanted, example);
                None
            }
        }
    }

    /// Reads a section's fields out of a map and refuses all others.
    pub fn section<T: Section>(&mut self, tree: &Tree) -> Option<T> {
        let Data::Map(entries) = &tree.data else {
            let table = T::table();
            let fields: Vec<&str> = table.rows.iter().map(|row| row.name.as_str()).collect();
            let example = Shape::Section(table.clone()).example().unwrap_or_default();
            self.wrong_type(tree, &format!("a section with fields ({})", fields.join(", ")), &example);
            return None;
        };
        let mut fields = Fields { reader: self, entries, whole: tree.mark, known: Vec::new() };
        let read = T::read(&mut fields);
        fields.refuse_others();
        read
    }
}

/// The fields of a map while a section reads them.
pub struct Fields<'r, 'a, 't> {
    reader: &'r mut Reader<'a>,
    entries: &'t [MapEntry],
    whole: Mark,
    known: Vec<String>,
}

impl<'t> Fields<'_, '_, 't> {
    /// Reads a field. `absent` gives what holds without it; nothing makes it required. `stand_in` gives what takes its
    /// place when it is required and could not be read, which has been reported then.
    pub fn take<T: Setting>(
        &mut self,
        field: &str,
        absent: impl FnOnce() -> Option<T>,
        stand_in: impl FnOnce() -> Option<T>,
    ) -> Option<T> {
        // There is a copy of this for every field of every section: all that can be is in functions that exist once.
        let (name, entry) = self.find(field);
        match entry {
            Some(MapEntry { value, .. }) if value.data != Data::Null => {
                let read = self.reader.within(name, |reader| T::decode(value, reader));
                read.or_else(absent).or_else(stand_in)
            }
            other => match absent() {
                None => {
                    self.report_missing(name, other, T::shape().example());
                    stand_in()
                }
                found => found,
            },
        }
    }

    /// The name of a field in documents, which is known from now on, and its entry.
    fn find(&mut self, field: &str) -> (String, Option<&'t MapEntry>) {
        let name = camel(field);
        self.known.push(name.clone());
        let entry = self.entries.iter().find(|entry| entry.key == name);
        (name, entry)
    }

    /// Reports a required field that is not there, or has no value. A key without a value is the same as no key.
    fn report_missing(&mut self, name: String, empty: Option<&MapEntry>, example: Option<String>) {
        let mark = empty.map_or_else(|| self.first(), |entry| entry.key_mark);
        let message = format!("the field `{name}` is missing");
        let help = example.map(|example| format!("add for example `{name}: {example}`"));
        let mut problem = self
            .reader
            .within(name, |reader| reader.error(codes::MISSING_FIELD, mark, message))
            .label(if empty.is_some() { "it has no value" } else { "in this section" });
        if let Some(help) = help {
            problem = problem.help(help);
        }
        self.reader.report(problem);
    }

    fn first(&self) -> Mark {
        self.entries.first().map_or(self.whole, |entry| entry.key_mark)
    }

    fn refuse_others(self) {
        for (place, entry) in self.entries.iter().enumerate() {
            if let Some(earlier) =
                self.entries.get(..place).and_then(|e| e.iter().find(|e| e.key == entry.key))
            {
                let (line, _) = self.reader.source.position(earlier.key_mark.start);
                let problem = self
                    .reader
                    .error(codes::DUPLICATE_FIELD, entry.key_mark, format!("`{}` is given twice", entry.key))
                    .label(format!("first given in line {line}"))
                    .help("remove one of the two");
                self.reader.report(problem);
                continue;
            }
            if self.known.contains(&entry.key) {
                continue;
            }
            let near = did_you_mean(&entry.key, self.known.iter().map(String::as_str));
            let help = near.map_or_else(
                || format!("the fields here are: {}", self.known.join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            let problem = self
                .reader
                .error(
                    codes::UNKNOWN_FIELD,
                    entry.key_mark,
                    format!("there is no field `{}` here", entry.key),
                )
                .label("unknown field")
                .help(help);
            self.reader.report(problem);
        }
    }
}

/// `peak_concurrent` in this library is `peakConcurrent` in documents.
pub fn camel(field: &str) -> String {
    let mut out = String::with_capacity(field.len());
    let mut raise = false;
    for letter in field.chars() {
        if letter == '_' {
            raise = true;
        } else if raise {
            out.extend(letter.to_uppercase());
            raise = false;
        } else {
            out.push(letter);
        }
    }
    out
}

/// A field as a row of its table; called by [`section!`](crate::section).
pub fn row<T: Setting>(
    field: &str,
    doc: &'static str,
    absent: Option<&T>,
    example: Option<&'static str>,
) -> Row {
    Row {
        name: camel(field),
        doc,
        required: absent.is_none(),
        default: absent.and_then(Setting::encode),
        example,
        shape: T::shape(),
    }
}

/// Reads a setting from a value that was not written by hand, such as the body of a custom resource.
pub fn from_json<T: Setting>(value: &Value) -> Result<T, Diagnostics> {
    let source = Source::default();
    let mut reader = Reader::new(&source);
    let read = T::decode(&Tree::from_json(value), &mut reader);
    let found = reader.finish();
    match read {
        Some(read) if !found.has_errors() => Ok(read),
        _ => Err(found),
    }
}

/// The same for serde, with all problems in one message.
pub fn deserialize<'de, T: Setting, D: serde::Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    let value: Value = serde::Deserialize::deserialize(from)?;
    from_json(&value).map_err(|found| {
        let all: Vec<String> =
            found.iter().map(|d| format!("{}: {} [{}]", d.path, d.message, d.code)).collect();
        serde::de::Error::custom(all.join("; "))
    })
}

/// Gives a [`Setting`] its serde implementations, so that files, plans and custom resources read alike.
#[macro_export]
macro_rules! setting_serde {
    ($Name:ty) => {
        impl serde::Serialize for $Name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                $crate::section::Setting::encode(self).unwrap_or_default().serialize(to)
            }
        }
        impl<'de> serde::Deserialize<'de> for $Name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                $crate::section::deserialize(from)
            }
        }
    };
}

/// Writes a section's struct and everything about it. A field is `name: Type;` (required, unless the type itself can be
/// absent), `name: Type = default;`, either with `=> "example"`. `, else value` at the end of a required one is its stand-in,
/// an `Option`: only where no other part is judged by that value. A line `..name: Section;` at the top takes in the fields
/// of another section. Documents spell `field_name` as `fieldName`.
#[macro_export]
macro_rules! section {
    ($(
        $(#[doc = $doc:literal])+
        pub struct $Name:ident {
            $(.. $flat:ident : $Flat:ty ;)?
            $(
                $(#[doc = $field_doc:literal])+
                $field:ident : $Type:ty $(= $default:expr)? $(=> $example:literal)? $(, else $stand_in:expr)? ;
            )*
        }
    )+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $Name {
            $(/// The fields that all sections of this kind share.
            pub $flat: $Flat,)?
            $($(#[doc = $field_doc])+ pub $field: $Type,)*
        }

        impl $crate::section::Section for $Name {
            fn table() -> $crate::shape::Table {
                let own = vec![$($crate::section::row::<$Type>(
                    stringify!($field),
                    concat!($($field_doc),+).trim_ascii(),
                    $crate::section!(@absent $Type $(, $default)?).as_ref(),
                    $crate::section!(@example $($example)?),
                )),*];
                let rows = $crate::section!(@joined own $(, $Flat)?);
                $crate::shape::Table {
                    name: stringify!($Name),
                    doc: concat!($($doc),+).trim_ascii(),
                    rows,
                }
            }
            fn read(fields: &mut $crate::section::Fields<'_, '_, '_>) -> Option<Self> {
                $(let $flat = <$Flat as $crate::section::Section>::read(fields);)?
                $(let $field = fields.take::<$Type>(
                    stringify!($field),
                    || $crate::section!(@absent $Type $(, $default)?),
                    || $crate::section!(@stand_in $($stand_in)?),
                );)*
                Some(Self { $($flat: $flat?,)? $($field: $field?,)* })
            }
            fn write(&self, into: &mut serde_json::Map<String, serde_json::Value>) {
                $($crate::section::Section::write(&self.$flat, into);)?
                $(if let Some(value) = $crate::section::Setting::encode(&self.$field) {
                    into.insert($crate::section::camel(stringify!($field)), value);
                })*
            }
        }

        impl $crate::section::Setting for $Name {
            fn decode(
                tree: &$crate::node::Tree,
                reader: &mut $crate::section::Reader<'_>,
            ) -> Option<Self> {
                reader.section(tree)
            }
            fn encode(&self) -> Option<serde_json::Value> {
                let mut fields = serde_json::Map::new();
                $crate::section::Section::write(self, &mut fields);
                Some(serde_json::Value::Object(fields))
            }
            fn shape() -> $crate::shape::Shape {
                $crate::shape::Shape::Section(<Self as $crate::section::Section>::table())
            }
        }
        $crate::setting_serde!($Name);
    )+};
    (@absent $Type:ty) => { <$Type as $crate::section::Setting>::absent() };
    (@absent $Type:ty, $default:expr) => { Some::<$Type>($default) };
    (@stand_in) => { None };
    (@stand_in $stand_in:expr) => { $stand_in };
    (@joined $own:ident) => { $own };
    (@joined $own:ident, $Flat:ty) => {{
        let mut rows = <$Flat as $crate::section::Section>::table().rows;
        rows.extend($own);
        rows
    }};
    (@example) => { None };
    (@example $example:literal) => { Some($example) };
}

/// Writes a closed list of words: the enum, its reader, writer and documentation.
#[macro_export]
macro_rules! choices {
    ($(
        $(#[doc = $doc:literal])+
        pub enum $Name:ident {
            $($(#[doc = $word_doc:literal])+ $Variant:ident = $word:literal),+ $(,)?
        }
    )+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $Name {
            $($(#[doc = $word_doc])+ $Variant,)+
        }
        impl $Name {
            /// All of them, in order.
            pub const ALL: &'static [Self] = &[$(Self::$Variant),+];
            /// The word in documents.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$Variant => $word),+ }
            }
        }
        impl std::fmt::Display for $Name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
        $crate::choices!(@setting $Name, [$($doc),+], $([$($word_doc),+] $Variant = $word),+);
        $crate::setting_serde!($Name);
    )+};
    // For an enum that is declared elsewhere.
    (@setting $Name:ty, [$($doc:literal),+], $([$($word_doc:literal),+] $Variant:ident = $word:literal),+) => {
        impl $crate::section::Setting for $Name {
            fn decode(
                tree: &$crate::node::Tree,
                reader: &mut $crate::section::Reader<'_>,
            ) -> Option<Self> {
                let words: &[(&str, Self)] = &[$(($word, Self::$Variant)),+];
                $crate::settings::choose(tree, reader, words)
            }
            fn encode(&self) -> Option<serde_json::Value> {
                let word = match self { $(Self::$Variant => $word),+ };
                Some(serde_json::Value::String(word.to_owned()))
            }
            fn shape() -> $crate::shape::Shape {
                $crate::shape::Shape::Choice($crate::shape::Choice {
                    name: stringify!($Name),
                    doc: concat!($($doc),+).trim_ascii(),
                    words: vec![$(($word, concat!($($word_doc),+).trim_ascii())),+],
                })
            }
        }
    };
}
