//! Taps: tests break off at any call, before or after it took effect.

use rgctl_model::plan::Op;

/// Before or after a call takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// It has not taken effect.
    Before,
    /// It has.
    After,
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TapVerdict {
    /// It goes on.
    Go,
    /// No answer comes.
    Unclear,
    /// No answer comes, nor to anything that follows.
    Crash,
}

/// Listens to each call and decides what becomes of it.
pub trait CallTap: Send {
    /// Asked twice per call; calls are counted from 1.
    fn at(&mut self, number: u64, op: &Op, side: Side) -> TapVerdict;
}

/// Breaks off at one call.
#[derive(Clone, Copy, Debug)]
pub struct FailAt {
    /// At which.
    pub number: u64,
    /// On which side of it.
    pub side: Side,
    /// How.
    pub verdict: TapVerdict,
}

impl CallTap for FailAt {
    fn at(&mut self, number: u64, _: &Op, side: Side) -> TapVerdict {
        if (number, side) == (self.number, self.side) { self.verdict } else { TapVerdict::Go }
    }
}
