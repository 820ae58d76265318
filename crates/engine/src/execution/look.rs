//! Looking: what a job looks at, one look with its tries, the account's quotas, and waiting for the next one.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;

use super::guard::Guard;
use super::job::Environment;
use crate::ledger::Ledger;
use crate::planning;
use rgctl_model::address::Address;
use rgctl_model::claims::Claims;
use rgctl_model::journal::Purpose;
use rgctl_model::node::Desired;
use rgctl_model::observed::{Gap, Inventory, Observed, Selection};
use rgctl_model::overlay::HoldOut;
use rgctl_model::ports::{Cloud, CloudError};
use rgctl_model::quota::KnownQuota;
use rgctl_model::scope::Scope;
use rgctl_schema::names::RegionId;
use rgctl_schema::time::{Moment, Span};

/// How often an observation that fails as a whole is repeated before the run ends.
pub(super) const OBSERVE_TRIES_MAX: u32 = 8;
/// The same for a provider that is not reached at the first look: nothing has been begun, a person waits, and the
/// adapter has tried several times already.
const FIRST_TRIES_MAX: u32 = 1;
/// The field that costs a question about each object.
const PARAMETERS: &str = "parameters";

/// What is looked at, and where nobody looks. There is no look without this, so that no region that is held out is looked
/// at, and nothing follows from what is not seen there.
#[derive(Clone, Copy)]
pub struct Sight<'a> {
    /// What is asked for.
    pub selection: &'a Selection,
    /// The regions that are held out.
    pub held_out: &'a BTreeMap<RegionId, HoldOut>,
}

impl<'a> Sight<'a> {
    /// For who looks where there is no blueprint yet, so that nothing can be held out of it.
    pub const fn without_blueprint(selection: &'a Selection) -> Self {
        const NOTHING: &BTreeMap<RegionId, HoldOut> = &BTreeMap::new();
        Self { selection, held_out: NOTHING }
    }
}

/// Looks at the world before anything is begun.
pub async fn observe(environment: &Environment<'_>, wanted: Sight<'_>) -> Result<Inventory, CloudError> {
    look(environment, wanted, FIRST_TRIES_MAX, None, &mut |_, _| {}).await
}

/// Looks at the world once: throttling is waited out, and what is not reached is tried so often.
pub(super) async fn look(
    environment: &Environment<'_>,
    Sight { selection, held_out }: Sight<'_>,
    tries_max: u32,
    guard: Option<&Guard>,
    told: &mut (dyn FnMut(&CloudError, Moment) + Send),
) -> Result<Inventory, CloudError> {
    let wanted = selection.holding_out(held_out);
    let mut tries = 0;
    loop {
        let error = match environment.cloud.observe(&wanted).await {
            Ok(inventory) if held_out.is_empty() => return Ok(inventory),
            Ok(inventory) => return Ok(inventory.holding_out(held_out).into_owned()),
            Err(error) => error,
        };
        let (wait, most) = match &error {
            CloudError::Throttled { after } => ((*after).max(Span::from_secs(1)), OBSERVE_TRIES_MAX),
            CloudError::Unreachable { .. } | CloudError::Unclear { .. } | CloudError::Busy { .. } => {
                (Span::from_secs(2).times(1 << tries), tries_max)
            }
            _ => return Err(error),
        };
        tries += 1;
        if tries >= most {
            return Err(error);
        }
        let again = environment.clock.now() + wait;
        told(&error, again);
        wait_until(environment, again, guard, &mut || false).await;
    }
}

/// The account's own quotas in these regions, with a line for each region where they cannot be read.
pub async fn quotas(
    cloud: &dyn Cloud,
    regions: &BTreeSet<RegionId>,
    inventory: &Inventory,
) -> (Vec<KnownQuota>, Vec<String>) {
    // One region that is not reached hides nothing of the others.
    let asked = regions.iter().map(|region| async move {
        let one = BTreeSet::from([region.clone()]);
        cloud.quotas(&one).await.map_err(|error| {
            format!(
                "the account's quotas in {region} could not be read ({error}): the usual ones are assumed"
            )
        })
    });
    let (mut told, mut unread) = (Vec::new(), Vec::new());
    for answer in join_all(asked).await {
        match answer {
            Ok(quotas) => told.extend(quotas),
            Err(why) => unread.push(why),
        }
    }
    (planning::known_quotas(told, inventory), unread)
}

/// Waits until then, in bits after which the guard hears that the loop lives; less long when that is asked for.
pub(super) async fn wait_until(
    environment: &Environment<'_>,
    until: Moment,
    guard: Option<&Guard>,
    ends: &mut (dyn FnMut() -> bool + Send),
) {
    let (clock, bit) = (environment.clock, guard.map_or(Span::from_secs(1), Guard::bit));
    while clock.now() < until && !ends() {
        let next = if clock.is_virtual() { until } else { Ord::min(until, clock.now() + bit) };
        clock.sleep_until(next).await;
        if let Some(guard) = guard {
            guard.sign(environment);
        }
    }
}

/// Whose record a desired state is carried out under.
pub async fn scope_of(cloud: &dyn Cloud, desired: &Desired) -> Result<Scope, CloudError> {
    let home = cloud.home(desired.home.as_ref().or_else(|| desired.regions.first())).await?;
    Ok(Scope::new(home, desired.blueprint.clone()))
}

/// What is looked at for a desired state: what is the blueprint's by its name or its tag, what it names although that bears
/// another name, and what is bound to any of these. Adopted objects are found by nothing else until they are taken over.
pub fn selection_of(desired: &Desired, claims: &Claims) -> Selection {
    let prefix = format!("{}-", desired.blueprint);
    let is_named = |address: &&Address| !address.name.as_str().starts_with(&prefix);
    let known = desired.nodes.keys().chain(claims.objects.keys());
    Selection {
        regions: desired.regions.clone(),
        owner: Some(desired.blueprint.clone()),
        named: known.filter(is_named).cloned().collect(),
        whole: BTreeSet::from([desired.blueprint.clone()]),
        ..Selection::default()
    }
}

/// How much is read of what costs a question about each object: parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// All of it: somebody judges by what is shown, or something is done by it.
    Whole,
    /// Of a desired state of which the record tells that all of it was as it should be, what has its turn; else all of it.
    InTurn,
}

/// What is looked at, with so much of it read.
pub fn selection_read<'a>(
    selection: Cow<'a, Selection>,
    reading: Reading,
    desired: &Desired,
    ledger: &Ledger,
) -> Cow<'a, Selection> {
    if reading == Reading::Whole || !ledger.has_settled(&desired.fingerprint) {
        return selection;
    }
    let mut selection = selection;
    selection.to_mut().whole.remove(&desired.blueprint);
    selection
}

/// Takes what was left unread for what it was when it was seen last: as it should be. Whatever is read differs from it where it
/// differs. How many objects that are: what rests on them says so ([`presumed`]).
///
/// Where all was to be read, nothing is taken for anything: what was left unread all the same was not seen.
pub fn presume(inventory: &mut Inventory, selection: &Selection, desired: &Desired) -> usize {
    let is_ours = |address: &Address, seen: &Observed| {
        seen.facts.is_unread
            && desired.nodes.get(address).is_some_and(|node| node.attrs.kind() == seen.attrs.kind())
    };
    let unread: Vec<Address> = inventory
        .seen
        .iter()
        .filter(|(address, seen)| is_ours(address, seen))
        .map(|(address, _)| address.clone())
        .collect();
    if selection.whole.contains(&desired.blueprint) {
        hide(inventory, &unread);
        return 0;
    }
    for address in &unread {
        if let (Some(seen), Some(node)) = (inventory.seen.get_mut(address), desired.nodes.get(address)) {
            // A kind without such a field is never left unread.
            let _ = seen.attrs.set(PARAMETERS, node.attrs.get(PARAMETERS));
            seen.facts.is_unread = false;
        }
    }
    unread.len()
}

/// Makes of objects what could not be seen.
fn hide(inventory: &mut Inventory, objects: &[Address]) {
    let places: BTreeSet<_> =
        objects.iter().map(|address| (&address.region, address.kind.facts().endpoint)).collect();
    inventory.gaps.extend(places.into_iter().map(|(region, endpoint)| Gap {
        region: region.clone(),
        endpoint,
        why: "parameters were to be read and were not".to_owned(),
        lasting: false,
    }));
    for address in objects {
        inventory.seen.remove(address);
    }
}

/// What is said with what rests on so many objects that were left unread.
pub fn presumed(groups: usize) -> Option<String> {
    let (groups, are) = match groups {
        0 => return None,
        1 => ("1 parameter group was".to_owned(), "is"),
        groups => (format!("{groups} parameter groups were"), "are"),
    };
    Some(format!("{groups} not read in this look and {are} taken for what the record tells"))
}

/// The same for what a run is for: what is taken over is asked for by name, since whose it is must be certain.
pub fn selection_for(purpose: Purpose, desired: &Desired, claims: &Claims) -> Selection {
    match purpose {
        Purpose::Apply | Purpose::Destroy => selection_of(desired, claims),
        Purpose::TakeOver => Selection {
            regions: desired.regions.clone(),
            named: desired.nodes.keys().cloned().collect(),
            whole: BTreeSet::from([desired.blueprint.clone()]),
            ..Selection::default()
        },
    }
}
