//! The agent: its queue, its folder of blueprints, its listener, its loop.

mod files;
mod looks;
mod numbers;
mod pauses;
mod process;
mod queue;
mod running;
mod serve;
mod work;
