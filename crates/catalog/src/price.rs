//! A price, what it is for, and where and when it was seen.
//!
//! Goes in: rows of a price table. Comes out: keys and known prices.
//!
//! **Invariant:** a price that is not known is [`Price::Unknown`]; there is no default, no zero and no factor. A zero
//! amount is in a table only where the provider says that something is not billed.

use std::borrow::{Borrow, Cow};
use std::cmp::Ordering;
use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::table::Row;
use rgctl_schema::money::{Currency, Money};
use rgctl_schema::time::{Moment, Span};

/// Age beyond which a plan warns about the prices that it rests on.
///
/// AWS changes list prices a few times a year; a quarter is the longest time that a review should trust one.
pub const PRICE_AGE_MAX: Span = Span::from_days(90);

/// The word in a key where a price does not depend on the engine or on the configuration.
pub const ANY: &str = "-";

macro_rules! units {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $per_month:expr;)*) => {
        /// What one price is paid for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Unit {
            $($(#[$doc])* #[serde(rename = $text)] $name,)*
        }
        impl Unit {
            /// Every unit, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];
            /// The unit as it is written in tables and price books.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
            /// How many of this unit one thing uses that is kept for an average month of 730 hours; none where the
            /// use is counted (requests, gigabytes moved) rather than held.
            pub const fn in_a_month(self) -> Option<u32> {
                match self { $(Self::$name => $per_month,)* }
            }
        }
    };
}

units! {
    /// An instance for an hour.
    Hour = "hour", Some(730);
    /// A node for an hour.
    NodeHour = "node-hour", Some(730);
    /// A node for a second.
    NodeSecond = "node-second", Some(2_628_000);
    /// A gigabyte kept for a month.
    GbMonth = "GB-month", Some(1);
    /// A gigabyte kept for an hour.
    GbHour = "GB-hour", Some(730);
    /// A gigabyte read or written.
    Gb = "GB", None;
    /// A terabyte read.
    Tb = "TB", None;
    /// A virtual processor for an hour.
    VcpuHour = "vCPU-hour", Some(730);
    /// A capacity unit of a serverless cluster for an hour.
    AcuHour = "ACU-hour", Some(730);
    /// A capacity unit of a serverless document cluster for an hour.
    DcuHour = "DCU-hour", Some(730);
    /// A processing unit of a serverless warehouse for an hour.
    RpuHour = "RPU-hour", Some(730);
    /// A million processing units of a serverless cache.
    MillionEcpu = "million-ECPU", None;
    /// A million reads and writes of storage.
    MillionRequests = "million-requests", None;
    /// A million writes sent to another region.
    MillionReplicatedIo = "million-replicated-io", None;
    /// A million change records kept for rewinding.
    MillionChangeRecords = "million-change-records", None;
    /// A secret for a month.
    SecretMonth = "secret-month", Some(1);
    /// A key for a month.
    KeyMonth = "key-month", Some(1);
    /// An alarm for a month.
    AlarmMonth = "alarm-month", Some(1);
    /// A metric for a month.
    MetricMonth = "metric-month", Some(1);
}

impl Unit {
    /// Reads a unit as it is written in tables and price books.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|unit| unit.text() == text)
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.text())
    }
}

/// What a price is for. A key borrows or owns its words; a borrowed one finds an owned one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PriceKey<'k> {
    /// The service, by its name in the catalog.
    pub service: Cow<'k, str>,
    /// An instance class, or a named unit such as `storage`.
    pub sku: Cow<'k, str>,
    /// The engine, or [`ANY`].
    pub engine: Cow<'k, str>,
    /// The configuration or tier, such as `standard` or `io-optimized`, or [`ANY`].
    pub config: Cow<'k, str>,
    /// The region's code.
    pub region: Cow<'k, str>,
    /// What one price is paid for.
    pub unit: Unit,
}

impl<'k> PriceKey<'k> {
    /// A key from its parts.
    pub fn new(
        service: impl Into<Cow<'k, str>>,
        sku: impl Into<Cow<'k, str>>,
        engine: impl Into<Cow<'k, str>>,
        config: impl Into<Cow<'k, str>>,
        region: impl Into<Cow<'k, str>>,
        unit: Unit,
    ) -> Self {
        Self {
            service: service.into(),
            sku: sku.into(),
            engine: engine.into(),
            config: config.into(),
            region: region.into(),
            unit,
        }
    }
}

/// What keys are ordered by. Maps of owned keys are searched through it, so that a borrowed key needs no copies and
/// what is found does not live shorter than the map.
pub(super) trait KeyWords {
    /// The words in the order of the fields, then the unit.
    fn words(&self) -> ([&str; 5], Unit);
}

impl KeyWords for PriceKey<'_> {
    fn words(&self) -> ([&str; 5], Unit) {
        ([&self.service, &self.sku, &self.engine, &self.config, &self.region], self.unit)
    }
}

impl<'q> Borrow<dyn KeyWords + 'q> for PriceKey<'static> {
    fn borrow(&self) -> &(dyn KeyWords + 'q) {
        self
    }
}

impl PartialEq for dyn KeyWords + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.words() == other.words()
    }
}
impl Eq for dyn KeyWords + '_ {}
impl PartialOrd for dyn KeyWords + '_ {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for dyn KeyWords + '_ {
    fn cmp(&self, other: &Self) -> Ordering {
        self.words().cmp(&other.words())
    }
}

impl fmt::Display for PriceKey<'_> {
    /// Such as `aurora db.r6g.large (aurora-mysql, standard) per hour in us-east-1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.service, self.sku)?;
        match (&*self.engine, &*self.config) {
            (ANY, ANY) => {}
            (ANY, word) | (word, ANY) => write!(f, " ({word})")?,
            (engine, config) => write!(f, " ({engine}, {config})")?,
        }
        write!(f, " per {} in {}", self.unit, self.region)
    }
}

/// How far a figure can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Confidence {
    /// Read by a machine from the provider's price list or guide, or stated by the user for their own contract.
    A,
    /// A dated statement of somebody who says that they read it there.
    B,
    /// A figure quoted in public with no date: a hint, to be shown with a mark.
    C,
}

impl Confidence {
    /// Reads `A`, `B` or `C`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "A" => Some(Self::A),
            "B" => Some(Self::B),
            "C" => Some(Self::C),
            _ => None,
        }
    }
    /// The letter.
    pub const fn letter(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
            Self::C => "C",
        }
    }
}

/// The day, month or year in which a source last showed something; may be unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AsOf(String);

impl AsOf {
    /// Reads `2026`, `2026-08`, `2026-08-12`, several of them joined by `; `, `unknown` or nothing.
    pub fn parse(text: &str) -> Option<Self> {
        let known =
            text.is_empty() || text == "unknown" || text.split("; ").all(|part| first_day(part).is_some());
        known.then(|| Self(text.to_owned()))
    }
    /// The day of a moment, in UTC.
    pub fn of(moment: Moment) -> Self {
        Self(moment.rfc3339().split('T').next().unwrap_or("unknown").to_owned())
    }
    /// The text, or `unknown`.
    pub fn text(&self) -> &str {
        if self.0.is_empty() { "unknown" } else { &self.0 }
    }
    /// The beginning of the latest day named; a month or a year counts from its first day, so that an inexact date is
    /// rather too old than too young. None where no date is known.
    pub fn moment(&self) -> Option<Moment> {
        self.0.split("; ").filter_map(first_day).max()
    }
}

impl fmt::Display for AsOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.text())
    }
}

/// The first moment of a year, month or day.
fn first_day(text: &str) -> Option<Moment> {
    if !text.bytes().all(|b| b.is_ascii_digit() || b == b'-') {
        return None;
    }
    let rest = match text.len() {
        4 => "-01-01",
        7 => "-01",
        10 => "",
        _ => return None,
    };
    Moment::parse_rfc3339(&format!("{text}{rest}T00:00:00Z"))
}

/// Where a price came from. Of two layers that know a price, the later one wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LayerKind {
    /// Shipped inside the program.
    Embedded,
    /// Read from the provider's price list by `catalog refresh`.
    Refreshed,
    /// Supplied by the user: contract prices.
    Contract,
}

impl fmt::Display for LayerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Embedded => "embedded",
            Self::Refreshed => "refreshed",
            Self::Contract => "contract",
        })
    }
}

/// A price that is known, with its provenance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownPrice {
    /// The amount for one [`KnownPrice::unit`].
    pub money: Money,
    /// What it is paid for.
    pub unit: Unit,
    /// Which layer knows it.
    pub layer: LayerKind,
    /// The source, by its key in the catalog's notes, or in the user's words.
    pub source: String,
    /// When the source last showed it.
    pub as_of: AsOf,
    /// How far to trust it.
    pub confidence: Confidence,
    /// A remark of the source; often empty.
    pub note: String,
}

/// What the catalog knows of a price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Price<'c> {
    /// A known price.
    Known(&'c KnownPrice),
    /// Nobody told; the total of anything that needs it is a lower bound.
    Unknown,
}

impl<'c> Price<'c> {
    /// The known price, if it is one.
    pub const fn known(self) -> Option<&'c KnownPrice> {
        match self {
            Self::Known(price) => Some(price),
            Self::Unknown => None,
        }
    }
    /// The amount for one unit, if it is known.
    pub fn money(self) -> Option<Money> {
        self.known().map(|price| price.money)
    }
    /// The amount for one unit held for an average month, if it is known and the unit is one that is held.
    pub fn monthly(self) -> Option<Money> {
        let price = self.known()?;
        Some(price.money.times(Decimal::from(price.unit.in_a_month()?)))
    }
}

/// The columns of a table of prices, embedded or refreshed.
pub(super) const PRICE_COLUMNS: [&str; 12] = [
    "service",
    "sku",
    "engine",
    "config",
    "region",
    "currency",
    "unit",
    "price",
    "source",
    "as_of",
    "confidence",
    "note",
];

/// Reads one row of a table of prices.
pub(super) fn price_of_row(
    row: &Row<'_>,
    layer: LayerKind,
) -> Result<(PriceKey<'static>, KnownPrice), String> {
    let unit = Unit::parse(row.text(6)).ok_or_else(|| format!("unknown unit `{}`", row.text(6)))?;
    let currency =
        Currency::parse(row.text(5)).ok_or_else(|| format!("unknown currency `{}`", row.text(5)))?;
    let amount = amount(row.text(7))?;
    let as_of = AsOf::parse(row.text(9)).ok_or_else(|| format!("`{}` is not a date", row.text(9)))?;
    let confidence =
        Confidence::parse(row.text(10)).ok_or_else(|| format!("unknown confidence `{}`", row.text(10)))?;
    if row.text(0).is_empty() || row.text(1).is_empty() || row.text(4).is_empty() || row.text(8).is_empty() {
        return Err("service, sku, region and source must be given".to_owned());
    }
    let key = PriceKey::new(row.owned(0), row.owned(1), row.owned(2), row.owned(3), row.owned(4), unit);
    let money = Money::new(amount, currency);
    Ok((key, KnownPrice { money, unit, layer, source: row.owned(8), as_of, confidence, note: row.owned(11) }))
}

/// Reads an amount of money exactly; a negative one is refused.
pub(super) fn amount(text: &str) -> Result<Decimal, String> {
    let read = if text.contains(['e', 'E']) {
        Decimal::from_scientific(text)
    } else {
        Decimal::from_str_exact(text)
    };
    let amount = read.map_err(|error| format!("`{text}` is not an amount: {error}"))?;
    if amount.is_sign_negative() && !amount.is_zero() {
        return Err(format!("`{text}` is negative"));
    }
    Ok(amount.normalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_reads_what_it_writes() {
        for unit in Unit::ALL {
            assert_eq!(Unit::parse(unit.text()), Some(*unit));
        }
        assert_eq!(Unit::parse("Hour"), None);
    }

    #[test]
    fn an_inexact_date_counts_from_its_first_day() {
        let moment = |text| AsOf::parse(text).and_then(|as_of| as_of.moment()).map(Moment::rfc3339);
        assert_eq!(moment("2026").as_deref(), Some("2026-01-01T00:00:00Z"));
        assert_eq!(moment("2026-08").as_deref(), Some("2026-08-01T00:00:00Z"));
        assert_eq!(moment("2023-04-24; 2026-10-20").as_deref(), Some("2026-10-20T00:00:00Z"));
        assert_eq!(moment("unknown"), None);
        for text in ["2026-13", "yesterday", "26", "2026-1-1", "2026-02-30", "2026;2027"] {
            assert_eq!(AsOf::parse(text), None, "{text}");
        }
    }

    #[test]
    fn an_amount_is_read_exactly() {
        assert_eq!(amount("0.0000000023").map(|a| a.to_string()).as_deref(), Ok("0.0000000023"));
        assert_eq!(amount("2.3E-9").map(|a| a.to_string()).as_deref(), Ok("0.0000000023"));
        for text in ["", "unknown", "-1", "NaN", "1,000"] {
            assert!(amount(text).is_err(), "{text}");
        }
    }
}
