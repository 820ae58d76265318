//! Calls: each is refused with the service's code, or changes the world.
//!
//! **Invariant:** a refused call leaves every object as it was.
//! **Invariant:** one token makes at most one object.

use std::collections::{BTreeMap, VecDeque};
use std::sync::OnceLock;

use rgctl_model::address::Address;
use rgctl_model::kinds::AnyAttrs;
use rgctl_model::kinds::facts::{Endpoint, Meaning};
use rgctl_model::node::TAG_TOKEN;
use rgctl_model::observed::ParameterStatus;
use rgctl_model::plan::{Op, Verb};
use rgctl_model::ports::{CloudError, Receipt};
use rgctl_schema::names::{Name, Partition, RegionId, Token};
use rgctl_schema::phase::{Phase, Role};
use rgctl_schema::time::{Moment, Span};

use super::parameters;
use super::refusals::{busy, missing, refused};
use super::rows::bucket_key;
use super::state::{
    Broken, DueEvent, Fault, Meter, Object, Purpose, Stage, StaleReads, TokenBucket, parent_of,
};
use super::tables::{self, ChangeEffect, RequestedChange, ready_word, told, word, word_of};
use super::timing;
use super::world::World;

/// The ARN of an object.
pub(super) fn arn(address: &Address) -> String {
    format!(
        "arn:{}:sim:{}:000000000000:{}/{}",
        Partition::of(&address.region),
        address.region,
        address.kind,
        address.name
    )
}

/// What the caller of an accepted call gets.
fn receipt(op: &Op) -> Receipt {
    Receipt { arn: matches!(op, Op::Create { .. }).then(|| arn(op.address())) }
}

/// How long it takes until so many tokens have come.
fn wait_for(tokens: f64, per_second: f64) -> Span {
    // Cut to the millisecond below, it would be over a moment too soon.
    timing::part_of(Span::from_secs(1), tokens / per_second) + Span::from_millis(1)
}

impl World {
    /// Makes one call.
    pub fn call(&mut self, op: &Op, token: &Token) -> Result<Receipt, CloudError> {
        let told = self.answer(op, token);
        self.note(op, token, told.as_ref().err(), false);
        told
    }

    fn answer(&mut self, op: &Op, token: &Token) -> Result<Receipt, CloudError> {
        let region = Self::asked_region(op);
        if self.is_region_lost(&region) {
            return Err(CloudError::Unreachable { why: format!("{region} does not answer") });
        }
        self.take_api_token(&region, op.address())?;
        let (address, operation) = (op.address(), op.word());
        if self.strike(address, operation, |fault| matches!(fault, Fault::Throttle)).is_some() {
            return Err(CloudError::Throttled { after: Span::from_secs(1) });
        }
        let lost = |applied: bool| move |fault: &Fault| *fault == Fault::LostAnswer { applied };
        let unclear = || CloudError::Unclear { why: "the connection was reset".to_owned() };
        if self.strike(address, operation, lost(false)).is_some() {
            return Err(unclear());
        }
        let is_late = |fault: &Fault| matches!(fault, Fault::LateCall { .. });
        if let Some(Fault::LateCall { by }) = self.strike(address, operation, is_late) {
            self.hold_up(op, token, by);
            return Err(unclear());
        }
        if self.is_without_effect(op, token) {
            return Ok(receipt(op));
        }
        let receipt = self.perform(op, token)?;
        if self.strike(address, operation, |fault| matches!(fault, Fault::OtherHand)).is_some() {
            self.drift(address);
        }
        if self.strike(address, operation, lost(true)).is_some() {
            return Err(unclear());
        }
        Ok(receipt)
    }

    /// Whether the call is accepted and does nothing. One that would be refused is refused: it is tried on a copy first.
    fn is_without_effect(&mut self, op: &Op, token: &Token) -> bool {
        let (address, operation, now) = (op.address(), op.word(), self.now());
        let is_armed = self.faults.values().any(|rule| {
            rule.fault == Fault::NoEffect && rule.is_active(now) && rule.covers(address, operation)
        });
        is_armed
            && self.clone().perform(op, token).is_ok()
            && self.strike(address, operation, |fault| *fault == Fault::NoEffect).is_some()
    }

    /// A call is on its way for a while.
    fn hold_up(&mut self, op: &Op, token: &Token, by: Span) {
        let n = self.next_attempt(op.address());
        let part = timing::fraction(timing::draw(self.seed(), "late", op.address(), n));
        let event = DueEvent::Arrival { op: Box::new(op.clone()), token: token.clone() };
        self.schedule(self.now() + timing::part_of(by, part), event);
    }

    /// A call that was held up arrives. Nobody waits for its answer any more.
    pub(super) fn arrive(&mut self, op: &Op, token: &Token) {
        if !self.is_region_lost(&Self::asked_region(op)) {
            // What is refused is refused as at any other time.
            let told = self.perform(op, token);
            self.note(op, token, told.as_ref().err(), true);
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
            _ => op.address().region.clone(),
        }
    }

    /// Fills a bucket for the time that has passed, and yields what is in it.
    pub(super) fn api_tokens(&mut self, region: &RegionId, endpoint: Endpoint) -> &mut TokenBucket {
        let now = self.now();
        let budget = tables::budget(endpoint);
        self.touch(bucket_key(region, endpoint));
        let bucket = self
            .buckets
            .entry((region.clone(), endpoint))
            .or_insert(TokenBucket { tokens: f64::from(budget.burst), at: now });
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

    fn take_api_token(&mut self, region: &RegionId, address: &Address) -> Result<(), CloudError> {
        let endpoint = address.kind.facts().endpoint;
        let per_second = f64::from(tables::budget(endpoint).per_second);
        let bucket = self.api_tokens(region, endpoint);
        if bucket.tokens < 1.0 {
            return Err(CloudError::Throttled { after: wait_for(1.0 - bucket.tokens, per_second) });
        }
        bucket.tokens -= 1.0;
        Ok(())
    }

    fn perform(&mut self, op: &Op, token: &Token) -> Result<Receipt, CloudError> {
        if op.address().kind.facts().observe_only && !matches!(op, Op::Delete { .. } | Op::Tag { .. }) {
            return Err(refused(
                "InvalidParameterCombination",
                "such objects are made by the service".to_owned(),
            ));
        }
        match op {
            Op::Create { address, attrs, tags } => self.create(address, attrs, tags, token),
            Op::Modify { address, attrs, .. } => {
                let (parameters, tags) = (op.taken_out("parameters"), op.taken_out("tags"));
                if parameters.is_empty() && tags.is_empty() {
                    self.modify(address, attrs)
                } else {
                    self.take_out(address, &parameters, &tags)
                }
            }
            Op::Tag { address, tags } => self.tag(address, tags),
            Op::Delete { address, final_snapshot } => self.delete(address, final_snapshot.as_ref()),
            Op::Act { address, verb } => self.act(address, verb),
        }
        .map(|()| receipt(op))
    }

    fn create(
        &mut self,
        address: &Address,
        wanted: &AnyAttrs,
        tags: &BTreeMap<String, String>,
        token: &Token,
    ) -> Result<(), CloudError> {
        self.refuse_create(address, wanted)?;
        let now = self.now();
        let mut attrs = told(wanted);
        // What is made runs: `CreateCluster` has no field for a pause (Redshift API reference).
        if attrs.get("paused").is_some() {
            let _ = attrs.set("paused", Some(false.into()));
        }
        for field in tables::of(address.kind).after_birth {
            if attrs.get(field).is_some() {
                // The lists are of the kind that has them in its table.
                let _ = attrs.set(field, Some(serde_json::Value::Array(Vec::new())));
            }
        }
        self.choose_zone(address, &mut attrs);
        let mut tags = tags.clone();
        tags.insert(TAG_TOKEN.to_owned(), token.to_string());
        let object = Object {
            attrs,
            pending: None,
            native: ready_word(address.kind).to_owned(),
            role: None,
            members: Vec::new(),
            tags,
            parameters: ParameterStatus::InSync,
            cool_down: None,
            created: now,
            work: None,
            shadow: None,
            draws: 0,
            meter: Meter::default(),
            outage: Span::ZERO,
            portrait: OnceLock::new(),
        };
        self.insert(address.clone(), object);
        let lag = self.read_lag(address);
        self.edit(address, |object| {
            object.shadow = Some(StaleReads { until: now + lag, view: None });
            object.draws += 1;
        });
        self.note_token(address, token);
        self.take_part(address, wanted);
        if let Some(creating) = word_of(address.kind, Meaning::Creating) {
            let durations = &tables::of(address.kind).durations;
            let joins = self.global_of(address).is_some() && wanted.get("global").is_some();
            let mut stages = self.one_stage(address, &[creating], durations.create, false);
            if joins && let Some(first) = stages.front_mut() {
                let copy = self.lasts(address, "copy", durations.online);
                first.lasts += copy;
            }
            let broken =
                self.strike(address, "create", |fault| matches!(fault, Fault::CreateFails)).is_some();
            let purpose = if broken { Purpose::CreateBroken } else { Purpose::Create };
            self.begin(address, purpose, stages, "create");
        }
        self.settle_global_word(address);
        self.check(address);
        Ok(())
    }

    fn note_token(&mut self, address: &Address, token: &Token) {
        match self.tokens.get(&token.0) {
            Some(other) if other != address => {
                let what = format!("{token} made {other} and {address}");
                self.violate(address, Broken::TokenTwice, what);
            }
            _ => {
                self.tokens.insert(token.0.clone(), address.clone());
                self.touch(format!("token/{token}"));
            }
        }
    }

    /// The service places members in the zone with the fewest siblings.
    fn choose_zone(&self, address: &Address, attrs: &mut AnyAttrs) {
        if attrs.get("zone").is_some() || address.kind.facts().parent.is_none() {
            return;
        }
        let zones = ["a", "b", "c"].map(|letter| format!("{}{letter}", address.region));
        let Some(parent) = parent_of(address, attrs) else { return };
        let used = |zone: &String| {
            self.children(&parent).filter(|(_, o)| o.attrs.text("zone").as_ref() == Some(zone)).count()
        };
        if let Some(zone) = zones.iter().min_by_key(|zone| (used(zone), (*zone).clone())) {
            // Kinds without zones of their own have no such field.
            let _ = attrs.set("zone", Some(zone.clone().into()));
        }
    }

    /// Role in the cluster, membership in a global object.
    fn take_part(&mut self, address: &Address, wanted: &AnyAttrs) {
        if let Some(parent) = parent_of(address, wanted) {
            let has_writer = self.children(&parent).any(|(_, member)| member.role == Some(Role::Writer));
            let follows = self.objects.get(&parent).is_some_and(|cluster| cluster.role == Some(Role::Reader));
            // A cluster that is failing over finds its writer by itself.
            let electing = self.objects.get(&parent).is_some_and(|cluster| !cluster.is_ready());
            let first = !has_writer && !follows && !electing;
            let role = if first { Role::Writer } else { Role::Reader };
            self.edit(address, |object| object.role = Some(role));
        }
        if let (Some(kind), Some(name)) = (address.kind.global_kind(), wanted.text("global"))
            && let Some(global) = self.find_global(kind, &name, Partition::of(&address.region)).cloned()
        {
            self.cast_shadow(&global);
            self.join(&global, address);
            self.share_parameters(&global, address);
            // A secondary has what its primary has, whatever was asked for: "the same number of primary nodes, node type, engine
            // version, and number of shards" (ElastiCache guide, "Prerequisites and limitations" of global datastores).
            for field in tables::of(address.kind).common {
                let Some(value) = self.primary_of(address).and_then(|primary| primary.attrs.get(field))
                else {
                    continue;
                };
                self.edit(address, |object| {
                    let _ = object.attrs.set(field, Some(value));
                });
            }
            self.settle_global_word(&global);
        }
        if address.kind.facts().is_global
            && let Some(source) = Self::source_of(address, wanted)
        {
            self.set_members(address, vec![Self::member(&source, Role::Writer)]);
            self.share_parameters(address, &source);
        }
    }

    /// The object that a global object is made from.
    pub(super) fn source_of(address: &Address, wanted: &AnyAttrs) -> Option<Address> {
        let name = Name::new(wanted.text("source")?).ok()?;
        let region = wanted.text("source_region").and_then(|code| RegionId::new(code).ok());
        Some(Address::new(
            region.unwrap_or_else(|| address.region.clone()),
            address.kind.member_kind()?,
            name,
        ))
    }

    fn modify(&mut self, address: &Address, wanted: &AnyAttrs) -> Result<(), CloudError> {
        let object = self.objects.get(address).ok_or_else(|| missing(address))?;
        if wanted.kind() != address.kind {
            return Err(refused("InvalidParameterCombination", format!("{address} is of another kind")));
        }
        let asked: Vec<RequestedChange> = tables::asked(wanted, &object.attrs);
        let waiting = parameters::at_restart(address.kind, wanted, &object.attrs);
        let regrouped = asked.iter().any(|asked| asked.field == "parameter_group");
        let has = object.attrs.clone();
        self.refuse_modify(address, wanted, &asked)?;
        if asked.is_empty() {
            return Ok(());
        }
        let fields: Vec<&str> = asked.iter().map(|asked| asked.field).collect();
        let gravest = asked.iter().map(|asked| asked.takes).max().unwrap_or(ChangeEffect::InPlace);
        let mut pending = AnyAttrs::empty(address.kind);
        for field in &fields {
            pending.copy_field(field, wanted);
        }
        self.give_group_to_members(address, wanted, &fields);
        parameters::keep_the_others(&mut pending, &has);
        // What members of a global object have in common is changed for all of them together.
        let is_common = fields.iter().any(|field| tables::of(address.kind).common.contains(field));
        let all = if is_common { self.other_members(address) } else { Vec::new() };
        let all: Vec<Address> = all.into_iter().map(|(member, _)| member).collect();
        self.cool_down(address, wanted, &fields);
        for address in std::iter::once(address).chain(&all) {
            self.change(address, gravest, &fields, pending.clone());
        }
        if waiting {
            self.await_restarts(address);
        }
        // One that restarts for another reason takes its parameters up with that.
        if regrouped && gravest < ChangeEffect::Restart {
            self.await_restart(address);
        }
        Ok(())
    }

    fn change(&mut self, address: &Address, gravest: ChangeEffect, fields: &[&str], pending: AnyAttrs) {
        self.cast_shadow(address);
        let stages = self.stages(address, gravest, fields, &pending);
        if stages.is_empty() {
            self.accrue(address);
            self.edit(address, |object| object.attrs.overlay(&pending));
        } else {
            self.edit(address, |object| object.pending = Some(pending));
            self.begin(address, Purpose::Change, stages, "modify");
        }
    }

    fn tag(&mut self, address: &Address, tags: &BTreeMap<String, String>) -> Result<(), CloudError> {
        let object = self.objects.get(address).ok_or_else(|| missing(address))?;
        if object.is_going() {
            return Err(busy(address, Phase::Deleting));
        }
        self.cast_shadow(address);
        self.edit(address, |object| object.tags.extend(tags.clone()));
        Ok(())
    }

    fn delete(&mut self, address: &Address, final_snapshot: Option<&Name>) -> Result<(), CloudError> {
        self.refuse_delete(address, final_snapshot)?;
        self.cast_shadow(address);
        if let Some(object) = self.objects.get(address).cloned() {
            self.check_deleted(address, &object, final_snapshot.is_some());
        }
        let mut before = VecDeque::new();
        if let (Some(name), Some(kind)) = (final_snapshot, address.kind.facts().final_snapshot) {
            let snapshot = Address::new(address.region.clone(), kind, name.clone());
            let lasts = self.take_snapshot(address, &snapshot);
            if let Some(native) = word(address.kind, &["final-snapshot", "deleting"]) {
                before.push_back(Stage { native: native.to_owned(), lasts, down: false });
            }
        }
        let parent = self.objects.get(address).and_then(|object| parent_of(address, &object.attrs));
        let was_writer = self.objects.get(address).is_some_and(|object| object.role == Some(Role::Writer));
        if word(address.kind, &["deleting"]).is_some() {
            let stages =
                self.one_stage(address, &["deleting"], tables::of(address.kind).durations.delete, false);
            before.extend(stages);
            self.begin(address, Purpose::Delete, before, "delete");
        } else {
            self.begin(address, Purpose::Delete, VecDeque::new(), "delete");
        }
        if let Some(parent) = parent.filter(|_| was_writer) {
            self.edit(address, |object| object.role = Some(Role::Reader));
            let others = self.children(&parent).any(|(_, member)| !member.is_going());
            if others {
                self.lose_writer(&parent);
            }
        }
        Ok(())
    }

    fn take_snapshot(&mut self, of: &Address, address: &Address) -> Span {
        let now = self.now();
        let used = self.used_gib(of).unwrap_or_default();
        let mut attrs = AnyAttrs::empty(address.kind);
        // Both fields are in the table of every snapshot.
        let _ = attrs.set("source", Some(of.name.as_str().into()));
        let _ = attrs.set("size_gib", Some(serde_json::Value::from(whole(used))));
        let tags = self.objects.get(of).map(|object| object.tags.clone()).unwrap_or_default();
        let object = Object {
            attrs,
            pending: None,
            native: ready_word(address.kind).to_owned(),
            role: None,
            members: Vec::new(),
            tags,
            parameters: ParameterStatus::InSync,
            cool_down: None,
            created: now,
            work: None,
            shadow: None,
            draws: 0,
            meter: Meter::default(),
            outage: Span::ZERO,
            portrait: OnceLock::new(),
        };
        self.insert(address.clone(), object);
        let stages = self.one_stage(address, &["creating"], timing::SNAPSHOT, false);
        let lasts = stages.iter().fold(Span::ZERO, |sum, stage| sum + stage.lasts);
        self.begin(address, Purpose::Create, stages, "snapshot");
        lasts
    }

    /// Whether such an object exists, seen by readers or not.
    pub fn exists(&self, address: &Address) -> bool {
        self.objects.contains_key(address)
    }

    /// The attributes of an object, if it exists.
    pub fn attrs_of(&self, address: &Address) -> Option<&AnyAttrs> {
        self.objects.get(address).map(|object| &object.attrs)
    }

    /// Sets fields outside rgctl, past all rules of the service but their types; all of them or none.
    pub fn edit_fields(
        &mut self,
        address: &Address,
        fields: Vec<(&str, serde_json::Value)>,
    ) -> Result<(), String> {
        let Some(object) = self.objects.get(address) else { return Err(format!("{address} does not exist")) };
        let mut attrs = object.attrs.clone();
        for (field, value) in fields {
            if address.kind.facts().parent.is_some_and(|parent| parent.field == field) {
                return Err(format!("{field} of {address} is fixed"));
            }
            attrs.set(field, Some(value)).map_err(|why| format!("{field}: {why}"))?;
        }
        self.accrue(address);
        self.edit(address, |object| object.attrs = attrs);
        Ok(())
    }

    /// Flips a switch outside rgctl.
    fn drift(&mut self, address: &Address) {
        let Some(object) = self.objects.get(address) else { return };
        let switch = object.attrs.set_fields().into_iter().find_map(|(field, value)| {
            let harmless = Some(field) != tables::of(address.kind).protection && field != "storage_encrypted";
            value.as_bool().filter(|_| harmless).map(|on| (field, !on))
        });
        if let Some((field, on)) = switch {
            // The field was found in the object's own table with a value of this type.
            let _ = self.edit_fields(address, vec![(field, on.into())]);
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
