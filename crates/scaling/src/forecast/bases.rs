//! The bases: thirteen simple statements about the next half hour, without any margin.

use super::spar::Spar;
use super::window::{Ring, SlidingMax, SlidingMean};

/// Minutes in a day.
pub const DAY: usize = 1440;
/// Minutes in a week.
pub const WEEK: usize = 7 * DAY;
/// How far ahead of the same minute of an earlier day is looked: one lag and twenty minutes of hold.
const AHEAD: usize = 27;
/// How far back of the same minute of an earlier day is looked, because peaks do not keep time exactly.
const BACK: usize = 9;

/// Names of the bases; the order is the index into [`Predictions::bases`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Base {
    /// Highest of the last 5 minutes.
    Last5m,
    /// Highest of the last 15 minutes.
    Last15m,
    /// Highest of the last hour.
    Last1h,
    /// Highest of the last 3 hours.
    Last3h,
    /// Highest of the last 6 hours.
    Last6h,
    /// Highest of the last day.
    Last1d,
    /// The rise of the last ten minutes, continued.
    Trend,
    /// What yesterday did next.
    Yesterday,
    /// What the last three days did next.
    ThreeDays,
    /// What the last seven days did next.
    SevenDays,
    /// What yesterday did next, scaled by how today compares.
    YesterdayScaled,
    /// Seasonal regression on one day.
    SparDay,
    /// Seasonal regression on seven days.
    SparWeek,
    /// Mean of the last hour: the level without its spikes.
    Level1h,
    /// Mean of the last 6 hours.
    Level6h,
    /// Mean of what the last seven days did around this time.
    LevelSeason,
}

impl Base {
    /// All of them in order.
    pub const ALL: [Self; 16] = [
        Self::Last5m,
        Self::Last15m,
        Self::Last1h,
        Self::Last3h,
        Self::Last6h,
        Self::Last1d,
        Self::Trend,
        Self::Yesterday,
        Self::ThreeDays,
        Self::SevenDays,
        Self::YesterdayScaled,
        Self::SparDay,
        Self::SparWeek,
        Self::Level1h,
        Self::Level6h,
        Self::LevelSeason,
    ];

    /// What the base says, for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Last5m => "the highest of the last 5 minutes",
            Self::Last15m => "the highest of the last 15 minutes",
            Self::Last1h => "the highest of the last hour",
            Self::Last3h => "the highest of the last 3 hours",
            Self::Last6h => "the highest of the last 6 hours",
            Self::Last1d => "the highest of the last day",
            Self::Trend => "the present rise, continued",
            Self::Yesterday => "what yesterday did next",
            Self::ThreeDays => "what the last three days did next",
            Self::SevenDays => "what the last seven days did next",
            Self::YesterdayScaled => "what yesterday did next, at today's level",
            Self::SparDay => "the seasonal regression on yesterday",
            Self::SparWeek => "the seasonal regression on the week",
            Self::Level1h => "the mean of the last hour",
            Self::Level6h => "the mean of the last 6 hours",
            Self::LevelSeason => "the mean of the last seven days at this time",
        }
    }
}

/// Everything that is said at one minute about the near future, in units of demand.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Predictions {
    /// One value for each [`Base`].
    pub bases: [f32; 16],
    /// Highest of the last day and of the last week.
    pub highest: [f32; 2],
    /// Mean of the last week.
    pub mean: f32,
    /// The newest sample.
    pub newest: f32,
}

impl Predictions {
    /// The value of a base.
    pub fn of(&self, base: Base) -> f32 {
        self.bases[base as usize]
    }
}

/// The running state behind the statements.
#[derive(Clone, Debug)]
pub struct Bases {
    past: Ring,
    ahead: Ring,
    around: Ring,
    ahead_window: SlidingMax,
    around_window: SlidingMax,
    windows: [SlidingMax; 6],
    week_highest: SlidingMax,
    week_mean: SlidingMean,
    levels: [SlidingMean; 3],
    level_ring: Ring,
    spar: [Spar; 2],
    said: Predictions,
}

impl Default for Bases {
    fn default() -> Self {
        let kept = WEEK + 64;
        Self {
            past: Ring::new(kept),
            ahead: Ring::new(kept),
            around: Ring::new(kept),
            ahead_window: SlidingMax::new(AHEAD + 1),
            around_window: SlidingMax::new(AHEAD + BACK + 1),
            windows: [5, 15, 60, 180, 360, DAY].map(SlidingMax::new),
            week_highest: SlidingMax::new(WEEK),
            week_mean: SlidingMean::new(WEEK),
            levels: [60, 360, 120].map(SlidingMean::new),
            level_ring: Ring::new(kept),
            spar: [Spar::new(1), Spar::new(7)],
            said: Predictions::default(),
        }
    }
}

impl Bases {
    /// Samples seen.
    pub fn count(&self) -> usize {
        self.past.count()
    }

    /// What is said about the minutes after the newest sample.
    pub fn statements(&self) -> &Predictions {
        &self.said
    }

    /// The samples of the last week.
    pub fn past(&self) -> &Ring {
        &self.past
    }

    /// Takes the demand of the next minute; it must be finite and not negative.
    pub fn push(&mut self, demand: f64) {
        // Demand in units has few digits; f32 halves the memory of a thousand series.
        #[allow(clippy::cast_possible_truncation)]
        let value = demand as f32;
        self.said.mean = self.week_mean.push(value, &self.past);
        let [hour, hours, around] = &mut self.levels;
        let means = [hour.push(value, &self.past), hours.push(value, &self.past)];
        self.level_ring.push(around.push(value, &self.past));
        self.said.bases[13] = means[0];
        self.said.bases[14] = means[1];
        self.past.push(value);
        self.ahead.push(self.ahead_window.push(value));
        self.around.push(self.around_window.push(value));
        for (slot, window) in self.said.bases.iter_mut().zip(&mut self.windows) {
            *slot = window.push(value);
        }
        for spar in &mut self.spar {
            spar.push(demand);
        }
        self.said.newest = value;
        self.said.highest = [self.said.of(Base::Last1d), self.week_highest.push(value)];
        self.say();
    }

    /// The highest of the last seven days around the time `hours` ahead, within half an hour; at most a day ahead.
    pub fn usual_highest(&self, hours: usize) -> Option<f64> {
        let now = self.past.count();
        let at = |day: usize| (now + hours * 60).checked_sub(DAY * day).filter(|i| *i < now);
        let half_hours = |i: usize| [i, i.saturating_sub(30)].into_iter().filter_map(|j| self.around.get(j));
        (1..=7).filter_map(at).flat_map(half_hours).map(f64::from).reduce(f64::max)
    }

    fn say(&mut self) {
        let now = self.past.count();
        let recent = self.said.of(Base::Last15m);
        let yesterday = now.checked_sub(DAY).and_then(|i| self.ahead.get(i + AHEAD));
        let days = |count: usize| {
            let seen = (1..=count).filter_map(|k| now.checked_sub(DAY * k + BACK).map(|i| i + BACK + AHEAD));
            seen.filter_map(|i| self.around.get(i)).fold(recent, f32::max)
        };
        let scaled = yesterday.map_or(recent, |y| recent.max(y * self.today_against_yesterday(now)));
        // The precision of f32 suffices, see `push`.
        #[allow(clippy::cast_possible_truncation)]
        let spar = |s: &Spar| s.highest().map_or(recent, |v| recent.max(v as f32));
        let later = [
            recent.max(self.trend(now)),
            yesterday.map_or(recent, |y| recent.max(y)),
            days(3),
            days(7),
            scaled,
            spar(&self.spar[0]),
            spar(&self.spar[1]),
        ];
        self.said.bases[6..13].copy_from_slice(&later);
        let (sum, n) = (1..=7)
            .filter_map(|k| now.checked_sub(DAY * k))
            .filter_map(|i| self.level_ring.get(i + 60))
            .fold((0.0, 0.0), |(s, n), v| (s + v, n + 1.0));
        self.said.bases[15] = if n > 0.0 { sum / n } else { self.said.bases[14] };
    }

    /// The mean of the last three minutes plus its rise over the last ten, if it rose.
    fn trend(&self, now: usize) -> f32 {
        let mean = |end: Option<usize>| end.and_then(|e| self.past.mean(e.checked_sub(3)?, e));
        let Some(level) = mean(Some(now)) else { return self.said.newest };
        let before = mean(now.checked_sub(10)).unwrap_or(level);
        level + (level - before).max(0.0)
    }

    /// How the last half hour compares to the same half hour of yesterday, between a half and twice.
    fn today_against_yesterday(&self, now: usize) -> f32 {
        let half_hour = |end: usize| self.past.mean(end.checked_sub(30)?, end);
        match (half_hour(now), now.checked_sub(DAY).and_then(half_hour)) {
            (Some(today), Some(before)) if before > 0.0 => (today / before).clamp(0.5, 2.0),
            _ => 1.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bases_say_what_their_names_say() {
        let mut bases = Bases::default();
        for t in 0..DAY * 2 {
            // A peak of 9 at minute 100 of each day, otherwise 1.
            bases.push(if t % DAY == 100 { 9.0 } else { 1.0 });
        }
        for _ in 0..80 {
            bases.push(1.0);
        }
        let said = bases.statements();
        assert!((said.of(Base::Last1h) - 1.0).abs() < 1e-6);
        assert!((said.of(Base::Last1d) - 9.0).abs() < 1e-6);
        assert!((said.of(Base::Yesterday) - 9.0).abs() < 1e-6, "the peak lies twenty minutes ahead");
        assert!((said.of(Base::ThreeDays) - 9.0).abs() < 1e-6);
        assert!((said.of(Base::Trend) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn the_first_hour_already_has_statements() {
        let mut bases = Bases::default();
        for t in 0..20 {
            bases.push(f64::from(t));
        }
        assert!(
            bases.statements().bases[..13].iter().all(|b| *b >= 19.0),
            "all but the levels know the peak"
        );
        assert!(bases.statements().of(Base::Trend) > 25.0, "a steady rise is continued");
    }
}
