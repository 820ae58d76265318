//! Amounts of money. Amounts of different currencies never meet: there is no conversion here.

use crate::choices;
use std::collections::BTreeMap;
use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// A currency in which AWS bills: dollars in partition `aws`, yuan in `aws-cn`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Currency {
    /// United States dollar.
    Usd,
    /// Chinese yuan.
    Cny,
}

impl Currency {
    /// Reads an ISO 4217 code, in capitals.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "USD" => Some(Self::Usd),
            "CNY" => Some(Self::Cny),
            _ => None,
        }
    }
    /// The ISO 4217 code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Usd => "USD",
            Self::Cny => "CNY",
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// An exact amount in one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Money {
    /// The amount in units of the currency (not cents).
    pub amount: Decimal,
    /// Which currency.
    pub currency: Currency,
}

impl Money {
    /// An amount in a currency.
    pub const fn new(amount: Decimal, currency: Currency) -> Self {
        Self { amount, currency }
    }
    /// The amount `quantity` times; an amount beyond the decimal's range saturates.
    #[must_use]
    pub fn times(self, quantity: Decimal) -> Self {
        Self { amount: self.amount.checked_mul(quantity).unwrap_or(Decimal::MAX), ..self }
    }
}

impl fmt::Display for Money {
    /// Two decimals and thousands separated, such as `12,345.60 USD`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{:.2}", self.amount.round_dp(2).abs());
        let (whole, cents) = text.split_once('.').unwrap_or((&text, "00"));
        let mut grouped = String::new();
        for (place, digit) in whole.chars().enumerate() {
            if place > 0 && (whole.len() - place) % 3 == 0 {
                grouped.push(',');
            }
            grouped.push(digit);
        }
        let sign = if self.amount.round_dp(2).is_sign_negative() && !self.amount.round_dp(2).is_zero() {
            "-"
        } else {
            ""
        };
        f.pad(&format!("{sign}{grouped}.{cents} {}", self.currency))
    }
}

/// A sum over lines of several currencies, some of which may have no known price.
///
/// When anything is unpriced, the sum is a lower bound and must be shown as "at least".
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Total {
    /// The known part, by currency.
    pub known: BTreeMap<Currency, Decimal>,
    /// What has no known price, as shown to a person; sorted, each once.
    pub unpriced: Vec<String>,
}

impl Total {
    /// Adds a known amount.
    pub fn add(&mut self, money: Money) {
        let entry = self.known.entry(money.currency).or_default();
        *entry = entry.checked_add(money.amount).unwrap_or(Decimal::MAX);
    }
    /// Notes something that has no known price.
    pub fn add_unpriced(&mut self, what: impl Into<String>) {
        let what = what.into();
        if let Err(place) = self.unpriced.binary_search(&what) {
            self.unpriced.insert(place, what);
        }
    }
    /// Adds all of another total.
    pub fn merge(&mut self, other: &Self) {
        for (&currency, &amount) in &other.known {
            self.add(Money::new(amount, currency));
        }
        for what in &other.unpriced {
            self.add_unpriced(what.clone());
        }
    }
    /// Whether every part has a price.
    pub fn is_complete(&self) -> bool {
        self.unpriced.is_empty()
    }
}

impl fmt::Display for Total {
    /// Such as `at least 1,200.00 USD + 300.00 CNY`, or `unknown` when nothing is priced.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> =
            self.known.iter().map(|(&currency, &amount)| Money::new(amount, currency).to_string()).collect();
        let text = match (parts.is_empty(), self.is_complete()) {
            (true, true) => "0.00".to_owned(),
            (true, false) => "unknown".to_owned(),
            (false, true) => parts.join(" + "),
            (false, false) => format!("at least {}", parts.join(" + ")),
        };
        f.pad(&text)
    }
}

choices!(@setting Currency, ["Currency in which the region is billed."],
    ["United States dollar."] Usd = "USD", ["Chinese yuan."] Cny = "CNY");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_total_with_an_unpriced_part_is_a_lower_bound() {
        let mut total = Total::default();
        total.add(Money::new(Decimal::new(123_456_789, 2), Currency::Usd));
        assert_eq!(total.to_string(), "1,234,567.89 USD");
        total.add_unpriced("cache.r8g.large in cn-north-1");
        assert_eq!(total.to_string(), "at least 1,234,567.89 USD");
        assert_eq!(Total { known: BTreeMap::new(), ..total }.to_string(), "unknown");
    }
}
