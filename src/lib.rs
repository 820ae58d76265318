//! The engine of `rgctl`. Modules are listed in rank order: a module uses only modules above it.

pub mod vocabulary;

pub mod telemetry;

pub mod forecast;

pub mod scaling;

pub mod report;

pub mod cli;
