//! The library of simple rules that are replayed in shadow.
//!
//! Every rule wants `max(a·P, b·Q)` units of demand to be covered, where `P` and `Q` depend on its segment only. So one
//! minute of all rules is a few straight passes over arrays.

use crate::forecast::{Base, Predictions};

/// Margins on a base; fine near 1, because a seasonal series wants one percent more or less.
const PLAIN: [f32; 25] = [
    1.0, 1.01, 1.02, 1.03, 1.045, 1.06, 1.08, 1.1, 1.125, 1.15, 1.2, 1.25, 1.3, 1.4, 1.5, 1.6, 1.8, 2.0, 2.3,
    2.6, 3.0, 3.5, 4.0, 5.0, 6.0,
];
/// Margins of rules that also hold a share of the highest of the last day or week.
const FLOOR_MARGINS: [f32; 6] = [1.0, 1.02, 1.06, 1.15, 1.3, 1.6];
/// Shares of that highest.
const FLOOR_SHARES: [f32; 6] = [0.25, 0.35, 0.5, 0.7, 0.9, 1.2];
/// Factors of rules whose headroom grows less than linearly with the level, as a Pareto tail asks for.
const POWER: [f32; 16] = [1.1, 1.2, 1.3, 1.4, 1.55, 1.7, 2.0, 2.3, 2.6, 3.0, 3.5, 4.0, 5.0, 6.0, 8.0, 10.0];
/// Exponents of the level in those rules.
const EXPONENTS: [f32; 2] = [0.5, 0.7];
/// Bases of those rules.
const POWER_BASES: [Base; 9] = [
    Base::Trend,
    Base::Last1h,
    Base::Last3h,
    Base::Last1d,
    Base::ThreeDays,
    Base::SparWeek,
    Base::Level1h,
    Base::Level6h,
    Base::LevelSeason,
];
/// Plain headroom below which a power rule never goes.
const POWER_LEAST: f32 = 1.03;

/// What the second term of a segment rests on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Second {
    /// Nothing: a plain margin.
    None,
    /// The highest of the last day (0) or week (1).
    Highest(usize),
    /// `base^g · mean^(1-g)`.
    Power(f32),
}

/// Rules that share their terms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Segment {
    /// The base of the first term.
    pub base: Base,
    /// The second term.
    pub second: Second,
    /// First rule of the segment.
    pub start: usize,
    /// One past the last rule.
    pub end: usize,
}

impl Segment {
    /// The two terms at this minute.
    pub fn terms(&self, said: &Predictions) -> (f32, f32) {
        let base = said.of(self.base);
        let second = match self.second {
            Second::None => 0.0,
            Second::Highest(which) => said.highest[which],
            Second::Power(g) => base.max(0.0).powf(g) * said.mean.max(0.0).powf(1.0 - g),
        };
        (base, second)
    }
}

/// All rules, as arrays.
#[derive(Clone, Debug)]
pub struct Library {
    /// The segments, in order, without holes.
    pub segments: Vec<Segment>,
    /// Factor of the first term for each rule.
    pub first: Vec<f32>,
    /// Factor of the second term for each rule.
    pub second: Vec<f32>,
    /// The next weaker rule of the same ladder; the weakest is its own neighbour.
    pub weaker: Vec<u32>,
    /// The segment of each rule.
    pub segment_of: Vec<u16>,
}

impl Library {
    /// The library in force.
    pub fn full() -> Self {
        let mut library = Self {
            segments: Vec::new(),
            first: Vec::new(),
            second: Vec::new(),
            weaker: Vec::new(),
            segment_of: Vec::new(),
        };
        for base in Base::ALL {
            library.ladder(base, Second::None, PLAIN.len(), |i| (PLAIN[i], 0.0, i.saturating_sub(1)));
        }
        let shares = FLOOR_SHARES.len();
        for base in Base::ALL {
            for highest in 0..2 {
                library.ladder(base, Second::Highest(highest), FLOOR_MARGINS.len() * shares, |i| {
                    let (m, p) = (i / shares, i % shares);
                    let weaker = m.saturating_sub(1) * shares + p.saturating_sub(1);
                    (FLOOR_MARGINS[m], FLOOR_SHARES[p], weaker)
                });
            }
        }
        for base in POWER_BASES {
            for g in EXPONENTS {
                let rule = |i: usize| (POWER_LEAST, POWER[i], i.saturating_sub(1));
                library.ladder(base, Second::Power(g), POWER.len(), rule);
            }
        }
        library
    }

    fn ladder(
        &mut self,
        base: Base,
        second: Second,
        count: usize,
        rule: impl Fn(usize) -> (f32, f32, usize),
    ) {
        let start = self.first.len();
        let segment = u16::try_from(self.segments.len()).unwrap_or(u16::MAX);
        self.segments.push(Segment { base, second, start, end: start + count });
        for i in 0..count {
            let (a, b, weaker) = rule(i);
            self.first.push(a);
            self.second.push(b);
            self.weaker.push(u32::try_from(start + weaker).unwrap_or(u32::MAX));
            self.segment_of.push(segment);
        }
    }

    /// Number of rules.
    pub fn len(&self) -> usize {
        self.first.len()
    }

    /// Whether there is no rule at all.
    pub fn is_empty(&self) -> bool {
        self.first.is_empty()
    }

    /// The segment to which a rule belongs.
    pub fn segment(&self, rule: usize) -> &Segment {
        &self.segments[usize::from(self.segment_of[rule])]
    }

    /// The demand that a rule wants covered at this minute.
    pub fn value(&self, rule: usize, said: &Predictions) -> f32 {
        let (p, q) = self.segment(rule).terms(said);
        (self.first[rule] * p).max(self.second[rule] * q)
    }

    /// The rule in words.
    pub fn words(&self, rule: usize) -> String {
        let segment = self.segment(rule);
        let (a, b) = (self.first[rule], self.second[rule]);
        let base = segment.base.words();
        match segment.second {
            Second::None => format!("{a} × {base}"),
            Second::Highest(0) => format!("{a} × {base}, at least {b} × the highest of the last day"),
            Second::Highest(_) => format!("{a} × {base}, at least {b} × the highest of the last week"),
            Second::Power(g) => format!("{b} × ({base})^{g} × (mean of the week)^{:.1}", 1.0 - g),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_is_complete_and_every_neighbour_is_weaker() {
        let library = Library::full();
        assert_eq!(library.len(), 16 * 25 + 16 * 2 * 36 + 9 * 2 * 16);
        for rule in 0..library.len() {
            let weaker = library.weaker[rule] as usize;
            assert_eq!(library.segment_of[rule], library.segment_of[weaker]);
            assert!(
                library.first[weaker] <= library.first[rule]
                    && library.second[weaker] <= library.second[rule]
            );
        }
    }
}
