//! Connection details of a blueprint's stores as a ConfigMap.
//!
//! Goes in: where clients connect, as it was seen, and what was told before. Comes out: what is to be told.
//!
//! **Invariant:** of what could not be seen what was told before stays: a region that does not answer takes no address away, and a
//! part of a store that was not seen none of its facts.
//! **Invariant:** nothing in it moves by itself, and no secret is in it: of a secret there is the ARN.

use std::collections::BTreeMap;

use rgctl_kube::kinds::document::StoreStatus;

use crate::report::outputs::{Known, OutputsReport, StoreOutputs};

/// Bytes of names and values at most: the API server takes 1 MiB, and everybody who lists ConfigMaps pays for it.
pub const BYTES_MAX: usize = 256 << 10;
/// Stores by region in a status.
const STORES_MAX: usize = 32;

/// What a ConfigMap says, by name: `STORE.REGION.FIELD`.
pub type Told = BTreeMap<String, String>;

/// Name of the ConfigMap of a blueprint.
pub fn name(blueprint: &str) -> String {
    format!("rgctl-outputs-{blueprint}")
}

/// What is told of a store that was seen: no state, which moves by itself with every backup.
pub fn fields(store: &StoreOutputs) -> impl Iterator<Item = (&'static str, String)> {
    store.fields().into_iter().filter(|(field, _)| *field != "state")
}

fn own((name, value): (&String, &String)) -> (String, String) {
    (name.clone(), value.clone())
}

/// What is to be told after that; an error where it is too much.
pub fn data(report: &OutputsReport, before: &Told) -> Result<Told, String> {
    let mut all = Told::new();
    for store in &report.stores {
        let prefix = format!("{}.{}.", store.store, store.region);
        match store.known {
            Known::Seen => {
                all.extend(fields(store).map(|(field, value)| (format!("{prefix}{field}"), value)));
                for field in &store.not_seen {
                    all.extend(before.get_key_value(&format!("{prefix}{field}")).map(own));
                }
            }
            Known::Unseen | Known::HeldOut => {
                let told = before.iter().filter(|(name, _)| name.starts_with(&prefix));
                all.extend(told.map(own));
            }
            Known::NotYet | Known::Absent | Known::NotOurs => {}
        }
    }
    let bytes: usize = all.iter().map(|(name, value)| name.len() + value.len()).sum();
    if bytes > BYTES_MAX {
        return Err(format!(
            "its connection details have {bytes} bytes, of which a ConfigMap of rgctl takes {BYTES_MAX}: `rgctl outputs` shows them"
        ));
    }
    Ok(all)
}

/// The stores of a status, after those that were told before.
pub fn stores(report: &OutputsReport, before: &[StoreStatus]) -> Vec<StoreStatus> {
    let one = |store: &StoreOutputs| {
        let (name, region) = (store.store.to_string(), store.region.to_string());
        let was = before.iter().find(|was| was.name == name && was.region == region);
        let ends = [&store.configuration, &store.writer, &store.reader];
        let endpoint = match store.known {
            Known::Seen => ends.into_iter().flatten().next().map(ToString::to_string),
            Known::Unseen | Known::HeldOut => was.and_then(|was| was.endpoint.clone()),
            Known::NotYet | Known::Absent | Known::NotOurs => None,
        };
        StoreStatus { name, region, endpoint }
    };
    report.stores.iter().take(STORES_MAX).map(one).collect()
}

#[cfg(test)]
mod tests {
    use rgctl_schema::names::{BlueprintName, RegionId, StoreName};
    use rgctl_schema::time::Moment;

    use super::*;
    use crate::report::outputs::Endpoint;

    fn store(name: &str, region: &str, known: Known, member: &str) -> StoreOutputs {
        let writer = (known == Known::Seen).then(|| Endpoint { host: "host".to_owned(), port: Some(5_432) });
        let (name, region) = (StoreName::new(name).unwrap(), RegionId::new(region).unwrap());
        StoreOutputs {
            known,
            writer,
            writing_member: rgctl_schema::names::Name::new(member).ok(),
            ..StoreOutputs::of(&name, &region)
        }
    }

    fn report(stores: Vec<StoreOutputs>) -> OutputsReport {
        let blueprint = BlueprintName::new("arena").unwrap();
        OutputsReport { blueprint, taken: Moment::EPOCH, stores }
    }

    #[test]
    fn each_field_has_a_name_and_follows_who_writes_now() {
        let told =
            data(&report(vec![store("players", "us-east-1", Known::Seen, "a-1")]), &Told::new()).unwrap();
        assert_eq!(told["players.us-east-1.writer"], "host:5432");
        assert_eq!(told["players.us-east-1.writing-member"], "a-1");
        let again = data(&report(vec![store("players", "us-east-1", Known::Seen, "a-2")]), &told).unwrap();
        assert_eq!(again["players.us-east-1.writing-member"], "a-2");
        let later = OutputsReport {
            taken: Moment::from_secs(9),
            ..report(vec![store("players", "us-east-1", Known::Seen, "a-2")])
        };
        assert_eq!(data(&later, &again).unwrap(), again, "no time is in it");
    }

    #[test]
    fn what_was_not_seen_stays_as_it_was_told_and_what_is_gone_goes() {
        let both = report(vec![
            store("players", "us-east-1", Known::Seen, "a-1"),
            store("players", "us-west-2", Known::Seen, "b-1"),
        ]);
        let told = data(&both, &Told::new()).unwrap();
        for known in [Known::Unseen, Known::HeldOut] {
            let half = report(vec![
                store("players", "us-east-1", known, "a-1"),
                store("players", "us-west-2", Known::Seen, "b-2"),
            ]);
            let now = data(&half, &told).unwrap();
            assert_eq!(now["players.us-east-1.writer"], "host:5432");
            assert_eq!(now["players.us-west-2.writing-member"], "b-2", "the others follow");
            let before = [StoreStatus {
                name: "players".to_owned(),
                region: "us-east-1".to_owned(),
                endpoint: Some("host:5432".to_owned()),
            }];
            assert_eq!(stores(&half, &before)[0].endpoint.as_deref(), Some("host:5432"));
        }
        for known in [Known::Absent, Known::NotOurs, Known::NotYet] {
            let mut gone = store("players", "us-east-1", known, "a-1");
            // Of what is stopped the service still tells where it was.
            gone.writer = Some(Endpoint { host: "host".to_owned(), port: Some(5_432) });
            let now = report(vec![gone]);
            assert_eq!(
                data(&now, &told),
                Ok(Told::new()),
                "clients are not sent where nobody of ours serves"
            );
            assert_eq!(stores(&now, &[])[0].endpoint, None);
        }
    }

    #[test]
    fn a_fact_that_was_not_seen_stays_and_a_state_is_not_told() {
        let mut one = store("players", "us-east-1", Known::Seen, "a-1");
        (one.users, one.state) = (vec!["admin".to_owned()], Some("busy".to_owned()));
        let told = data(&report(vec![one.clone()]), &Told::new()).unwrap();
        assert_eq!(told["players.us-east-1.users"], "admin");
        assert!(!told.contains_key("players.us-east-1.state"), "{told:?}");
        one.users.clear();
        let gone = data(&report(vec![one.clone()]), &told).unwrap();
        assert!(!gone.contains_key("players.us-east-1.users"), "it was seen that there is none");
        one.not_seen = vec!["users", "secret"];
        assert_eq!(data(&report(vec![one]), &told).unwrap(), told);
    }

    #[test]
    fn it_is_bounded_and_says_so() {
        let mut large = store("players", "us-east-1", Known::Seen, "a-1");
        large.users = vec!["u".repeat(BYTES_MAX)];
        let why = data(&report(vec![large]), &Told::new()).unwrap_err();
        assert!(why.contains("262144"), "{why}");
    }
}
