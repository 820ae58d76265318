//! Load as it was measured, made fit for deciding.
//!
//! Goes in: the text of a trace, or readings of a metric as a provider hands them out (late, missing, stuck, absurd).
//! Comes out: demand in *units* on a minute grid — one unit is what one capacity element serves at saturation — and a
//! note of everything that was not as it should be.
//!
//! **Invariant:** no reading makes this module panic, and every reading that is not taken at its word is counted.
//! **Invariant:** a bad reading never lowers the demand that is handed on.

pub mod demand;
pub mod noise;
pub mod series;
pub mod trace;

pub use demand::{DemandMeter, MetricFault, MetricSample};
pub use series::MinuteSeries;
pub use trace::{Trace, TraceError};
