//! Sliding statistics in constant time for each sample.

use std::collections::VecDeque;

/// The last samples of a series, addressed by their index since its beginning.
#[derive(Clone, Debug)]
pub struct Ring {
    kept: Vec<f32>,
    count: usize,
}

impl Ring {
    /// A ring that keeps `length` samples.
    pub fn new(length: usize) -> Self {
        Self { kept: vec![0.0; length.max(1)], count: 0 }
    }

    /// Appends a sample.
    pub fn push(&mut self, value: f32) {
        let at = self.count % self.kept.len();
        self.kept[at] = value;
        self.count += 1;
    }

    /// Samples seen since the beginning.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The sample with this index, if it has been seen and is still kept.
    pub fn get(&self, index: usize) -> Option<f32> {
        (index < self.count && index + self.kept.len() >= self.count)
            .then(|| self.kept[index % self.kept.len()])
    }

    /// The mean of the samples `from..until`, if all of them are kept and there is one.
    pub fn mean(&self, from: usize, until: usize) -> Option<f32> {
        let mut sum = 0.0;
        for index in from..until {
            sum += self.get(index)?;
        }
        (until > from).then(|| sum / (until - from) as f32)
    }
}

/// The highest of the last `window` samples, by a monotone queue.
#[derive(Clone, Debug)]
pub struct SlidingMax {
    window: usize,
    count: usize,
    queue: VecDeque<(usize, f32)>,
}

impl SlidingMax {
    /// An empty window of this many samples.
    pub fn new(window: usize) -> Self {
        Self { window, count: 0, queue: VecDeque::new() }
    }

    /// Appends a sample and returns the highest of the window.
    pub fn push(&mut self, value: f32) -> f32 {
        while self.queue.back().is_some_and(|(_, last)| *last <= value) {
            self.queue.pop_back();
        }
        self.queue.push_back((self.count, value));
        self.count += 1;
        if self.queue.front().is_some_and(|(index, _)| index + self.window < self.count) {
            self.queue.pop_front();
        }
        self.highest()
    }

    /// The highest of the window; 0 before the first sample.
    pub fn highest(&self) -> f32 {
        self.queue.front().map_or(0.0, |(_, value)| *value)
    }
}

/// The mean of the last `window` samples.
#[derive(Clone, Debug)]
pub struct SlidingMean {
    window: usize,
    sum: f64,
}

impl SlidingMean {
    /// An empty window of this many samples.
    pub fn new(window: usize) -> Self {
        Self { window, sum: 0.0 }
    }

    /// Takes account of `value`, which is about to be pushed to `past`, and returns the new mean.
    pub fn push(&mut self, value: f32, past: &Ring) -> f32 {
        self.sum += f64::from(value);
        let count = past.count() + 1;
        if let Some(leaving) = count.checked_sub(self.window + 1).and_then(|i| past.get(i)) {
            self.sum -= f64::from(leaving);
        }
        // The precision of f32 suffices for a mean.
        #[allow(clippy::cast_possible_truncation)]
        let mean = (self.sum / count.min(self.window) as f64) as f32;
        mean.max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_sliding_window_agrees_with_looking_at_all_of_it(
            values in prop::collection::vec(0.0_f32..100.0, 1..80), window in 1_usize..20,
        ) {
            let (mut highest, mut mean) = (SlidingMax::new(window), SlidingMean::new(window));
            let mut ring = Ring::new(window + 1);
            for end in 1..=values.len() {
                let part = &values[end.saturating_sub(window)..end];
                let truth = part.iter().copied().fold(0.0, f32::max);
                prop_assert!((highest.push(values[end - 1]) - truth).abs() < 1e-6);
                let average = part.iter().sum::<f32>() / part.len() as f32;
                prop_assert!((mean.push(values[end - 1], &ring) - average).abs() < 1e-3);
                ring.push(values[end - 1]);
            }
        }
    }
}
