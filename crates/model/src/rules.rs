//! What a blueprint allows, and when: its policies and its calendar, as desired state and saved plans carry them.
//!
//! The gate obeys every field; see [`rgctl_engine::gate`].

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::policy::DestructiveAction;
use rgctl_schema::calendar::{Window, Zone};
use rgctl_schema::money::Money;
use rgctl_schema::names::{RegionId, StoreName};
use rgctl_schema::node::{Data, Tree};
use rgctl_schema::quantity::Factor;
use rgctl_schema::section::{Reader, Section, Setting};
use rgctl_schema::shape::{Scalar, Shape};
use rgctl_schema::time::{Moment, Span};
use rgctl_schema::{choices, section};

choices! {
    /// How often a calendar entry comes again.
    pub enum Repeats {
        /// Every day at the same local time.
        Daily = "daily",
        /// Every week on the same day.
        Weekly = "weekly",
        /// Every year on the same date.
        Yearly = "yearly",
    }
    /// What a rule does when it is broken, or when it cannot be judged.
    pub enum Enforcement {
        /// The plan is refused.
        Deny = "deny",
        /// The plan says so.
        Warn = "warn",
        /// Nothing.
        Ignore = "ignore",
    }
    /// What becomes of the stores of a blueprint that is deleted.
    pub enum Deletion {
        /// They stay, whoever deletes it.
        Retain = "retain",
        /// They go with it, on consent, each with a final snapshot.
        Snapshot = "snapshot",
    }
    /// Whether work of a kind may be done.
    pub enum Allowance {
        /// Never, not even when asked for.
        Never = "never",
        /// When the consent for this store is given by name with the command.
        Ask = "ask",
    }
}

section! {
    /// A known crowd, or a time in which nothing may be disturbed.
    pub struct CalendarEntry {
        /// Name of the entry.
        name: String => "season-4";
        /// When it begins.
        starts: Moment => "2026-12-04T10:00+08:00";
        /// How long it lasts.
        lasts: Span => "6h";
        /// Demand in that time as a multiple of the usual peak.
        demand: Factor = Factor::ONE => "3x";
        /// Whether it comes again.
        repeats: Option<Repeats>;
        /// Time zone in which it repeats; it matters where clocks are changed.
        zone: Zone = Zone::utc() => "Asia/Shanghai";
        /// What has to wait until it is over: `true` for work that disturbs or takes away, `hard` for growth too.
        freeze: Freeze = Freeze::Off;
        /// Cells that it concerns; all when none is named.
        cells: Vec<StoreName> => "[china]";
    }
    /// What may be done, when, and at which cost.
    pub struct Policies {
        /// When disruptive work may be done; at any time when not given.
        maintenance: Option<Window>;
        /// Whether objects that hold data may be replaced, deleted or shrunk.
        consent: Allowances = Allowances::usual();
        /// Bounds on cost.
        cost: Option<CostPolicy>;
        /// What becomes of its stores when the blueprint is deleted. Without a word `rgctl destroy` works, and a resource that
        /// is deleted in a cluster leaves them.
        deletion: Option<Deletion>;
    }
    /// Whether work that may lose data may be done.
    pub struct Allowances {
        /// Replacing a store that holds data.
        replace: Allowance = Allowance::Ask;
        /// Deleting a store that holds data.
        delete: Allowance = Allowance::Ask;
        /// Making a store smaller than what is in use.
        shrink: Allowance = Allowance::Ask;
        /// Letting a store stand without any member, or making one that bore data anew, empty.
        empty: Allowance = Allowance::Ask;
    }
    /// Bounds on cost.
    pub struct CostPolicy {
        /// Most that a month may cost at the upper bounds of scaling, one sum per currency; there is no conversion.
        monthly_max: Vec<Money> => "[20000 USD]";
        /// What happens when a plan would cost more.
        on_exceed: Enforcement = Enforcement::Deny;
        /// What happens when a price is not known, so that the total is only a lower bound.
        on_unknown: Enforcement = Enforcement::Warn;
    }
}

impl Allowances {
    /// What holds when a blueprint states none.
    ///
    /// # Panics
    /// Never: every field has a default, as a test shows.
    pub fn usual() -> Self {
        Self::blank().expect("every allowance has a default")
    }
}

impl Policies {
    /// What holds when a blueprint states none.
    ///
    /// # Panics
    /// Never: every field has a default, as a test shows.
    pub fn usual() -> Self {
        Self::blank().expect("every policy has a default")
    }
}

/// What has to wait until a time of the calendar is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Freeze {
    /// Nothing.
    #[default]
    Off,
    /// Work that disturbs or takes something away; growth goes on.
    On,
    /// Everything, growth too.
    Hard,
}

impl Setting for Freeze {
    fn decode(tree: &Tree, reader: &mut Reader<'_>) -> Option<Self> {
        match &tree.data {
            Data::Flag(true) => Some(Self::On),
            Data::Flag(false) => Some(Self::Off),
            Data::Text(text) if text == "hard" => Some(Self::Hard),
            _ => {
                reader.wrong_type(tree, "`true`, `false` or `hard`", "true");
                None
            }
        }
    }
    fn encode(&self) -> Option<Value> {
        Some(match self {
            Self::Off => Value::Bool(false),
            Self::On => Value::Bool(true),
            Self::Hard => Value::from("hard"),
        })
    }
    fn shape() -> Shape {
        Shape::Scalar(Scalar {
            name: "true | false | hard",
            doc: "`true`, `false` or `hard`.",
            json: &["boolean", "string"],
            pattern: Some("^hard$"),
            bounds: None,
            example: "true",
        })
    }
}
rgctl_schema::setting_serde!(Freeze);

/// Where a cell is and what it has, so that a freeze of cells touches those cells only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellPlace {
    /// Its name.
    pub name: StoreName,
    /// Its regions.
    pub regions: BTreeSet<RegionId>,
    /// Its stores; all when none is named.
    pub stores: BTreeSet<StoreName>,
}

impl CellPlace {
    /// Whether an object of that store in that region may be of this cell. One whose store nobody knows may.
    pub fn may_have(&self, store: Option<&StoreName>, region: &RegionId) -> bool {
        let has = |store| self.stores.is_empty() || self.stores.contains(store);
        self.regions.contains(region) && store.is_none_or(has)
    }
}

/// Everything that one text of a blueprint says about what may be done to its stores.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// What may be done, when, and at which cost.
    pub policies: Policies,
    /// Known crowds, and times in which nothing may be disturbed.
    pub calendar: Vec<CalendarEntry>,
    /// The cells.
    pub cells: Vec<CellPlace>,
}

/// Rules as a record keeps them. A version that does not know all of what they say keeps them as they are, and can go on
/// reading the record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecordedRules(Value);

impl RecordedRules {
    /// What is to be kept.
    pub fn of(rules: &[Rules]) -> Self {
        // Plain data always serialises; what does not is read back by nobody, and so is a no.
        Self(serde_json::to_value(rules).unwrap_or_default())
    }

    /// What was kept, or why it cannot be told: nothing of it is left out.
    pub fn read(&self) -> Result<Vec<Rules>, String> {
        let rules: Vec<Rules> = serde_json::from_value(self.0.clone()).map_err(|error| error.to_string())?;
        if Self::of(&rules) == *self {
            Ok(rules)
        } else {
            Err("it says something that this version does not know".to_owned())
        }
    }
}

impl Policies {
    /// Whether a destructive action is never done, whoever asks.
    pub fn forbids(&self, action: DestructiveAction) -> bool {
        let allowance = match action {
            DestructiveAction::Delete => self.consent.delete,
            DestructiveAction::Replace => self.consent.replace,
            DestructiveAction::Shrink => self.consent.shrink,
            DestructiveAction::Empty => self.consent.empty,
            // Who wrote the window may be asked to leave it; there is no policy about that.
            DestructiveAction::Window => Allowance::Ask,
        };
        allowance == Allowance::Never
    }

    /// Whether its stores stay, whoever deletes the blueprint.
    pub fn retains(&self) -> bool {
        self.deletion == Some(Deletion::Retain)
    }
}
