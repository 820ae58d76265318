//! The trail: the calls that were made of a world, by all processes together, in the order in which they came.
//!
//! Goes in: calls and what their callers were told, and those that arrive late. Comes out: lines, kept in the world as long as somebody wants them.
//!
//! **Invariant:** a line is kept with what its call did, or neither is.
//! **Invariant:** bounded: of more lines than were asked for the oldest are forgotten.

use rgctl_model::plan::Op;
use rgctl_model::ports::CloudError;
use rgctl_schema::names::Token;

use super::state::Trailed;
use super::world::World;

impl World {
    /// From now on the last calls are kept, so many of them; with 0 none is, and those that were are forgotten.
    pub fn keep_trail(&mut self, lines: u32) {
        self.meta.trail_max = lines;
        self.touch("meta");
        self.forget_old_lines();
    }

    /// The calls that are kept, each with its number, which goes on counting whatever is forgotten.
    pub fn trail(&self) -> impl Iterator<Item = (u64, &Trailed)> {
        self.trail.iter().map(|(number, line)| (*number, line))
    }

    pub(super) fn note(&mut self, op: &Op, token: &Token, refused: Option<&CloudError>, is_late: bool) {
        if self.meta.trail_max == 0 {
            return;
        }
        self.meta.trailed += 1;
        self.touch("meta");
        let number = self.meta.trailed;
        let line = Trailed {
            at: self.now(),
            step: op.step_id(),
            token: token.clone(),
            refused: refused.map(ToString::to_string),
            is_late,
        };
        self.trail.insert(number, line);
        self.touch(format!("trail/{number}"));
        self.forget_old_lines();
    }

    fn forget_old_lines(&mut self) {
        while self.trail.len() > usize::try_from(self.meta.trail_max).unwrap_or(usize::MAX) {
            let Some((number, _)) = self.trail.pop_first() else { return };
            self.touch(format!("trail/{number}"));
        }
    }
}
