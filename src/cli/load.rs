//! From files to what should exist: read, check, size, expand.

use crate::artefacts::node::Desired;
use crate::planning::Figures;

/// What a blueprint comes to.
pub struct Loaded {
    /// What should exist.
    pub desired: Desired,
    /// Prices and capacities.
    pub figures: Box<dyn Figures>,
}
