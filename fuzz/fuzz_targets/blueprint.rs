//! Any bytes, read as a blueprint: nothing may panic, and every diagnostic lies within the text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rgctl::blueprint::document::Reading;
use rgctl::catalog::Catalog;
use rgctl::report::diagnostics::{self, Colour};
use rgctl::vocabulary::diagnostic::Source;
use rgctl::vocabulary::time::Moment;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(catalog) = Catalog::embedded() else { return };
    let sources = [Source::new("input", text)];
    let mut reading = Reading::with_built_in_regions(&sources);
    reading.check(&catalog, Moment::from_secs(1_795_000_000));
    for diagnostic in &reading.diagnostics {
        assert!(diagnostic.span.start <= diagnostic.span.end && diagnostic.span.end <= text.len());
    }
    let _ = diagnostics::text(&reading.diagnostics, &diagnostics::sources(&sources), Colour::No);
});
