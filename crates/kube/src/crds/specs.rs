//! What is wanted, for each kind.

use serde_json::{Value, json};

use super::nodes::{
    closed, cost, flag, form, generation, list, moment, number, open, ruled, text, texts, word,
};
use super::structural::{TEXT_MAX, node, set};
use crate::kinds::plan::{Cause, STEPS_KEPT_MAX, STEPS_TOLD_MAX};
use rgctl_blueprint::{account::AccountSpec, region::RegionSpec, spec::BlueprintSpec};
use rgctl_schema::section::Setting;

/// Names of blueprints, stores, regions.
const NAME: &str = "^[a-z][a-z0-9]*(-[a-z0-9]+)*$";
/// A consent by name.
const CONSENT: &str = "^(delete|replace|shrink|empty|window):[a-z0-9*-]+(@[a-z0-9*-]+)?$";

/// The body of a blueprint.
pub fn blueprint() -> Value {
    node("spec", &BlueprintSpec::shape())
}

/// The body of a region.
pub fn region() -> Value {
    node("spec", &RegionSpec::shape())
}

/// The body of an account, with what is the cluster's.
pub fn account() -> Value {
    let mut spec = node("spec", &AccountSpec::shape());
    let requirement = closed(
        "A requirement on a label.",
        &[
            ("key", text("The label.", 316)),
            ("operator", word("What about it.", &["In", "NotIn", "Exists", "DoesNotExist"])),
            ("values", list("The values that are meant.", 64, &json!({ "type": "string", "maxLength": 63 }))),
        ],
        &["key", "operator"],
    );
    let selector = open(
        "Namespaces whose blueprints may be in regions of the account, by their labels; `{}` means all. Without it none may.",
        &[
            ("matchLabels", texts("Labels with their values.", 64, 63)),
            ("matchExpressions", list("Further requirements.", 64, &requirement)),
        ],
        &[],
    );
    if let Some(fields) = spec.get_mut("properties") {
        set(fields, "namespaceSelector", selector);
        set(fields, "paused", flag("Nothing is begun in the account; what was begun is finished."));
        let sweep =
            "How often it is looked at while nothing is under way there, from `30s` to `1h`.\nWithout it: 5m";
        set(fields, "sweepInterval", form(sweep, "^[0-9]+(s|m|h)([0-9]+(s|m))?$", 16));
        let share = "Share of the calls that rgctl allows itself in the account that are for this operator: less where others of rgctl \
                     work there, too.\nWithout it: 100%";
        set(fields, "budgetShare", form(share, "^(100|[1-9][0-9]?)%$", 4));
    }
    spec
}

/// What would be done.
pub fn plan() -> Value {
    let of = closed(
        "The blueprint that it is for, in the same namespace.",
        &[
            ("name", text("Its name.", 253)),
            ("uid", text("Its identity.", 64)),
            ("generation", generation("The generation that was planned for.")),
        ],
        &["name", "uid", "generation"],
    );
    let consents = |doc| list(doc, 512, &form("A consent by name.", "^[a-z]+:", 128));
    let step = closed(
        "A step.",
        &[
            ("id", text("Its name.", 128)),
            ("does", text("What it does.", 1024)),
            ("why", text("Why.", 1024)),
            ("disturbs", text("What it does to who uses the store.", 256)),
            ("consents", consents("Consents that it needs.")),
        ],
        &["id", "does"],
    );
    let causes = Cause::ALL.map(Cause::as_str);
    let spec = open(
        "What would be done.",
        &[
            ("blueprint", of),
            ("digest", digest("Digest of all that it does. An approval names it.")),
            ("cause", word("Why there is something to do.", &causes)),
            ("made", moment("When it was made.")),
            ("version", text("Version of rgctl that made it.", 128)),
            (
                "needsApproval",
                flag(
                    "Whether it is carried out only on an approval; else it is the record of what is carried out.",
                ),
            ),
            ("run", text("The run that carries it out, where it needs no approval.", 128)),
            ("steps", number("How many steps it has.", 0, 1_000_000)),
            (
                "first",
                list("The first steps, in the order in which they can begin.", STEPS_TOLD_MAX as u64, &step),
            ),
            ("consents", consents("Consents that it needs, each by name.")),
            ("disturbance", text("The worst that it does to who uses the stores.", 256)),
            ("costNow", cost("What its steps concern costs now.")),
            ("costAfter", cost("What that costs after them.")),
            ("work", texts("Step to digest of its work.", STEPS_KEPT_MAX as u64, 64)),
        ],
        &["blueprint", "digest", "cause", "made", "version", "steps"],
    );
    // Whole specs are compared by the admission policy, where no bound on the estimated cost stands in the way.
    ruled(
        spec,
        &[(
            "self.digest == oldSelf.digest && self.blueprint == oldSelf.blueprint",
            "a plan never changes: another plan is another object",
        )],
    )
}

fn digest(doc: &str) -> Value {
    form(doc, "^[0-9a-f]{64}$", 64)
}

/// Somebody's consent to a plan.
pub fn approval() -> Value {
    let spec = open(
        "Somebody's consent to one plan.",
        &[
            ("plan", form("Name of the plan, in the same namespace.", "^[a-z][a-z0-9-]*-[0-9a-f]{12}$", 64)),
            ("digest", digest("Digest of the plan, as the approver saw it.")),
            (
                "approver",
                form(
                    "Who approves: the user name that the API server knows; it refuses another one.",
                    ".",
                    512,
                ),
            ),
            (
                "consents",
                list(
                    "Losses that are agreed to, each by name, such as `delete:accounts@eu-west-1`.",
                    512,
                    &form("A consent by name.", CONSENT, 128),
                ),
            ),
            ("expires", moment("Until when the plan may be begun; at most seven days ahead.")),
            ("why", text("Why.", TEXT_MAX)),
        ],
        &["plan", "digest", "approver", "expires"],
    );
    ruled(
        spec,
        &[
            ("self == oldSelf", "an approval never changes: delete it, and approve anew"),
            (
                "self.plan.endsWith('-' + self.digest.substring(0, 12))",
                "the digest is not that of the plan: its name ends with the digest's first 12 digits",
            ),
        ],
    )
}

/// Somebody's number for an axis of a store.
pub fn overrides() -> Value {
    let spec = open(
        "Somebody's number for an axis of a store, within the bounds of its blueprint.",
        &[
            ("blueprint", form("Name of the blueprint, in the same namespace.", NAME, 24)),
            ("store", form("Name of its store.", NAME, 63)),
            ("region", form("Code of the region.", NAME, 63)),
            (
                "axis",
                word("In which dimension.", &["readers", "shards", "replicas", "capacity-units", "nodes"]),
            ),
            (
                "target",
                number(
                    "How many, in units of the axis. It is a floor; what it takes away needs a consent.",
                    0,
                    100_000,
                ),
            ),
            ("exactly", flag("Whether the number is meant exactly.")),
            ("why", form("Why.", ".", TEXT_MAX)),
            ("until", moment("Until when it is meant; without end where nothing is said.")),
            (
                "then",
                word(
                    "What is after that: it is void (`return`), or holds until somebody decides anew (`hold`).",
                    &["return", "hold"],
                ),
            ),
        ],
        &["blueprint", "store", "region", "axis", "target", "why"],
    );
    ruled(
        spec,
        &[
            (
                "self.blueprint == oldSelf.blueprint && self.store == oldSelf.store && self.region == oldSelf.region && self.axis == oldSelf.axis",
                "what an override is about never changes: another axis is another object",
            ),
            ("!has(self.then) || has(self.until)", "`then` says what is after `until`, which is missing"),
        ],
    )
}
