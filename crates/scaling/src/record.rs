//! What every rule of the library would have cost and missed, remembered with two half-lives.

use super::constants::Constants;
use super::shadow::{BLOCK_MINUTES, Block};

/// The first day teaches nothing: the shadow fleets start from an arbitrary size.
const LEARNING_FROM: usize = 1440;

/// Fading sums over blocks, as arrays over rules: a short and a long memory.
#[derive(Clone, Debug)]
pub struct Record {
    sums: [Block; 2],
    fade: [f32; 2],
    remembered: [f32; 2],
    minutes: usize,
}

impl Record {
    /// An empty record of `rules` rules.
    pub fn new(rules: usize, constants: &Constants) -> Self {
        let blocks = 1440.0 / f64::from(BLOCK_MINUTES);
        // A share of one is exact enough in f32.
        #[allow(clippy::cast_possible_truncation)]
        let fade = |days: f64| 0.5_f64.powf(1.0 / (days * blocks)) as f32;
        Self {
            sums: [Block::new(rules), Block::new(rules)],
            fade: [fade(constants.half_life_days), fade(constants.half_life_long)],
            remembered: [0.0; 2],
            minutes: 0,
        }
    }

    /// Lets what is remembered fade and adds a block.
    pub fn fold(&mut self, block: &Block) {
        self.minutes += BLOCK_MINUTES as usize;
        if self.minutes <= LEARNING_FROM {
            return;
        }
        for ((sums, fade), remembered) in self.sums.iter_mut().zip(self.fade).zip(&mut self.remembered) {
            add(&mut sums.cost, &block.cost, fade);
            add(&mut sums.soft, &block.soft, fade);
            add(&mut sums.hard, &block.hard, fade);
            *remembered = *remembered * fade + BLOCK_MINUTES as f32;
        }
    }

    /// Remembered minutes of the short (0) or long (1) memory, faded.
    pub fn remembered(&self, which: usize) -> f32 {
        self.remembered[which]
    }

    /// The faded sums of the short (0) or long (1) memory.
    pub fn sums(&self, which: usize) -> &Block {
        &self.sums[which]
    }
}

fn add(sums: &mut [f32], block: &[f32], fade: f32) {
    for (sum, value) in sums.iter_mut().zip(block) {
        *sum = *sum * fade + value;
    }
}
