//! The calls of a turn: those of each control plane beside those of the others, each under the permit of its lease.

use std::collections::BTreeMap;

use futures::StreamExt;
use futures::stream;

use super::guard::Guard;
use super::job::Environment;
use super::schedule::Call;
use rgctl_model::kinds::facts::Endpoint;
use rgctl_model::node::{TAG_BLUEPRINT, TAG_RECORD, TAG_TOKEN};
use rgctl_model::plan::Op;
use rgctl_model::ports::{CloudError, Permit};
use rgctl_model::scope::RecordId;
use rgctl_schema::names::RegionId;

/// Calls in flight at a time, in equal shares of the control planes that are called, at least one each. The adapters keep
/// the provider's rate; this bounds sockets and memory.
const CALLS_AT_ONCE: usize = 32;

/// Makes the calls of a turn, those of each control plane beside those of the others: one that is slow holds up nobody
/// else's. Answers are taken as they come.
pub(super) async fn call_all<'a>(
    environment: &Environment<'_>,
    guard: &Guard,
    record: Option<&RecordId>,
    calls: &'a [Call],
) -> Vec<(&'a Call, Result<(), CloudError>)> {
    let planes = by_plane(calls);
    let share = (CALLS_AT_ONCE / planes.len().max(1)).max(1);
    let streams = planes.into_values().map(|asked| {
        let asked = asked.into_iter().map(|(place, call)| async move {
            let answer = call_once(environment, call, record, guard.permit()).await;
            guard.sign(environment);
            (place, call, answer)
        });
        stream::iter(asked).buffer_unordered(share).boxed()
    });
    let mut answers: Vec<(usize, &Call, Result<(), CloudError>)> =
        stream::select_all(streams).collect().await;
    // In the order of the steps, so that equal runs leave equal records.
    answers.sort_by_key(|(place, ..)| *place);
    answers.into_iter().map(|(_, call, answer)| (call, answer)).collect()
}

/// The calls by the control plane that takes them, each with its place.
fn by_plane(calls: &[Call]) -> BTreeMap<(&RegionId, Endpoint), Vec<(usize, &Call)>> {
    let mut planes: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (place, call) in calls.iter().enumerate() {
        let address = call.step.op.address();
        planes.entry((&address.region, address.kind.facts().endpoint)).or_default().push((place, call));
    }
    planes
}

async fn call_once(
    environment: &Environment<'_>,
    call: &Call,
    record: Option<&RecordId>,
    permit: &Permit,
) -> Result<(), CloudError> {
    let mut op = call.step.op.clone();
    if let Op::Create { tags, .. } = &mut op {
        tags.insert(TAG_TOKEN.to_owned(), call.token.0.clone());
    }
    // Whoever says whose an object is says under which record, too.
    if let Op::Create { tags, .. } | Op::Tag { tags, .. } = &mut op
        && tags.contains_key(TAG_BLUEPRINT)
    {
        tags.extend(record.map(|record| (TAG_RECORD.to_owned(), record.0.clone())));
    }
    let answer = match permit.check(environment.wall) {
        Ok(()) => environment.cloud.call(&op, &call.token, permit).await.map(|_| ()),
        Err(not_sent) => Err(not_sent.into()),
    };
    tracing::info!(step = %call.step.id.0, token = %call.token.0, ok = answer.is_ok(), "called");
    answer
}
