//! What one region showed at one endpoint, before it becomes part of an inventory.
//!
//! Goes in: lists of the SDK, decoded. Comes out: objects, the reasons why some could not be seen, and which of them
//! still need their tags.
//!
//! **Invariant:** a list that failed is a gap, and never looks like an empty list. Only an endpoint that says that it
//! does not know the operation at all holds none of its objects.

use std::collections::BTreeMap;

use aws_smithy_types::DateTime;

use super::errors::NOT_EMULATED;
use rgctl_model::address::Address;
use rgctl_model::kinds::{AnyAttrs, KindId};
use rgctl_model::observed::{Access, Facts, Observed, ParameterStatus};
use rgctl_model::ports::CloudError;
use rgctl_schema::names::{Name, RegionId};
use rgctl_schema::time::Moment;

/// Tag that keeps the home region of a global object, which no answer of the service tells after a failover.
pub const TAG_HOME: &str = "rgctl:home";

/// What was seen at one endpoint of one region.
#[derive(Debug, Default)]
pub struct RegionListing {
    /// The objects.
    pub seen: BTreeMap<Address, Observed>,
    /// Objects whose list does not tell tags.
    pub untagged: Vec<Address>,
    /// Why something was not seen.
    pub gaps: Vec<CloudError>,
    /// Lists that the endpoint does not know.
    pub unknown: Vec<CloudError>,
    /// How many lists were asked for.
    pub asked: usize,
    /// How many of them failed. There are more gaps than these where questions about single objects failed.
    pub failed: usize,
}

impl RegionListing {
    /// The items of a list, or nothing and a gap.
    pub fn listed<T>(&mut self, list: Result<Vec<T>, CloudError>) -> Vec<T> {
        self.asked += 1;
        match list {
            Ok(items) => items,
            Err(CloudError::Refused { code, message }) if is_unknown_call(&code) => {
                tracing::warn!(code, message, "the endpoint does not know this list: it holds none of these");
                self.unknown.push(CloudError::Refused { code, message });
                Vec::new()
            }
            Err(error) => {
                self.failed += 1;
                self.gaps.push(error);
                Vec::new()
            }
        }
    }

    /// Notes an object. One whose name this program could not have given is left out: it cannot be ours, and it
    /// cannot be addressed.
    pub fn note(&mut self, region: &RegionId, id: Option<&str>, seen: Observed, tagged: bool) {
        let Some(name) = id.and_then(|id| Name::new(id).ok()) else { return };
        let address = Address::new(region.clone(), seen.attrs.kind(), name);
        if !tagged {
            self.untagged.push(address.clone());
        }
        self.seen.insert(address, seen);
    }

    /// Takes all of another listing.
    pub fn merge(&mut self, other: Self) {
        self.seen.extend(other.seen);
        self.untagged.extend(other.untagged);
        self.gaps.extend(other.gaps);
        self.unknown.extend(other.unknown);
        self.asked += other.asked;
        self.failed += other.failed;
    }
}

fn is_unknown_call(code: &str) -> bool {
    [NOT_EMULATED, "InvalidAction", "UnknownOperationException", "UnknownOperation"].contains(&code)
}

/// An object as it is seen, with the facts that everything has.
pub fn seen(attrs: AnyAttrs, native: &str, arn: Option<&str>, tags: BTreeMap<String, String>) -> Observed {
    let kind: KindId = attrs.kind();
    Observed {
        attrs,
        pending: None,
        facts: Facts {
            phase: kind.phase(native),
            native: native.to_owned(),
            arn: arn.map(str::to_owned),
            role: None,
            members: Vec::new(),
            tags,
            id: None,
            created: None,
            endpoint: None,
            access: None,
            used_gib: None,
            parameters: ParameterStatus::InSync,
            is_unread: false,
            cool_down: None,
        },
    }
}

/// What services say of parameters that were changed: whether they are in effect in what uses them. Redshift has words for changes
/// that it puts off to the next restart.
pub fn parameter_status(word: Option<&str>) -> ParameterStatus {
    match word.unwrap_or("in-sync") {
        "in-sync" => ParameterStatus::InSync,
        "applying" => ParameterStatus::Applying,
        "pending-reboot" | "apply-deferred" | "apply-error" | "unknown-error" => {
            ParameterStatus::PendingReboot
        }
        _ => ParameterStatus::NotApplied,
    }
}

/// How clients reach an object; nothing where the service tells nothing of it.
pub fn access(told: Access) -> Option<Box<Access>> {
    (told != Access::default()).then(|| Box::new(told))
}

/// A time stamp of the SDK.
pub fn moment(stamp: Option<&DateTime>) -> Option<Moment> {
    stamp.and_then(|stamp| stamp.to_millis().ok()).map(Moment::from_millis)
}

/// A count of the SDK, which are never negative.
pub fn count(value: Option<i32>) -> Option<u32> {
    value.and_then(|value| u32::try_from(value).ok())
}

/// A port.
pub fn port(value: Option<i32>) -> Option<u16> {
    value.and_then(|value| u16::try_from(value).ok())
}

/// A size that a service tells in MiB, rounded up.
pub fn gib_of_megabytes(megabytes: f64) -> u64 {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a size, never negative")]
    let gib = (megabytes / 1_024.0).ceil().max(0.0) as u64;
    gib
}

/// A part of an ARN: 3 is the region, 5 the kind, 6 the name.
pub fn arn_part(arn: &str, place: usize) -> Option<&str> {
    arn.split(':').nth(place).filter(|part| !part.is_empty())
}

/// Region and name of the object that an ARN names.
pub fn arn_target(arn: &str) -> Option<(RegionId, Name)> {
    let region = RegionId::new(arn_part(arn, 3)?).ok()?;
    let name = Name::new(arn_part(arn, 6)?).ok()?;
    Some((region, name))
}
