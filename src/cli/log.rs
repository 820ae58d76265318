//! Tracing to standard error: `RGCTL_LOG` chooses what, as in `RGCTL_LOG=rgctl=debug`.

use tracing_subscriber::EnvFilter;

/// Variable that chooses what is traced.
const VARIABLE: &str = "RGCTL_LOG";

/// Starts tracing when asked to: by the variable, or by `-vv`. Otherwise nothing is set up, so that nothing is paid.
pub fn start(verbose: u8, colour: bool) {
    let filter = match (std::env::var(VARIABLE), verbose) {
        (Ok(text), _) if !text.is_empty() => EnvFilter::new(text),
        (_, 0 | 1) => return,
        _ => EnvFilter::new("rgctl=debug"),
    };
    // A second start in one process keeps the first.
    let _ = tracing_subscriber::fmt()
        .with_ansi(colour)
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .try_init();
}
