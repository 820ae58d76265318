//! Recurring times in named zones: weekdays, time zones, weekly windows.

use std::fmt;

use serde_json::Value;

use super::codes;
use super::diagnostic::did_you_mean;
use super::node::Tree;
use super::quantity::TimeOfDay;
use super::section::{Reader, Setting};
use super::shape::{Scalar, Shape};
use super::time::Span;
use crate::{choices, section};

choices! {
    /// A day of the week.
    pub enum Weekday {
        /// Monday.
        Mon = "mon",
        /// Tuesday.
        Tue = "tue",
        /// Wednesday.
        Wed = "wed",
        /// Thursday.
        Thu = "thu",
        /// Friday.
        Fri = "fri",
        /// Saturday.
        Sat = "sat",
        /// Sunday.
        Sun = "sun",
    }
}

impl Weekday {
    /// Days since Monday.
    pub const fn index(self) -> u8 {
        self as u8
    }
}

/// A time zone of the IANA data base, such as `Asia/Shanghai`. **Invariant:** the bundled data base knows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Zone(String);

impl Zone {
    /// Coordinated universal time.
    pub fn utc() -> Self {
        Self("UTC".to_owned())
    }
    /// Takes a name that the bundled data base knows; the machine's own is not asked, so that every machine agrees.
    pub fn new(name: &str) -> Option<Self> {
        let zone = jiff::tz::TimeZoneDatabase::bundled().get(name).ok()?;
        Some(Self(zone.iana_name().unwrap_or(name).to_owned()))
    }
    /// Its name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
    /// Its rules.
    pub fn rules(&self) -> jiff::tz::TimeZone {
        jiff::tz::TimeZoneDatabase::bundled().get(&self.0).unwrap_or(jiff::tz::TimeZone::UTC)
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

const ZONE: Scalar = Scalar {
    name: "time zone",
    doc: "A time zone of the IANA data base.",
    json: &["string"],
    pattern: None,
    bounds: None,
    example: "Asia/Shanghai",
};

impl Setting for Zone {
    fn decode(tree: &Tree, reader: &mut Reader<'_>) -> Option<Self> {
        let text = reader.word(tree, "a time zone", ZONE.example)?;
        let zone = Self::new(text);
        if zone.is_none() {
            let database = jiff::tz::TimeZoneDatabase::bundled();
            let known: Vec<String> = database.available().map(|name| name.to_string()).collect();
            // People write the city alone, or a city that shares the zone of another.
            let city = |name: &&String| name.rsplit('/').next().is_some_and(|c| c.eq_ignore_ascii_case(text));
            let near = known
                .iter()
                .find(city)
                .map(String::as_str)
                .or_else(|| did_you_mean(text, known.iter().map(String::as_str)));
            let help = near.map_or_else(
                || "time zones are named like `Asia/Shanghai`, `America/New_York`, `UTC`".to_owned(),
                |near| format!("did you mean `{near}`?"),
            );
            let problem = reader
                .error(codes::BAD_ZONE, tree.mark, format!("there is no time zone `{text}`"))
                .label("unknown time zone")
                .help(help);
            reader.report(problem);
        }
        zone
    }
    fn encode(&self) -> Option<Value> {
        Some(Value::String(self.0.clone()))
    }
    fn shape() -> Shape {
        Shape::Scalar(ZONE)
    }
}
crate::setting_serde!(Zone);

section! {
    /// A weekly window in which disruptive work may be done.
    pub struct Window {
        /// On which days it begins; every day when none is given.
        days: Vec<Weekday> => "[tue, wed]";
        /// When it begins.
        starts: TimeOfDay => "03:00";
        /// How long it lasts; at least 30 minutes.
        lasts: Span => "2h";
        /// Time zone of these times.
        zone: Zone = Zone::utc() => "Asia/Shanghai";
    }
}
