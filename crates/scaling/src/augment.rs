//! Series made from measured ones: other beginnings, parts, mixtures, added noise.
//!
//! A configuration that was chosen on some series keeps the gates on those. What it does on series that nobody chose it on is
//! asked here, as far as the measured ones can tell: their bursts come at other times, in other company, with other weeks
//! before them. Deterministic by seed.

use crate::telemetry::MinuteSeries;

/// Minutes in a day.
const DAY: usize = 1440;
/// Least length of a part.
const PART_DAYS: usize = 14;
/// Most length of a part: beyond eight weeks it is the whole over again.
const PART_DAYS_MAX: usize = 56;
/// Least length of what remains after a shift; a shorter series teaches nothing about a steady state.
const SHIFTED_DAYS: usize = 7;
/// Interval from which a series lies on straight lines long enough to flatter a predictor, minutes.
const COARSE_MINUTES: i64 = 30;
/// Relative spread of added noise, for each five minutes.
const NOISE: f64 = 0.04;

/// A source of chance that is the same everywhere: splitmix64.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// A source for one purpose: the same words give the same numbers.
    pub fn of(seed: u64, words: &[u64]) -> Self {
        let mut chance = Self(seed);
        for word in words {
            chance.0 = chance.next() ^ word.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
        chance
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    /// A number from 0 to 1, 1 excluded.
    pub fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A number between two others.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.share()
    }

    /// A whole number from `low` to `high`, both included.
    pub fn whole(&mut self, low: usize, high: usize) -> usize {
        let width = (high.max(low) - low + 1) as f64;
        // A share below one of a small width.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let more = (self.share() * width) as usize;
        low + more
    }

    /// A number of the standard normal distribution, nearly: the sum of twelve shares.
    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.share()).sum::<f64>() - 6.0
    }
}

/// How a series was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Made {
    /// As it was measured.
    Measured,
    /// Its beginning left out: warm-up and scored part lie elsewhere.
    Shifted,
    /// A part of at least two weeks.
    Part,
    /// The weighted sum with another.
    Mixture,
    /// A coarse series with noise between its readings.
    Noise,
}

impl Made {
    /// The ways in which series are made.
    pub const WAYS: [Self; 4] = [Self::Shifted, Self::Part, Self::Mixture, Self::Noise];

    /// The word of the reports.
    pub fn words(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Shifted => "shifted",
            Self::Part => "part",
            Self::Mixture => "mixture",
            Self::Noise => "noise",
        }
    }
}

/// A measured series with its name.
#[derive(Clone, Debug)]
pub struct NamedSeries {
    /// Its name.
    pub name: String,
    /// Its minutes.
    pub minutes: MinuteSeries,
    /// Usual distance of two readings, minutes.
    pub interval_minutes: i64,
}

/// A series that was made.
#[derive(Clone, Debug)]
pub struct Augmented {
    /// Its name: that of its source and what was done.
    pub name: String,
    /// How it was made.
    pub made: Made,
    /// Index of its source.
    pub source: usize,
    /// Its minutes.
    pub minutes: MinuteSeries,
}

/// Makes `each` series of every way that suits, from every source.
pub fn augment(sources: &[NamedSeries], each: usize, seed: u64) -> Vec<Augmented> {
    let mut made = Vec::new();
    for (index, source) in sources.iter().enumerate() {
        for (way_number, way) in Made::WAYS.into_iter().enumerate() {
            for number in 0..each {
                let words = [index as u64, way_number as u64, number as u64];
                let mut chance = Chance::of(seed, &words);
                let Some((values, what)) = make(sources, index, way, &mut chance) else { continue };
                let minutes = MinuteSeries { values, ..source.minutes.clone() };
                // A part in which nothing happens has no scale.
                if minutes.in_units(1, 1.0).is_some() {
                    let name = format!("{} {what}", source.name);
                    made.push(Augmented { name, made: way, source: index, minutes });
                }
            }
        }
    }
    made
}

fn make(sources: &[NamedSeries], index: usize, way: Made, chance: &mut Chance) -> Option<(Vec<f64>, String)> {
    let source = &sources[index];
    let values = &source.minutes.values;
    match way {
        Made::Measured => None,
        Made::Shifted => {
            // Up to a third of the series, and never so much that less than a week remains.
            let most = (values.len() / 3).min(values.len().checked_sub(SHIFTED_DAYS * DAY + 60)?);
            let by = chance.whole(60.min(most), most);
            Some((values[by..].to_vec(), format!("without its first {:.1} days", by as f64 / DAY as f64)))
        }
        Made::Part => {
            let longest = (values.len() * 4 / 5).min(PART_DAYS_MAX * DAY);
            let length = chance.whole(PART_DAYS * DAY, longest.max(PART_DAYS * DAY));
            let from = chance.whole(0, values.len().checked_sub(length + DAY)?);
            let days = |minutes: usize| minutes as f64 / DAY as f64;
            let what = format!("days {:.1} to {:.1}", days(from), days(from + length));
            Some((values[from..from + length].to_vec(), what))
        }
        Made::Mixture => {
            let others = sources.len().checked_sub(2)?;
            let other = (index + 1 + chance.whole(0, others)) % sources.len();
            let share = chance.between(0.3, 0.7);
            Some((mixture(values, &sources[other].minutes.values, share, chance)?, {
                format!("{:.0} % with {}", 100.0 * share, sources[other].name)
            }))
        }
        Made::Noise => (source.interval_minutes >= COARSE_MINUTES)
            .then(|| (noisy(values, chance), format!("with {:.0} % noise", 100.0 * NOISE))),
    }
}

/// Weighs both to the same mean; of the longer one a part.
fn mixture(a: &[f64], b: &[f64], share: f64, chance: &mut Chance) -> Option<Vec<f64>> {
    let length = a.len().min(b.len()).min(PART_DAYS_MAX * DAY);
    let mut part = |of: &[f64]| {
        let from = chance.whole(0, of.len() - length);
        let part = of[from..from + length].to_vec();
        let mean = part.iter().sum::<f64>() / length.max(1) as f64;
        (mean > 0.0).then_some((part, mean))
    };
    let ((a, mean_a), (b, mean_b)) = (part(a)?, part(b)?);
    Some(a.iter().zip(&b).map(|(a, b)| share * a / mean_a + (1.0 - share) * b / mean_b).collect())
}

/// Multiplies with noise that is joined by straight lines over five minutes, as a five-minute metric would be.
fn noisy(values: &[f64], chance: &mut Chance) -> Vec<f64> {
    let mut ends = (1.0, 1.0 + NOISE * chance.normal());
    let noise = |step: usize, (from, to): (f64, f64)| from + (to - from) * step as f64 / 5.0;
    values
        .iter()
        .enumerate()
        .map(|(t, v)| {
            if t > 0 && t % 5 == 0 {
                ends = (ends.1, 1.0 + NOISE * chance.normal());
            }
            v * noise(t % 5, ends).max(0.0)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rgctl_schema::time::Moment;

    fn source(name: &str, days: usize, interval_minutes: i64, phase: f64) -> NamedSeries {
        let wave = |t: usize| 5.0 + 3.0 * (t as f64 / DAY as f64 * std::f64::consts::TAU + phase).sin();
        let values = (0..days * DAY).map(wave).collect();
        let minutes = MinuteSeries { start: Moment::EPOCH, values, long_gaps: 0, bridged_minutes: 0 };
        NamedSeries { name: name.into(), minutes, interval_minutes }
    }

    #[test]
    fn every_way_makes_what_its_name_says() {
        let sources = [source("fine", 30, 5, 0.0), source("coarse", 40, 60, 1.0)];
        let made = augment(&sources, 2, 1);
        let of = |way: Made, index: usize| {
            made.iter().filter(move |m| m.made == way && m.source == index).collect::<Vec<_>>()
        };
        assert_eq!(Made::WAYS.map(|way| of(way, 1).len()), [2, 2, 2, 2]);
        assert!(of(Made::Noise, 0).is_empty(), "a fine series has its own noise");
        let whole = &sources[0].minutes.values;
        for shifted in of(Made::Shifted, 0) {
            assert!(whole.ends_with(&shifted.minutes.values) && shifted.minutes.values.len() < whole.len());
        }
        for part in of(Made::Part, 0) {
            let values = &part.minutes.values;
            assert!(values.len() >= PART_DAYS * DAY && values.len() < whole.len());
            assert!(whole.windows(values.len()).any(|w| w == values));
        }
        for mixture in of(Made::Mixture, 0) {
            assert_eq!(mixture.minutes.values.len(), whole.len());
            assert_ne!(&mixture.minutes.values, whole);
        }
        for noise in of(Made::Noise, 1) {
            let values = &sources[1].minutes.values;
            let spread = noise.minutes.values.iter().zip(values).map(|(n, v)| (n / v - 1.0).abs());
            let mean = spread.sum::<f64>() / values.len() as f64;
            assert!((0.01..0.05).contains(&mean), "{mean}");
        }
    }

    #[test]
    fn the_seed_decides_everything() {
        let sources = [source("a", 20, 5, 0.0), source("b", 20, 60, 1.0)];
        let of =
            |seed| augment(&sources, 1, seed).into_iter().map(|m| (m.name, m.minutes)).collect::<Vec<_>>();
        assert_eq!(of(3), of(3));
        assert_ne!(of(3), of(4));
    }

    #[test]
    fn a_short_series_gives_no_part_and_a_lone_one_no_mixture() {
        let made = augment(&[source("short", 10, 5, 0.0)], 1, 1);
        assert!(made.iter().all(|m| m.made == Made::Shifted), "{made:?}");
    }
}
