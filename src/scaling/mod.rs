//! How much capacity to hold, and the proof that it is the right amount.
pub mod axis;
pub mod budget;
pub mod choose;
pub mod constants;
pub mod evaluate;
pub mod fleet;
pub mod memory;
pub mod optimum;
pub mod rules;
pub mod shadow;
