//! The engine of `rgctl`. Modules are listed in rank order: a module uses only modules above it.

pub mod vocabulary;

pub mod kinds;

pub mod artefacts;

pub mod catalog;
pub mod families;
pub mod gate;
pub mod seams;

pub mod blueprint;
pub mod record;
pub mod telemetry;

pub mod capacity;
pub mod desired;
pub mod forecast;

pub mod planning;
pub mod scaling;

pub mod adoption;
pub mod execution;

pub mod adapters;

pub mod report;

pub mod cli;
