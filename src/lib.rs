//! The engine of `rgctl`. Modules are listed in rank order: a module uses only modules above it.

pub mod vocabulary;

pub mod families;

pub mod blueprint;
