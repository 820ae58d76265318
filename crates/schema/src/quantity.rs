//! Quantities with units, as people write them: exact integers inside, read and written without loss.

use std::fmt;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde_json::Value;

use super::codes;
use super::node::{Data, Tree};
use super::section::{Reader, Section, Setting};
use super::settings::{parsed, scalar_setting};
use super::shape::{Scalar, Shape};

/// Reads a non-negative decimal that must come out whole after multiplication.
fn scaled(digits: &str, factor: u64) -> Option<u64> {
    let plain = digits.replace('_', "");
    let legal = plain.starts_with(|c: char| c.is_ascii_digit())
        && plain.chars().all(|c| c.is_ascii_digit() || c == '.');
    let number: Decimal = if legal { plain.parse().ok()? } else { return None };
    let whole = number.checked_mul(Decimal::from(factor))?;
    if whole.fract().is_zero() { whole.to_u64() } else { None }
}

/// Splits `1.5TiB` into its number and its unit.
fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let cut = text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '_')).unwrap_or(text.len());
    let (number, unit) = text.split_at(cut);
    (number, unit.trim_start())
}

/// Writes a value in units of `factor`, such as `1.5`.
fn in_units(value: u64, factor: u64) -> String {
    Decimal::from(value).checked_div(Decimal::from(factor)).unwrap_or_default().normalize().to_string()
}

/// A number of things: `200`, `200k`, `1.5M`, `2G`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Count(pub u64);

impl Count {
    const UNITS: [(u64, &'static str); 3] = [(1_000_000_000, "G"), (1_000_000, "M"), (1_000, "k")];

    /// Reads it.
    pub fn parse(text: &str) -> Option<Self> {
        let (number, unit) = split(text);
        let factor = match unit {
            "" => 1,
            "k" | "K" => 1_000,
            "M" => 1_000_000,
            "G" => 1_000_000_000,
            _ => return None,
        };
        scaled(number, factor).map(Self)
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The shortest exact way of writing it, in the largest of equally short units.
        let units = Self::UNITS.iter().filter(|(unit, _)| self.0 >= *unit);
        let written = units.map(|(unit, name)| format!("{}{name}", in_units(self.0, *unit)));
        let shortest = written.chain([self.0.to_string()]).min_by_key(String::len);
        f.pad(&shortest.unwrap_or_default())
    }
}

/// A number of bytes: `16GiB`, `10TiB`, `500GB`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(pub u64);

impl Bytes {
    /// One gibibyte.
    pub const GIB: u64 = 1 << 30;
    /// One tebibyte.
    pub const TIB: u64 = 1 << 40;
    const UNITS: [(u64, &'static str); 11] = [
        (1 << 50, "PiB"),
        (1_000_000_000_000_000, "PB"),
        (1 << 40, "TiB"),
        (1_000_000_000_000, "TB"),
        (1 << 30, "GiB"),
        (1_000_000_000, "GB"),
        (1 << 20, "MiB"),
        (1_000_000, "MB"),
        (1 << 10, "KiB"),
        (1_000, "kB"),
        (1, "B"),
    ];

    /// So many gibibytes; saturates.
    pub const fn from_gib(gib: u64) -> Self {
        Self(gib.saturating_mul(Self::GIB))
    }
    /// Gibibytes with fraction, for estimates.
    pub fn as_gib(self) -> f64 {
        self.0 as f64 / Self::GIB as f64
    }
    /// Reads it. `KB` is refused: half of the world means 1000, the other 1024.
    pub fn parse(text: &str) -> Option<Self> {
        let (number, unit) = split(text);
        let (factor, _) = Self::UNITS.iter().find(|(_, name)| *name == unit)?;
        scaled(number, *factor).map(Self)
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = Self::UNITS.iter().find(|(unit, _)| self.0 >= *unit && self.0.is_multiple_of(*unit));
        let (unit, name) = whole.unwrap_or(&(1, "B"));
        f.pad(&format!("{}{name}", in_units(self.0, *unit)))
    }
}

/// A part of a whole, from 0 to 100 %, in millionths: `90%`, `99.95%`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share(u32);

impl Share {
    /// Nothing of it.
    pub const NONE: Self = Self(0);
    /// All of it.
    pub const WHOLE: Self = Self(1_000_000);

    /// So many percent; more than 100 counts as 100.
    pub const fn percent(percent: u32) -> Self {
        Self(if percent >= 100 { 1_000_000 } else { percent * 10_000 })
    }
    /// So many millionths; more than a whole counts as the whole.
    pub const fn from_millionths(millionths: u32) -> Self {
        Self(if millionths > 1_000_000 { 1_000_000 } else { millionths })
    }
    /// Millionths.
    pub const fn millionths(self) -> u32 {
        self.0
    }
    /// From 0 to 1, for estimates.
    pub fn fraction(self) -> f64 {
        f64::from(self.0) / 1_000_000.0
    }
    /// What is left of the whole.
    #[must_use]
    pub const fn rest(self) -> Self {
        Self(1_000_000 - self.0)
    }
    /// Reads it; the percent sign is required, since a bare `0.9` might mean either.
    pub fn parse(text: &str) -> Option<Self> {
        let number = text.trim().strip_suffix('%')?.trim_end();
        let millionths = u32::try_from(scaled(number, 10_000)?).ok()?;
        (millionths <= 1_000_000).then_some(Self(millionths))
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}%", in_units(u64::from(self.0), 10_000)))
    }
}

/// Growth from one month to the next, in millionths; may be negative: `15%`, `-3%`, `150%`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PerMonth(i32);

impl PerMonth {
    /// No growth.
    pub const NONE: Self = Self(0);

    /// As a fraction, 0.15 for 15 %, for estimates.
    pub fn fraction(self) -> f64 {
        f64::from(self.0) / 1_000_000.0
    }
    /// Millionths per month.
    pub const fn millionths(self) -> i32 {
        self.0
    }
    /// Reads it. Growth above 1000 % or a loss of more than everything is a mistake.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
        let number = digits.strip_suffix('%')?.trim_end();
        let millionths = sign * i32::try_from(scaled(number, 10_000)?).ok()?;
        (-1_000_000..=10_000_000).contains(&millionths).then_some(Self(millionths))
    }
}

impl fmt::Display for PerMonth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        f.pad(&format!("{sign}{}%", in_units(u64::from(self.0.unsigned_abs()), 10_000)))
    }
}

/// A multiple, in thousandths: `3x`, `1.5x`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Factor(u32);

impl Factor {
    /// The same again.
    pub const ONE: Self = Self(1_000);

    /// As a number, for estimates.
    pub fn as_f64(self) -> f64 {
        f64::from(self.0) / 1_000.0
    }
    /// Thousandths.
    pub const fn thousandths(self) -> u32 {
        self.0
    }
    /// Reads it; zero and more than a thousand times are mistakes.
    pub fn parse(text: &str) -> Option<Self> {
        let number = text.trim().strip_suffix('x')?.trim_end();
        let thousandths = u32::try_from(scaled(number, 1_000)?).ok()?;
        (1..=1_000_000).contains(&thousandths).then_some(Self(thousandths))
    }
}

impl fmt::Display for Factor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}x", in_units(u64::from(self.0), 1_000)))
    }
}

/// A serverless capacity in steps of one half: `0.5`, `8`, `12.5`. Kept as the number of halves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Halves(pub u32);

impl Halves {
    /// So many whole units.
    pub const fn whole(units: u32) -> Self {
        Self(units.saturating_mul(2))
    }
    /// As a number, for estimates.
    pub fn as_f64(self) -> f64 {
        f64::from(self.0) / 2.0
    }
    /// Reads it.
    pub fn parse(text: &str) -> Option<Self> {
        u32::try_from(scaled(text.trim(), 2)?).ok().map(Self)
    }
}

impl fmt::Display for Halves {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&in_units(u64::from(self.0), 2))
    }
}

/// A time of day, in minutes since midnight: `03:00`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeOfDay(u16);

impl TimeOfDay {
    /// Minutes since midnight, below 1440.
    pub const fn minutes(self) -> u16 {
        self.0
    }
    /// Reads `hh:mm`.
    pub fn parse(text: &str) -> Option<Self> {
        let (hours, minutes) = text.trim().split_once(':')?;
        let two_digits = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
        if !two_digits(hours) || !two_digits(minutes) {
            return None;
        }
        let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
        (hours < 24 && minutes < 60).then_some(Self(hours * 60 + minutes))
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:02}:{:02}", self.0 / 60, self.0 % 60))
    }
}

/// Bounds within which a number is chosen, both included: `2..8`. A bare number means exactly that many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Between {
    /// The least.
    pub min: u32,
    /// The most.
    pub max: u32,
}

impl Between {
    /// Exactly one number.
    pub const fn exactly(number: u32) -> Self {
        Self { min: number, max: number }
    }
    /// The nearest number within the bounds.
    pub fn clamp(self, number: u32) -> u32 {
        number.max(self.min).min(self.max.max(self.min))
    }
}

impl fmt::Display for Between {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.min == self.max {
            write!(f, "{}", self.min)
        } else {
            write!(f, "{} to {}", self.min, self.max)
        }
    }
}

crate::section! {
    /// Bounds within which a number is chosen, both included.
    pub struct Bounds {
        /// The least.
        min: u32 => "1";
        /// The most.
        max: u32 => "8";
    }
}

impl Setting for Between {
    fn decode(tree: &Tree, reader: &mut Reader<'_>) -> Option<Self> {
        let (min, max, mark) = match &tree.data {
            Data::Number(_) => return u32::decode(tree, reader).map(Self::exactly),
            Data::Text(_) => {
                let (min, max) = parsed(tree, reader, &BETWEEN, parse_bounds)?;
                (min, max, tree.mark)
            }
            Data::Null | Data::Flag(_) | Data::Seq(_) | Data::Map(_) => {
                let Bounds { min, max } = reader.section::<Bounds>(tree)?;
                (min, max, tree.get("min").map_or(tree.mark, |min| min.mark))
            }
        };
        if min > max {
            let problem = reader
                .error(codes::MIN_OVER_MAX, mark, format!("the least is {min}, but the most is {max}"))
                .label(format!("more than {max}"))
                .help(format!("write `\"{max}..{min}\"` if they were exchanged"));
            reader.report(problem);
            return None;
        }
        Some(Self { min, max })
    }
    fn encode(&self) -> Option<Value> {
        let Self { min, max } = self;
        Some(if min == max { Value::from(*min) } else { Value::from(format!("{min}..{max}")) })
    }
    fn shape() -> Shape {
        Shape::Either(Box::new(Shape::Scalar(BETWEEN)), Box::new(Shape::Section(Bounds::table())))
    }
}

/// `2..8`, or `3` for exactly that many.
fn parse_bounds(text: &str) -> Option<(u32, u32)> {
    let number = |text: &str| {
        let text = text.trim();
        text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
    };
    match text.split_once("..") {
        Some((min, max)) => Some((number(min)?, number(max)?)),
        None => number(text).map(|exactly| (exactly, exactly)),
    }
}
crate::setting_serde!(Between);

const fn text(name: &'static str, doc: &'static str, pattern: &'static str, example: &'static str) -> Scalar {
    Scalar { name, doc, json: &["string"], pattern: Some(pattern), bounds: None, example }
}
const COUNT: Scalar = Scalar {
    json: &["string", "integer"],
    ..text(
        "count",
        "A number, with `k`, `M` or `G` for thousands, millions, billions.",
        r"^[0-9][0-9_]*(\.[0-9]+)?[kKMG]?$",
        "200k",
    )
};
const BYTES: Scalar = text(
    "size",
    "A number of bytes with its unit: `KiB`, `MiB`, `GiB`, `TiB`, `PiB` (powers of 1024) or `kB`, `MB`, `GB`, `TB`, `PB`.",
    r"^[0-9][0-9_]*(\.[0-9]+)? ?([KMGTP]iB|[kMGTP]?B)$",
    "10TiB",
);
const SHARE: Scalar =
    text("share", "A part of the whole in percent, from `0%` to `100%`.", r"^[0-9]+(\.[0-9]+)? ?%$", "90%");
const PER_MONTH: Scalar =
    text("growth", "Growth from one month to the next in percent.", r"^-?[0-9]+(\.[0-9]+)? ?%$", "15%");
const FACTOR: Scalar = text("factor", "A multiple of what is normal.", r"^[0-9]+(\.[0-9]+)? ?x$", "3x");
const HALVES: Scalar = Scalar {
    json: &["string", "number"],
    ..text(
        "capacity",
        "A capacity in steps of one half; a half in quotes, since not every tool gives a fraction back as it was.",
        r"^[0-9]+(\.[05])?$",
        "\"0.5\"",
    )
};
const BETWEEN: Scalar = Scalar {
    json: &["string", "integer"],
    bounds: Some((0, 4_294_967_295)),
    ..text(
        "range",
        "The least and the most, both included, such as `\"2..8\"`; a bare number means exactly that many.",
        r"^[0-9]+( ?\.\. ?[0-9]+)?$",
        "\"2..8\"",
    )
};

const TIME_OF_DAY: Scalar =
    text("time of day", "Hours and minutes.", r"^([01][0-9]|2[0-3]):[0-5][0-9]$", "03:00");

scalar_setting!(TimeOfDay, TIME_OF_DAY, TimeOfDay::parse, |it| it.to_string());
crate::setting_serde!(TimeOfDay);
scalar_setting!(Count, COUNT, Count::parse, |it| it.to_string());
scalar_setting!(Bytes, BYTES, Bytes::parse, |it| it.to_string());
scalar_setting!(Share, SHARE, Share::parse, |it| it.to_string());
scalar_setting!(PerMonth, PER_MONTH, PerMonth::parse, |it| it.to_string());
scalar_setting!(Factor, FACTOR, Factor::parse, |it| it.to_string());
crate::setting_serde!(Count);
crate::setting_serde!(Bytes);
crate::setting_serde!(Share);
crate::setting_serde!(PerMonth);
crate::setting_serde!(Factor);

impl Setting for Halves {
    fn decode(tree: &Tree, reader: &mut Reader<'_>) -> Option<Self> {
        parsed(tree, reader, &HALVES, Self::parse)
    }
    fn encode(&self) -> Option<Value> {
        serde_json::from_str(&self.to_string()).ok()
    }
    fn shape() -> Shape {
        Shape::Scalar(HALVES)
    }
}
crate::setting_serde!(Halves);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_shown_in_their_largest_exact_unit() {
        for text in ["200k", "1.5M", "999", "1234567", "2G", "0"] {
            assert_eq!(Count::parse(text).map(|c| c.to_string()).as_deref(), Some(text));
        }
        for text in ["10TiB", "16GiB", "500GB", "1536GiB", "7B", "0B"] {
            assert_eq!(Bytes::parse(text).map(|c| c.to_string()).as_deref(), Some(text));
        }
        assert_eq!(Bytes::parse("1.5TiB"), Bytes::parse("1536GiB"));
        assert_eq!(Share::parse("99.95%").map(|s| s.to_string()).as_deref(), Some("99.95%"));
        assert_eq!(PerMonth::parse("-3%").map(|s| s.to_string()).as_deref(), Some("-3%"));
        assert_eq!(Factor::parse("1.5x").map(|s| s.to_string()).as_deref(), Some("1.5x"));
        assert_eq!(Halves::parse("12.5"), Some(Halves(25)));
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for text in ["0.9", "101%", "-1%", "%", "1e2%", ".5%"] {
            assert_eq!(Share::parse(text), None, "{text}");
        }
        for text in ["10", "10KB", "10tib", "-1GiB", "1.00000000001KiB", "99999999PiB"] {
            assert_eq!(Bytes::parse(text), None, "{text}");
        }
        for text in ["", "1.5", "k", "3m", "99999999999999999999"] {
            assert_eq!(Count::parse(text), None, "{text}");
        }
        assert_eq!(Factor::parse("0x"), None);
        assert_eq!(Halves::parse("0.3"), None);
    }

    #[test]
    fn bounds_are_one_word_a_number_or_a_section_and_are_written_as_one_word() {
        use crate::section::from_json;
        use serde_json::json;
        let read = |value: Value| from_json::<Between>(&value);
        let both = Between { min: 2, max: 8 };
        for same in [json!("2..8"), json!("2 .. 8"), json!({ "min": 2, "max": 8 })] {
            assert_eq!(read(same), Ok(both));
        }
        assert_eq!(read(json!("3")), Ok(Between::exactly(3)));
        assert_eq!(both.encode(), Some(json!("2..8")));
        assert_eq!(Between::exactly(3).encode(), Some(json!(3)));
        for (wrong, code) in [
            ("8..2", codes::MIN_OVER_MAX),
            ("2..", codes::BAD_QUANTITY),
            ("2-8", codes::BAD_QUANTITY),
            ("2..99999999999", codes::BAD_QUANTITY),
            ("+2..8", codes::BAD_QUANTITY),
        ] {
            assert_eq!(read(json!(wrong)).unwrap_err().iter().next().unwrap().code, code, "{wrong}");
        }
    }
}
