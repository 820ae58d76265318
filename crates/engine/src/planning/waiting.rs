//! What a plan in the making does not do, and why; with what health says of it, where that is known from the plan before.

use std::sync::Arc;

use rgctl_model::health::HealthIssue;
use rgctl_model::plan::Blocker;
use rgctl_model::shared::SharedList;

/// Why nothing is done about an object, kept with what health says of it.
#[derive(Clone, Debug)]
pub(super) struct KnownBlocker {
    pub blocker: Arc<Blocker>,
    pub issue: Option<Arc<HealthIssue>>,
}

/// What health says of something that is waited for.
#[derive(Clone, Debug)]
pub(super) enum Said {
    /// It was not asked yet.
    NotAsked,
    /// The same as for the plan before, which may be nothing.
    AsBefore(Option<Arc<HealthIssue>>),
}

/// What is not done, in the order in which it was found.
#[derive(Default)]
pub(super) struct Waiting {
    list: SharedList<Blocker>,
    /// Of each what health says.
    said: Vec<Said>,
}

impl Waiting {
    pub fn push(&mut self, blocker: Blocker) {
        self.list.push(blocker);
        self.said.push(Said::NotAsked);
    }

    pub fn push_known(&mut self, known: &KnownBlocker) {
        self.list.push_shared(Arc::clone(&known.blocker));
        self.said.push(Said::AsBefore(known.issue.clone()));
    }

    pub fn iter(&self) -> impl Iterator<Item = &Blocker> {
        self.list.iter()
    }

    /// Each with what health says of it.
    pub fn iter_said(&self) -> impl Iterator<Item = (&Blocker, &Said)> {
        self.list.iter().zip(&self.said)
    }

    pub fn retain(&mut self, keep: impl Fn(&Blocker) -> bool) {
        let mut kept = self.list.iter().map(&keep).collect::<Vec<_>>().into_iter();
        self.said.retain(|_| kept.next().unwrap_or_default());
        self.list.retain(keep);
    }

    pub fn into_list(self) -> SharedList<Blocker> {
        self.list
    }
}

impl Extend<Blocker> for Waiting {
    fn extend<I: IntoIterator<Item = Blocker>>(&mut self, blockers: I) {
        for blocker in blockers {
            self.push(blocker);
        }
    }
}
