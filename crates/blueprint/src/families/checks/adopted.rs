//! What is wrong with a list of adopted objects.

use std::collections::BTreeSet;

use super::{CellRegions, StoreContext};
use crate::families::Store;
use crate::families::adopt::{Adopted, Found, Ownership, refuses};
use rgctl_model::kinds::{AnyAttrs, AttrsVisitor, Kind, KindId};
use rgctl_schema::codes;
use rgctl_schema::diagnostic::{Finding, did_you_mean};
use rgctl_schema::names::{Name, RegionId};
use rgctl_schema::table::Attrs;

pub(super) fn check(store: &Store, at: &str, around: &StoreContext<'_>, found: &mut Vec<Finding>) {
    let regions: BTreeSet<&RegionId> = around
        .places
        .iter()
        .flat_map(|CellRegions { primary, secondaries, .. }| secondaries.iter().chain([primary]))
        .collect();
    let mut seen = BTreeSet::new();
    for (place, entry) in store.common().adopt.iter().enumerate() {
        let at = format!("{at}.adopt[{place}]");
        if !store.family().has(entry.kind) {
            let message = format!("a store of {} has no {}", store.engine(), entry.kind);
            found.push(Finding::error(codes::BAD_SETTING, format!("{at}.kind"), message));
            continue;
        }
        if !regions.is_empty() && !regions.contains(&entry.region) {
            let all: Vec<&str> = regions.iter().map(|region| region.as_str()).collect();
            found.push(
                Finding::error(
                    codes::UNKNOWN_REGION,
                    format!("{at}.region"),
                    format!("`{}` is not in `{}`", store.name(), entry.region),
                )
                .help(format!("its regions are: {}", all.join(", "))),
            );
        }
        if !seen.insert((&entry.region, entry.kind, entry.number)) {
            let message =
                format!("number {} of {} in {} is adopted twice", entry.number, entry.kind, entry.region);
            found.push(
                Finding::error(codes::DUPLICATE_NAME, format!("{at}.kind"), message)
                    .help("remove one of the two"),
            );
        }
        found.extend(name(entry, &at));
        if let Some(home) = entry.home.as_ref().filter(|_| !entry.kind.facts().is_global) {
            let message =
                format!("{} does not span regions, so that `{home}` cannot be its home", entry.kind);
            let problem = Finding::error(codes::BAD_SETTING, format!("{at}.home"), message);
            found.push(problem.help("write the region that it is in as `region`, and remove `home`"));
        }
        for (field, Found(value)) in &entry.settings {
            found.extend(setting(entry.kind, field, value, &at));
        }
    }
}

fn name(entry: &Adopted, at: &str) -> Option<Finding> {
    let text = entry.name.as_deref().filter(|_| entry.ownership == Ownership::Own)?;
    let why = Name::new(text).err()?;
    let message = format!("`{text}` cannot be the name of an object of ours: {why}");
    Some(
        Finding::error(codes::BAD_NAME, format!("{at}.name"), message)
            .help("write `ownership: shared` for an object that is used and not managed"),
    )
}

fn setting(kind: KindId, field: &str, value: &serde_json::Value, at: &str) -> Option<Finding> {
    let why = refuses(kind, field, value)?;
    let path = format!("{at}.settings.{field}");
    let fields = fields_of(kind);
    let problem = Finding::error(codes::BAD_SETTING, path, format!("{kind}: {why}"));
    Some(match did_you_mean(field, fields.iter().copied()) {
        Some(near) if near != field => problem.help(format!("did you mean `{near}`?")),
        _ if fields.contains(&field) => problem.help("write a value of the attribute's type, or `null`"),
        _ => problem.help(format!("its attributes are: {}", fields.join(", "))),
    })
}

fn fields_of(kind: KindId) -> Vec<&'static str> {
    struct Names;
    impl AttrsVisitor for Names {
        type Out = Vec<&'static str>;
        fn visit<K: Kind>(self, _: &K::Attrs) -> Self::Out {
            K::Attrs::FIELDS.iter().map(|field| field.name).collect()
        }
    }
    AnyAttrs::empty(kind).with(Names)
}
