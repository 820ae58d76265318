//! What must never happen, looked for after everything that happens.
//!
//! **Invariant:** a checker changes nothing but the list of violations, which only grows.

use rgctl_model::address::Address;
use rgctl_schema::phase::Role;

use super::state::{Broken, Object, Purpose, Violation, parent_of};
use super::world::World;

impl World {
    pub(super) fn violate(&mut self, object: &Address, broken: Broken, what: String) {
        let place = self.violations.len();
        self.violations.push(Violation { at: self.now(), object: object.clone(), broken, what });
        self.touch(format!("violation/{place:06}"));
    }

    /// Looks at a cluster, a global object, or the parent of a member.
    pub(super) fn check(&mut self, address: &Address) {
        let parent = self.objects.get(address).and_then(|object| parent_of(address, &object.attrs));
        let address = parent.as_ref().unwrap_or(address);
        let writers = self.children(address).filter(|(_, member)| member.role == Some(Role::Writer)).count();
        if writers > 1 {
            self.violate(address, Broken::TwoWriters, format!("{address} has {writers} writers"));
        }
        if let Some(global) = self.objects.get(address).filter(|_| address.kind.facts().is_global) {
            let writers = global.members.iter().filter(|member| member.role == Role::Writer).count();
            if writers > 1 {
                self.violate(address, Broken::TwoWriters, format!("{address} has {writers} primaries"));
            }
        }
    }

    /// Looks whether a member that was just taken out by a call was the last that served.
    pub(super) fn check_disturbed(&mut self, address: &Address) {
        let Some(parent) = self.objects.get(address).and_then(|o| parent_of(address, &o.attrs)) else {
            return;
        };
        // Members that are being made or removed were never, or are no longer, relied on.
        let counts = |object: &Object| object.serves() || object.work_disturbs();
        let (all, serving) = self
            .children(&parent)
            .filter(|(_, member)| counts(member))
            .fold((0, 0), |(all, serving), (_, member)| (all + 1, serving + usize::from(member.serves())));
        if all > 1 && serving == 0 {
            let words = self
                .children(&parent)
                .map(|(address, member)| format!("{} is {}", address.name, member.native));
            let words: Vec<String> = words.collect();
            let what = format!("no member of {parent} serves: {}", words.join(", "));
            self.violate(&parent, Broken::AllMembersDown, what);
        }
    }

    pub(super) fn check_deleted(&mut self, address: &Address, object: &Object, has_snapshot: bool) {
        if object.is_protected() {
            self.violate(address, Broken::ProtectedDeleted, format!("{address} was protected"));
        }
        if self.snapshots_expected() && address.kind.facts().holds_data && !has_snapshot {
            self.violate(address, Broken::DataLost, format!("{address} was deleted without a snapshot"));
        }
    }
}

impl Object {
    fn work_disturbs(&self) -> bool {
        self.work
            .as_ref()
            .is_some_and(|work| matches!(work.purpose, Purpose::Change | Purpose::Pass | Purpose::Reboot))
    }
}
