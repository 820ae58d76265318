//! The order in which candidate classes are tried when a size has to be chosen.
//!
//! Goes in: candidates, all of which are big enough, and the price book. Comes out: the same candidates in order, and
//! which order that is.
//!
//! **Invariant:** the order by size is no estimate of a price, and is never shown as one: a plan states which ranking
//! chose its classes.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::book::DatesInUse;
use super::facts::InstanceClass;
use super::price::KnownPrice;

/// The order that was used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ranking {
    /// The cheapest first. Candidates without a price come last, by size, and are named here: one of them may be
    /// cheaper than the one chosen.
    ByPrice {
        /// Dates of the prices compared.
        dates: DatesInUse,
        /// Candidates whose price nobody told.
        unpriced: Vec<String>,
    },
    /// No candidate has a price. Fewest processors first, then least memory, then the newer generation, then `arm64`
    /// before `x86_64`, then by name; classes of unknown size last.
    BySize,
}

impl fmt::Display for Ranking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ByPrice { unpriced, .. } if unpriced.is_empty() => f.write_str("by price"),
            Self::ByPrice { unpriced, .. } => {
                write!(f, "by price; without a price, and so not compared: {}", unpriced.join(", "))
            }
            Self::BySize => f.write_str("by size, because no candidate has a known price here"),
        }
    }
}

/// A class with its price.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate<'c> {
    /// The class.
    pub class: &'c InstanceClass,
    /// Its price, if one is known.
    pub price: Option<&'c KnownPrice>,
}

/// Puts candidates of one region in order.
pub fn rank<'c>(candidates: impl IntoIterator<Item = Candidate<'c>>) -> (Ranking, Vec<Candidate<'c>>) {
    let mut candidates: Vec<Candidate<'c>> = candidates.into_iter().collect();
    candidates.sort_by(|a, b| {
        let by_price = match (a.price, b.price) {
            // All prices of a region are in its one currency, and those of classes are all for an hour.
            (Some(a), Some(b)) => a.money.cmp(&b.money),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        };
        by_price.then_with(|| by_size(a.class, b.class))
    });
    let ranking = if candidates.iter().any(|candidate| candidate.price.is_some()) {
        ByPriceParts::of(&candidates).into_ranking()
    } else {
        Ranking::BySize
    };
    (ranking, candidates)
}

struct ByPriceParts {
    dates: DatesInUse,
    unpriced: Vec<String>,
}

impl ByPriceParts {
    fn of(candidates: &[Candidate<'_>]) -> Self {
        let unpriced = candidates.iter().filter(|candidate| candidate.price.is_none());
        Self {
            dates: DatesInUse::of(candidates.iter().filter_map(|candidate| candidate.price)),
            unpriced: unpriced.map(|candidate| candidate.class.class.clone()).collect(),
        }
    }
    fn into_ranking(self) -> Ranking {
        Ranking::ByPrice { dates: self.dates, unpriced: self.unpriced }
    }
}

/// The order by size that [`Ranking::BySize`] describes; total, so that every run chooses the same.
pub fn by_size(a: &InstanceClass, b: &InstanceClass) -> Ordering {
    let unknown_last = |class: &InstanceClass| class.vcpu.is_none() || class.memory_gib.is_none();
    let memory = |class: &InstanceClass| class.memory_gib.unwrap_or(f64::INFINITY);
    unknown_last(a)
        .cmp(&unknown_last(b))
        .then_with(|| a.vcpu.unwrap_or(u32::MAX).cmp(&b.vcpu.unwrap_or(u32::MAX)))
        .then_with(|| memory(a).total_cmp(&memory(b)))
        .then_with(|| b.generation().cmp(&a.generation()))
        .then_with(|| a.arch.cmp(&b.arch))
        .then_with(|| a.class.cmp(&b.class))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Catalog;
    use rgctl_schema::names::RegionId;

    fn ranked(region: &str) -> (Ranking, Vec<String>) {
        let catalog = Catalog::embedded().expect("the embedded tables are well-formed");
        let region = RegionId::new(region).expect("the code of a region");
        let classes = catalog.classes_offered("aurora", "aurora-mysql", &region);
        let wanted =
            classes.into_iter().filter(|class| class.vcpu == Some(4) && class.memory_gib == Some(32.0));
        let (ranking, candidates) = catalog.rank(wanted, "aurora-mysql", "standard", &region);
        (ranking, candidates.iter().map(|candidate| candidate.class.class.clone()).collect())
    }

    #[test]
    fn known_prices_come_first_and_the_others_are_named() {
        let (ranking, classes) = ranked("us-east-1");
        let Ranking::ByPrice { unpriced, dates } = &ranking else { panic!("{ranking:?}") };
        assert_eq!(classes[0], "db.r6g.xlarge", "the cheapest of 2024");
        assert!(dates.oldest.is_some());
        assert!(classes.ends_with(unpriced), "{classes:?} {unpriced:?}");
    }

    #[test]
    fn without_any_price_the_size_decides_and_the_ranking_says_so() {
        let (ranking, classes) = ranked("cn-north-1");
        assert_eq!(ranking, Ranking::BySize);
        assert!(ranking.to_string().contains("no candidate has a known price"));
        let mut again = classes.clone();
        again.sort_by_key(|name| std::cmp::Reverse(name.chars().find(char::is_ascii_digit)));
        assert_eq!(classes, again, "the newer generation first");
    }
}
