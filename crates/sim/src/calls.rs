//! Calls: each is refused with the service's code, or changes the world.
//!
//! **Invariant:** a refused call leaves every object as it was.
//! **Invariant:** one token makes at most one object.

use std::collections::{BTreeMap, VecDeque};

use rgctl_model::address::Address;
use rgctl_model::kinds::AnyAttrs;
use rgctl_model::kinds::facts::{Endpoint, Meaning};
use rgctl_model::node::TAG_TOKEN;
use rgctl_model::plan::{Op, Verb};
use rgctl_model::ports::{CloudError, Receipt};
use rgctl_schema::names::{Name, Partition, RegionId, Token};
use rgctl_schema::phase::{Phase, Role};
use rgctl_schema::time::{Moment, Span};

use super::refusals::{busy, missing, refused};
use super::rows::bucket_key;
use super::slots::SHARDS;
use super::state::{Broken, Bucket, DueEvent, Fault, Meter, Object, Purpose, Stage, StaleReads, parent_of};
use super::tables::{self, Asked, Takes, ready_word, told, word, word_of};
use super::timing;
use super::world::World;

/// The ARN of an object.
pub(super) fn arn(at: &Address) -> String {
    format!("arn:{}:sim:{}:000000000000:{}/{}", Partition::of(&at.region), at.region, at.kind, at.name)
}

/// How long it takes until so many tokens have come.
fn wait_for(tokens: f64, per_second: f64) -> Span {
    // Cut to the millisecond below, it would be over a moment too soon.
    timing::part_of(Span::from_secs(1), tokens / per_second) + Span::from_millis(1)
}

impl World {
    /// Makes one call.
    pub fn call(&mut self, op: &Op, token: &Token) -> Result<Receipt, CloudError> {
        let region = Self::asked_region(op);
        if self.is_region_lost(&region) {
            return Err(CloudError::Unreachable { why: format!("{region} does not answer") });
        }
        self.take_api_token(&region, op.at())?;
        let (at, operation) = (op.at(), op.word());
        if self.strike(at, operation, |fault| matches!(fault, Fault::Throttle)).is_some() {
            return Err(CloudError::Throttled { after: Span::from_secs(1) });
        }
        let lost = |applied: bool| move |fault: &Fault| *fault == Fault::LostAnswer { applied };
        let unclear = || CloudError::Unclear { why: "the connection was reset".to_owned() };
        if self.strike(at, operation, lost(false)).is_some() {
            return Err(unclear());
        }
        let is_late = |fault: &Fault| matches!(fault, Fault::LateCall { .. });
        if let Some(Fault::LateCall { by }) = self.strike(at, operation, is_late) {
            self.hold_up(op, token, by);
            return Err(unclear());
        }
        let receipt = self.perform(op, token)?;
        if self.strike(at, operation, |fault| matches!(fault, Fault::OtherHand)).is_some() {
            self.drift(at);
        }
        if self.strike(at, operation, lost(true)).is_some() {
            return Err(unclear());
        }
        Ok(receipt)
    }

    /// A call is on its way for a while.
    fn hold_up(&mut self, op: &Op, token: &Token, by: Span) {
        let n = self.next_attempt(op.at());
        let part = timing::fraction(timing::draw(self.seed(), "late", op.at(), n));
        let event = DueEvent::Arrival { op: Box::new(op.clone()), token: token.clone() };
        self.schedule(self.now() + timing::part_of(by, part), event);
    }

    /// A call that was held up arrives. Nobody waits for its answer any more.
    pub(super) fn arrive(&mut self, op: &Op, token: &Token) {
        if !self.is_region_lost(&Self::asked_region(op)) {
            // What is refused is refused as at any other time.
            let _ = self.perform(op, token);
        }
    }

    /// The region whose endpoint is asked: moves of a global role go to the region that takes over.
    pub(super) fn asked_region(op: &Op) -> RegionId {
        match op {
            Op::Act {
                verb:
                    Verb::Switchover { to: region, .. }
                    | Verb::FailoverGlobal { to: region, .. }
                    | Verb::Detach { region, .. },
                ..
            } => region.clone(),
            _ => op.at().region.clone(),
        }
    }

    /// Fills a bucket for the time that has passed, and yields what is in it.
    pub(super) fn api_tokens(&mut self, region: &RegionId, at: Endpoint) -> &mut Bucket {
        let now = self.now();
        let budget = tables::budget(at);
        self.touch(bucket_key(region, at));
        let bucket = self
            .buckets
            .entry((region.clone(), at))
            .or_insert(Bucket { tokens: f64::from(budget.burst), at: now });
        let gained = now.since(bucket.at).as_secs_f64() * f64::from(budget.per_second);
        bucket.tokens = (bucket.tokens + gained).min(f64::from(budget.burst));
        bucket.at = now;
        bucket
    }

    /// When the control plane takes another call; nothing when it takes one now.
    pub(super) fn call_free_at(&self, plane: &(RegionId, Endpoint)) -> Option<Moment> {
        let bucket = self.buckets.get(plane)?;
        let per_second = f64::from(tables::budget(plane.1).per_second);
        let now = self.now();
        let tokens = bucket.tokens + now.since(bucket.at).as_secs_f64() * per_second;
        (tokens < 1.0).then(|| now + wait_for(1.0 - tokens, per_second))
    }

    fn take_api_token(&mut self, region: &RegionId, at: &Address) -> Result<(), CloudError> {
        let endpoint = at.kind.facts().endpoint;
        let per_second = f64::from(tables::budget(endpoint).per_second);
        let bucket = self.api_tokens(region, endpoint);
        if bucket.tokens < 1.0 {
            return Err(CloudError::Throttled { after: wait_for(1.0 - bucket.tokens, per_second) });
        }
        bucket.tokens -= 1.0;
        Ok(())
    }

    fn perform(&mut self, op: &Op, token: &Token) -> Result<Receipt, CloudError> {
        if op.at().kind.facts().observe_only && !matches!(op, Op::Delete { .. } | Op::Tag { .. }) {
            return Err(refused(
                "InvalidParameterCombination",
                "such objects are made by the service".to_owned(),
            ));
        }
        match op {
            Op::Create { at, attrs, tags } => self.create(at, attrs, tags, token),
            Op::Modify { at, attrs, .. } => self.modify(at, attrs),
            Op::Tag { at, tags } => self.tag(at, tags),
            Op::Delete { at, final_snapshot } => self.delete(at, final_snapshot.as_ref()),
            Op::Act { at, verb } => self.act(at, verb),
        }
        .map(|()| Receipt { arn: matches!(op, Op::Create { .. }).then(|| arn(op.at())) })
    }

    fn create(
        &mut self,
        at: &Address,
        wanted: &AnyAttrs,
        tags: &BTreeMap<String, String>,
        token: &Token,
    ) -> Result<(), CloudError> {
        self.refuse_create(at, wanted)?;
        let now = self.now();
        let mut attrs = told(wanted);
        self.choose_zone(at, &mut attrs);
        let mut tags = tags.clone();
        tags.insert(TAG_TOKEN.to_owned(), token.to_string());
        let object = Object {
            attrs,
            pending: None,
            native: ready_word(at.kind).to_owned(),
            role: None,
            members: Vec::new(),
            tags,
            created: now,
            work: None,
            shadow: None,
            draws: 0,
            meter: Meter::default(),
            outage: Span::ZERO,
        };
        self.insert(at.clone(), object);
        let lag = self.read_lag(at);
        self.edit(at, |object| {
            object.shadow = Some(StaleReads { until: now + lag, view: None });
            object.draws += 1;
        });
        self.note_token(at, token);
        self.take_part(at, wanted);
        if let Some(creating) = word_of(at.kind, Meaning::Creating) {
            let durations = &tables::of(at.kind).durations;
            let joins = self.global_of(at).is_some() && wanted.get("global").is_some();
            let mut stages = self.one_stage(at, &[creating], durations.create, false);
            if joins && let Some(first) = stages.front_mut() {
                let copy = self.lasts(at, "copy", durations.online);
                first.lasts += copy;
            }
            let broken = self.strike(at, "create", |fault| matches!(fault, Fault::CreateFails)).is_some();
            let purpose = if broken { Purpose::CreateBroken } else { Purpose::Create };
            self.begin(at, purpose, stages, "create");
        }
        self.settle_global_word(at);
        self.check(at);
        Ok(())
    }

    fn note_token(&mut self, at: &Address, token: &Token) {
        match self.tokens.get(&token.0) {
            Some(other) if other != at => {
                let what = format!("{token} made {other} and {at}");
                self.violate(at, Broken::TokenTwice, what);
            }
            _ => {
                self.tokens.insert(token.0.clone(), at.clone());
                self.touch(format!("token/{token}"));
            }
        }
    }

    /// The service places members in the zone with the fewest siblings.
    fn choose_zone(&self, at: &Address, attrs: &mut AnyAttrs) {
        if attrs.get("zone").is_some() || at.kind.facts().parent.is_none() {
            return;
        }
        let zones = ["a", "b", "c"].map(|letter| format!("{}{letter}", at.region));
        let Some(parent) = parent_of(at, attrs) else { return };
        let used = |zone: &String| {
            self.children(&parent).filter(|(_, o)| o.attrs.text("zone").as_ref() == Some(zone)).count()
        };
        if let Some(zone) = zones.iter().min_by_key(|zone| (used(zone), (*zone).clone())) {
            // Kinds without zones of their own have no such field.
            let _ = attrs.set("zone", Some(zone.clone().into()));
        }
    }

    /// Role in the cluster, membership in a global object.
    fn take_part(&mut self, at: &Address, wanted: &AnyAttrs) {
        if let Some(parent) = parent_of(at, wanted) {
            let has_writer = self.children(&parent).any(|(_, member)| member.role == Some(Role::Writer));
            let follows = self.objects.get(&parent).is_some_and(|cluster| cluster.role == Some(Role::Reader));
            // A cluster that is failing over finds its writer by itself.
            let electing = self.objects.get(&parent).is_some_and(|cluster| !cluster.is_ready());
            let first = !has_writer && !follows && !electing;
            let role = if first { Role::Writer } else { Role::Reader };
            self.edit(at, |object| object.role = Some(role));
        }
        if let (Some(kind), Some(name)) = (at.kind.global_kind(), wanted.text("global"))
            && let Some(global) = self.find_global(kind, &name, Partition::of(&at.region)).cloned()
        {
            self.cast_shadow(&global);
            self.join(&global, at);
            // A secondary has the shards of its primary, whatever was asked for.
            if let Some(shards) = self.primary_of(at).and_then(|primary| primary.attrs.get(SHARDS)) {
                self.edit(at, |object| {
                    let _ = object.attrs.set(SHARDS, Some(shards));
                });
            }
            self.settle_global_word(&global);
        }
        if at.kind.facts().is_global
            && let Some(source) = Self::source_of(at, wanted)
        {
            self.set_members(at, vec![Self::member(&source, Role::Writer)]);
        }
    }

    /// The object that a global object is made from.
    pub(super) fn source_of(at: &Address, wanted: &AnyAttrs) -> Option<Address> {
        let name = Name::new(wanted.text("source")?).ok()?;
        let region = wanted.text("source_region").and_then(|code| RegionId::new(code).ok());
        Some(Address::new(region.unwrap_or_else(|| at.region.clone()), at.kind.member_kind()?, name))
    }

    fn modify(&mut self, at: &Address, wanted: &AnyAttrs) -> Result<(), CloudError> {
        let object = self.objects.get(at).ok_or_else(|| missing(at))?;
        if wanted.kind() != at.kind {
            return Err(refused("InvalidParameterCombination", format!("{at} is of another kind")));
        }
        let asked: Vec<Asked> = tables::asked(wanted, &object.attrs);
        self.refuse_modify(at, wanted, &asked)?;
        if asked.is_empty() {
            return Ok(());
        }
        let fields: Vec<&str> = asked.iter().map(|asked| asked.field).collect();
        let gravest = asked.iter().map(|asked| asked.takes).max().unwrap_or(Takes::InPlace);
        let mut pending = AnyAttrs::empty(at.kind);
        for field in &fields {
            pending.copy_field(field, wanted);
        }
        // Shards are changed for all members of a global object together.
        let all = if fields.contains(&SHARDS) { self.other_members(at) } else { Vec::new() };
        let all: Vec<Address> = all.into_iter().map(|(member, _)| member).collect();
        for at in std::iter::once(at).chain(&all) {
            self.change(at, gravest, &fields, pending.clone());
        }
        Ok(())
    }

    fn change(&mut self, at: &Address, gravest: Takes, fields: &[&str], pending: AnyAttrs) {
        self.cast_shadow(at);
        let stages = self.stages(at, gravest, fields, &pending);
        if stages.is_empty() {
            self.accrue(at);
            self.edit(at, |object| object.attrs.overlay(&pending));
        } else {
            self.edit(at, |object| object.pending = Some(pending));
            self.begin(at, Purpose::Change, stages, "modify");
        }
    }

    fn tag(&mut self, at: &Address, tags: &BTreeMap<String, String>) -> Result<(), CloudError> {
        let object = self.objects.get(at).ok_or_else(|| missing(at))?;
        if object.is_going() {
            return Err(busy(at, Phase::Deleting));
        }
        self.cast_shadow(at);
        self.edit(at, |object| object.tags.extend(tags.clone()));
        Ok(())
    }

    fn delete(&mut self, at: &Address, final_snapshot: Option<&Name>) -> Result<(), CloudError> {
        self.refuse_delete(at, final_snapshot)?;
        self.cast_shadow(at);
        if let Some(object) = self.objects.get(at).cloned() {
            self.check_deleted(at, &object, final_snapshot.is_some());
        }
        let mut before = VecDeque::new();
        if let (Some(name), Some(kind)) = (final_snapshot, at.kind.facts().final_snapshot) {
            let snapshot = Address::new(at.region.clone(), kind, name.clone());
            let lasts = self.take_snapshot(at, &snapshot);
            if let Some(native) = word(at.kind, &["final-snapshot", "deleting"]) {
                before.push_back(Stage { native: native.to_owned(), lasts, down: false });
            }
        }
        let parent = self.objects.get(at).and_then(|object| parent_of(at, &object.attrs));
        let was_writer = self.objects.get(at).is_some_and(|object| object.role == Some(Role::Writer));
        if word(at.kind, &["deleting"]).is_some() {
            let stages = self.one_stage(at, &["deleting"], tables::of(at.kind).durations.delete, false);
            before.extend(stages);
            self.begin(at, Purpose::Delete, before, "delete");
        } else {
            self.begin(at, Purpose::Delete, VecDeque::new(), "delete");
        }
        if let Some(parent) = parent.filter(|_| was_writer) {
            self.edit(at, |object| object.role = Some(Role::Reader));
            let others = self.children(&parent).any(|(_, member)| !member.is_going());
            if others {
                self.lose_writer(&parent);
            }
        }
        Ok(())
    }

    fn take_snapshot(&mut self, of: &Address, at: &Address) -> Span {
        let now = self.now();
        let used = self.used_gib(of).unwrap_or_default();
        let mut attrs = AnyAttrs::empty(at.kind);
        // Both fields are in the table of every snapshot.
        let _ = attrs.set("source", Some(of.name.as_str().into()));
        let _ = attrs.set("size_gib", Some(serde_json::Value::from(whole(used))));
        let tags = self.objects.get(of).map(|object| object.tags.clone()).unwrap_or_default();
        let object = Object {
            attrs,
            pending: None,
            native: ready_word(at.kind).to_owned(),
            role: None,
            members: Vec::new(),
            tags,
            created: now,
            work: None,
            shadow: None,
            draws: 0,
            meter: Meter::default(),
            outage: Span::ZERO,
        };
        self.insert(at.clone(), object);
        let stages = self.one_stage(at, &["creating"], timing::SNAPSHOT, false);
        let lasts = stages.iter().fold(Span::ZERO, |sum, stage| sum + stage.lasts);
        self.begin(at, Purpose::Create, stages, "snapshot");
        lasts
    }

    /// Whether such an object exists, seen by readers or not.
    pub fn exists(&self, at: &Address) -> bool {
        self.objects.contains_key(at)
    }

    /// The attributes of an object, if it exists.
    pub fn attrs_of(&self, at: &Address) -> Option<&AnyAttrs> {
        self.objects.get(at).map(|object| &object.attrs)
    }

    /// Sets fields outside rgctl, past all rules of the service but their types; all of them or none.
    pub fn edit_fields(
        &mut self,
        at: &Address,
        fields: Vec<(&str, serde_json::Value)>,
    ) -> Result<(), String> {
        let Some(object) = self.objects.get(at) else { return Err(format!("{at} does not exist")) };
        let mut attrs = object.attrs.clone();
        for (field, value) in fields {
            if at.kind.facts().parent.is_some_and(|parent| parent.field == field) {
                return Err(format!("{field} of {at} is fixed"));
            }
            attrs.set(field, Some(value)).map_err(|why| format!("{field}: {why}"))?;
        }
        self.accrue(at);
        self.edit(at, |object| object.attrs = attrs);
        Ok(())
    }

    /// Flips a switch outside rgctl.
    fn drift(&mut self, at: &Address) {
        let Some(object) = self.objects.get(at) else { return };
        let switch = object.attrs.set_fields().into_iter().find_map(|(field, value)| {
            let harmless = Some(field) != tables::of(at.kind).protection && field != "storage_encrypted";
            value.as_bool().filter(|_| harmless).map(|on| (field, !on))
        });
        if let Some((field, on)) = switch {
            // The field was found in the object's own table with a value of this type.
            let _ = self.edit_fields(at, vec![(field, on.into())]);
        }
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the range of u64 first"
)]
fn whole(gib: f64) -> u64 {
    gib.ceil().clamp(0.0, 1e15) as u64
}
