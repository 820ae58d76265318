//! What all settings of a baseline's knob say about the near future, worked out once for all of them.
//!
//! A knob scales a statement; the statement itself (a regression, a percentile, the highest of a window) is the same for
//! every setting. So the settings live side by side through the same minutes and share one feed.
//!
//! **Invariant:** a statement is made from samples before the present only; a feed is never rewound.

use std::cell::RefCell;
use std::rc::Rc;

/// Two statements: one that the knob scales, and one that holds as it is.
pub type Said = (f64, f64);

/// Is called once for each new sample with everything known up to it.
type Say = Box<dyn FnMut(&[f64]) -> Said>;

/// A statement that is kept up to date.
pub struct Feed {
    say: Say,
    seen: usize,
    said: Said,
}

/// A feed that several policies read.
#[derive(Clone)]
pub struct Shared(Rc<RefCell<Feed>>);

impl Shared {
    /// A feed from a function that is called once for each sample.
    pub fn new(say: impl FnMut(&[f64]) -> Said + 'static) -> Self {
        Self(Rc::new(RefCell::new(Feed { say: Box::new(say), seen: 0, said: (0.0, 0.0) })))
    }

    /// What is said now that `known` is known.
    pub fn at(&self, known: &[f64]) -> Said {
        let Feed { say, seen, said } = &mut *self.0.borrow_mut();
        while *seen < known.len() {
            *seen += 1;
            *said = say(&known[..*seen]);
        }
        *said
    }
}
