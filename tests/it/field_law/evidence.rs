//! What a text comes to: everything that a person or the cloud gets to see of it, but for the text itself.

use std::collections::BTreeMap;

use rgctl::report::status;
use rgctl_blueprint::capacity::Estimate;
use rgctl_blueprint::desired::Clusters;
use rgctl_blueprint::document::ParsedDocuments;
use rgctl_blueprint::region::RegionBook;
use rgctl_catalog::{price_bill, price_range};
use rgctl_engine::planning::{Figures, PlanInput};
use rgctl_model::bill::{CostRange, StoreBill};
use rgctl_model::claims::Claims;
use rgctl_model::journal::Outcome;
use rgctl_model::kinds::AnyAttrs;
use rgctl_model::node::{Desired, Usage};
use rgctl_model::observed::Inventory;
use rgctl_model::overlay::Decisions;
use rgctl_model::plan::Plan;
use rgctl_model::sizes::Sizes;
use rgctl_schema::diagnostic::{Severity, Source};
use rgctl_schema::money::Total;
use rgctl_schema::names::RegionId;
use serde_json::{Value, json};

use rgctl_testkit::fixtures::{NOW, consents};
use rgctl_testkit::site::Site;
use rgctl_testkit::swarm_blueprint::{BUILT_IN, CATALOG};

/// What a text comes to before the world is looked at.
pub struct Told {
    /// Everything that is wrong or remarkable, in words.
    pub diagnostics: Vec<String>,
    /// Codes of what forbids it.
    pub errors: Vec<String>,
    /// What should exist; nothing when the text is refused.
    pub built: Option<rgctl_blueprint::desired::Built>,
}

impl Told {
    /// Reads a blueprint and a region as a command does.
    pub fn by(blueprint: &Value, region: &Value) -> Self {
        let text =
            |name: &str, value: &Value| Source::new(name, serde_json::to_string_pretty(value).unwrap());
        let sources = [text("region.yaml", region), text("game.yaml", blueprint)];
        let regions: RegionBook = BUILT_IN.clone();
        let mut reading = ParsedDocuments::of(regions, &sources);
        reading.check(&CATALOG, NOW);
        let mut told = Self { diagnostics: Vec::new(), errors: Vec::new(), built: None };
        for problem in &reading.diagnostics {
            let label = problem.label.as_deref().unwrap_or_default();
            let help = problem.help.as_deref().unwrap_or_default();
            let (code, path) = (problem.code, &problem.path);
            let notes = problem.notes.join("; ");
            told.diagnostics.push(format!("{code} {path}: {} ({label}; {help}; {notes})", problem.message));
            if problem.severity == Severity::Error {
                told.errors.push(code.to_string());
            }
        }
        if let (true, Some(loaded)) = (told.errors.is_empty(), reading.blueprints.first()) {
            match rgctl_blueprint::desired::build(
                &loaded.blueprint,
                &reading.regions,
                &CATALOG,
                (&Decisions::default(), &Sizes::default()),
                NOW,
            ) {
                Ok(built) => told.built = Some(built),
                Err(found) => told.errors.extend(found.iter().map(|finding| finding.code.to_string())),
            }
        }
        told
    }
}

/// Prices and capacities of one desired state.
struct Priced(Clusters);

impl Figures for Priced {
    fn cost(&self, attrs: &AnyAttrs, usage: &Usage, region: &RegionId) -> Total {
        price_bill(&CATALOG, region, &self.0.bill_of(attrs, usage, region)).total
    }
    fn range(&self, bill: &StoreBill) -> CostRange {
        price_range(&CATALOG, bill)
    }
    fn capacity_gib(&self, _: &AnyAttrs) -> Option<f64> {
        None
    }
    fn sources(&self) -> Vec<String> {
        Vec::new()
    }
}

/// What is shown and done about a desired state in a world.
#[derive(Debug, PartialEq)]
pub struct Shown {
    /// The calls of the plan, and what is waited for or noted.
    pub calls: Value,
    /// Its steps with reasons, costs and effects.
    pub plan: Value,
    /// Views: costs, sizes, status.
    pub views: Value,
}

impl Shown {
    pub fn of(built: &rgctl_blueprint::desired::Built, world: &World) -> Self {
        let (desired, inventory) = (&built.desired, &world.inventory);
        let figures = Priced(Clusters::of(desired));
        let plan = |destroy| planned(desired, world, &figures, destroy);
        let (update, removal) = (plan(false), plan(true));
        let price = |store: &_, region: &_| {
            let mut range = CostRange::default();
            for bill in desired.bills.iter().filter(|bill| bill.store == *store && bill.region == *region) {
                range.merge(&figures.range(bill));
            }
            range
        };
        let costs: BTreeMap<String, CostRange> = desired
            .bills
            .iter()
            .map(|bill| (format!("{} {}", bill.store, bill.region), figures.range(bill)))
            .collect();
        let sizes: Vec<Value> = built.estimates.iter().map(size).collect();
        let status = status::report(
            desired,
            inventory,
            &world.claims,
            &update,
            &status::Prices { existing: &|_| Total::default(), wanted: &price },
        );
        Self {
            calls: json!([calls(&update), calls(&removal)]),
            plan: json!([update, removal]),
            views: json!([costs, sizes, status, built.notes()]),
        }
    }
}

fn calls(plan: &Plan) -> Value {
    let steps: Vec<_> = plan.steps.iter().map(|step| (&step.op, &step.needs)).collect();
    json!([steps, plan.waiting, plan.notes])
}

fn planned(desired: &Desired, world: &World, figures: &Priced, destroy: bool) -> Plan {
    let policy = consents(&[]);
    let verdicts = rgctl_engine::planning::verdicts(desired, figures);
    let ask = PlanInput {
        figures,
        destroy,
        verdicts: &verdicts,
        claims: &world.claims,
        ..rgctl_testkit::fixtures::ask(desired, &world.inventory, &policy)
    };
    let mut plan = rgctl_engine::planning::plan(&ask);
    let kept = rgctl_engine::planning::kept_from_birth(&ask, &plan);
    plan.notes.extend(kept);
    plan
}

/// An estimate by its numbers: its formulas repeat what was written.
fn size(estimate: &Estimate) -> Value {
    let rows: Vec<_> = estimate.rows.iter().map(|row| (&row.quantity, row.value)).collect();
    let place = (&estimate.cell, &estimate.store, &estimate.region);
    let sizes = (&estimate.size, &estimate.secondary, estimate.fits);
    json!([place, rows, sizes, estimate.ceilings, estimate.warnings])
}

/// What is there, and what the record knows of it.
pub struct World {
    inventory: Inventory,
    claims: Claims,
}

impl World {
    /// One of nothing.
    pub fn empty() -> Self {
        Self { inventory: Inventory::empty(NOW), claims: Claims::default() }
    }
}

/// A world in which a desired state has been brought about.
pub fn applied(desired: &Desired) -> World {
    let mut site = Site::new(7);
    let ended = site.apply(desired);
    assert_eq!(ended.outcome, Outcome::Settled, "{}: {:#?}", desired.blueprint, ended.last);
    World { inventory: site.look(desired), claims: site.claims(desired.blueprint.as_str()) }
}
