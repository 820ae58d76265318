//! What the load may be when an order given now begins to serve.
//!
//! Goes in: demand, one sample for each minute, in order. Comes out: sixteen *bases* — simple statements about the near
//! future such as "the highest of the last hour" or "what yesterday did next" — a forecast band, and signs that the
//! series has changed its nature. None of them carries a safety margin; that is learned in `scaling`.
//!
//! **Invariant:** everything here is a function of past samples only.
//! **Invariant:** memory is bounded: the state of a series does not grow with its age.

pub mod band;
pub mod bases;
pub mod change;
pub mod spar;
pub mod window;

pub use band::{Band, BandCalibrator};
pub use bases::{Base, Bases, Predictions};
pub use change::{ChangeWatch, DemandShift};
