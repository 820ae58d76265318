//! The world as rows: each a key and a text, so that only what has changed needs to be written.
//!
//! **Invariant:** a world that is read back from its rows is the same world.

use std::collections::BTreeMap;

use rgctl_model::address::Address;
use rgctl_model::kinds::facts::Endpoint;
use rgctl_schema::names::RegionId;
use rgctl_schema::time::Moment;

use super::state::Object;
use super::world::World;

impl World {
    /// Rows that have changed since the last time, each with its text, or without when it is gone.
    pub fn take_changes(&mut self) -> Vec<(String, Option<String>)> {
        let keys = std::mem::take(&mut self.dirty);
        keys.into_iter().map(|key| (self.row(&key), key)).map(|(row, key)| (key, row)).collect()
    }

    fn row(&self, key: &str) -> Option<String> {
        let (table, rest) = key.split_once('/').unwrap_or((key, ""));
        let text = |value: Result<String, serde_json::Error>| value.ok();
        match table {
            "meta" => text(serde_json::to_string(&self.meta)),
            "object" => text(serde_json::to_string(self.objects.get(&Address::parse(rest)?)?)),
            "event" => {
                let (due, seq) = rest.split_once('/')?;
                let key = (Moment::from_millis(due.parse().ok()?), seq.parse().ok()?);
                text(serde_json::to_string(self.events.get(&key)?))
            }
            "fault" => text(serde_json::to_string(self.faults.get(&rest.parse().ok()?)?)),
            "bucket" => {
                let (region, endpoint) = rest.split_once('/')?;
                let endpoint = serde_json::from_value(endpoint.into()).ok()?;
                text(serde_json::to_string(self.buckets.get(&(RegionId::new(region).ok()?, endpoint))?))
            }
            "violation" => text(serde_json::to_string(self.violations.get(rest.parse::<usize>().ok()?)?)),
            "ledger" => text(serde_json::to_string(self.ledger.get(rest)?)),
            "load" => text(serde_json::to_string(self.loads.get(&Address::parse(rest)?)?)),
            "token" => text(serde_json::to_string(self.tokens.get(rest)?)),
            "attempt" => text(serde_json::to_string(self.attempts.get(&Address::parse(rest)?)?)),
            "trail" => text(serde_json::to_string(self.trail.get(&rest.parse().ok()?)?)),
            _ => None,
        }
    }

    /// Puts a kept row in place, or takes it away; the error is text.
    pub fn put_row(&mut self, key: &str, body: Option<&str>) -> Result<(), String> {
        // Somebody else wrote it: everything is looked at again.
        self.looked = None;
        let (table, rest) = key.split_once('/').unwrap_or((key, ""));
        let wrong = || format!("{key:?} is no row of a world");
        let parsed = || Address::parse(rest).ok_or_else(wrong);
        match table {
            "meta" => {
                if let Some(meta) = read(body)? {
                    self.meta = meta;
                }
            }
            "object" => {
                let address = parsed()?;
                self.displace(&address);
                if let Some(object) = read::<Object>(body)? {
                    self.place(address, object);
                }
            }
            "event" => {
                let (due, seq) = rest.split_once('/').ok_or_else(wrong)?;
                let due = Moment::from_millis(due.parse().map_err(|_| wrong())?);
                keep(&mut self.events, (due, seq.parse().map_err(|_| wrong())?), read(body)?);
            }
            "fault" => keep(&mut self.faults, rest.parse().map_err(|_| wrong())?, read(body)?),
            "bucket" => {
                let (region, endpoint) = rest.split_once('/').ok_or_else(wrong)?;
                let region = RegionId::new(region).map_err(|_| wrong())?;
                let endpoint = serde_json::from_value(endpoint.into()).map_err(|_| wrong())?;
                keep(&mut self.buckets, (region, endpoint), read(body)?);
            }
            "violation" => {
                let place: usize = rest.parse().map_err(|_| wrong())?;
                match read(body)? {
                    Some(violation) if place == self.violations.len() => self.violations.push(violation),
                    Some(_) => {}
                    None => self.violations.truncate(place),
                }
            }
            "ledger" => keep(&mut self.ledger, rest.to_owned(), read(body)?),
            "load" => keep(&mut self.loads, parsed()?, read(body)?),
            "token" => keep(&mut self.tokens, rest.to_owned(), read(body)?),
            "attempt" => keep(&mut self.attempts, parsed()?, read(body)?),
            "trail" => keep(&mut self.trail, rest.parse().map_err(|_| wrong())?, read(body)?),
            _ => return Err(wrong()),
        }
        Ok(())
    }

    /// The key of every row.
    fn keys(&self) -> impl Iterator<Item = String> {
        std::iter::once("meta".to_owned())
            .chain(self.objects.keys().map(|address| format!("object/{address}")))
            .chain(self.events.keys().map(|(due, seq)| format!("event/{:020}/{seq:010}", due.as_millis())))
            .chain(self.faults.keys().map(|id| format!("fault/{id}")))
            .chain((0..self.violations.len()).map(|place| format!("violation/{place:06}")))
            .chain(self.ledger.keys().map(|key| format!("ledger/{key}")))
            .chain(self.loads.keys().map(|address| format!("load/{address}")))
            .chain(self.tokens.keys().map(|token| format!("token/{token}")))
            .chain(self.attempts.keys().map(|address| format!("attempt/{address}")))
            .chain(self.trail.keys().map(|number| format!("trail/{number}")))
            .chain(self.buckets.keys().map(|(region, endpoint)| bucket_key(region, *endpoint)))
    }

    /// From now on every row counts as changed.
    pub fn mark_all(&mut self) {
        let keys = self.keys().collect();
        self.dirty = keys;
    }

    /// The whole world as one text: equal worlds give equal texts.
    pub fn to_json(&self) -> String {
        let rows: BTreeMap<String, String> =
            self.keys().filter_map(|key| self.row(&key).map(|row| (key, row))).collect();
        let lines: Vec<String> = rows.into_iter().map(|(key, row)| format!("{key:?}:{row}")).collect();
        format!("{{{}}}", lines.join(",\n"))
    }
}

pub(super) fn bucket_key(region: &RegionId, endpoint: Endpoint) -> String {
    let word = serde_json::to_value(endpoint).ok().and_then(|value| value.as_str().map(str::to_owned));
    format!("bucket/{region}/{}", word.unwrap_or_default())
}

fn read<T: serde::de::DeserializeOwned>(body: Option<&str>) -> Result<Option<T>, String> {
    body.map(serde_json::from_str).transpose().map_err(|error| error.to_string())
}

fn keep<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: Option<V>) {
    match value {
        Some(value) => {
            map.insert(key, value);
        }
        None => {
            map.remove(&key);
        }
    }
}
