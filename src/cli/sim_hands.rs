//! `rgctl sim create|delete|tag|stop|start|status`: what happens in the embedded cloud outside rgctl.
//!
//! Goes in: arguments. Comes out: calls that a stranger makes, by the services' own rules, or edits past them.
//!
//! **Invariant:** what is refused leaves the world as it was, and says by which rule.

use std::collections::BTreeMap;

use serde_json::Value;

use super::sim_args::{CreateArgs, DeleteArgs, SimCommandError, StatusArgs, TagArgs};
use rgctl_model::address::Address;
use rgctl_model::kinds::AnyAttrs;
use rgctl_model::node::TAG_TOKEN;
use rgctl_model::plan::{Op, Verb};
use rgctl_model::ports::CloudError;
use rgctl_schema::digest::sha256_hex;
use rgctl_schema::names::{Name, Token};
use rgctl_sim::{SimCloud, World};

/// `FIELD=VALUE` pairs, the values as JSON or plain text.
pub fn fields(texts: &[String]) -> Result<Vec<(&str, Value)>, SimCommandError> {
    let parse = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
    pairs(texts, "FIELD=VALUE").map(|pair| pair.map(|(field, text)| (field, parse(text)))).collect()
}

fn pairs<'a>(
    texts: &'a [String],
    form: &'a str,
) -> impl Iterator<Item = Result<(&'a str, &'a str), SimCommandError>> {
    texts.iter().map(move |text| {
        let refused = || SimCommandError::Argument(format!("{text:?}: expected {form}"));
        text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(refused)
    })
}

/// Makes an object outside rgctl. It is nobody's, unless tags say otherwise.
pub fn create(cloud: &SimCloud, args: &CreateArgs) -> Result<(), SimCommandError> {
    let address = &args.address;
    let given = fields(&args.fields)?;
    let tags: BTreeMap<String, String> = pairs(&args.tags, "NAME=VALUE")
        .map(|pair| pair.map(|(name, value)| (name.to_owned(), value.to_owned())))
        .collect::<Result<_, _>>()?;
    cloud
        .with_world(|world| {
            let mut attrs = match &args.like {
                Some(like) => like_that(world, address, like)?,
                None => AnyAttrs::empty(address.kind),
            };
            for (field, value) in given {
                attrs.set(field, Some(value)).map_err(|why| format!("{field}: {why}"))?;
            }
            call(world, &Op::Create { address: address.clone(), attrs, tags })?;
            // The mark of a call of rgctl's, which this was not.
            world.edit_tags(address, BTreeMap::from([(TAG_TOKEN.to_owned(), None)]))
        })?
        .map_err(SimCommandError::Argument)
}

fn like_that(world: &World, address: &Address, like: &Address) -> Result<AnyAttrs, String> {
    if like.kind != address.kind {
        return Err(format!("{like} is of another kind"));
    }
    world.attrs_of(like).cloned().ok_or_else(|| format!("{like} does not exist"))
}

/// Deletes an object outside rgctl, by the rules of its service.
pub fn delete(cloud: &SimCloud, args: &DeleteArgs) -> Result<(), SimCommandError> {
    let final_snapshot = args.final_snapshot.as_deref().map(Name::new).transpose();
    let final_snapshot = final_snapshot.map_err(|error| SimCommandError::Argument(error.to_string()))?;
    let op = Op::Delete { address: args.address.clone(), final_snapshot };
    cloud.with_world(|world| call(world, &op))?.map_err(SimCommandError::Argument)
}

/// Stops or starts an object outside rgctl, by the rules of its service.
pub fn act(cloud: &SimCloud, address: &Address, verb: Verb) -> Result<(), SimCommandError> {
    let op = Op::Act { address: address.clone(), verb };
    cloud.with_world(|world| call(world, &op))?.map_err(SimCommandError::Argument)
}

/// Sets tags and takes tags away, outside rgctl.
pub fn tag(cloud: &SimCloud, args: &TagArgs) -> Result<(), SimCommandError> {
    let mut tags = BTreeMap::new();
    for text in &args.tags {
        let (name, value) = match (text.split_once('='), text.strip_suffix('-')) {
            (Some((name, value)), _) if !name.is_empty() => (name, Some(value.to_owned())),
            (None, Some(name)) if !name.is_empty() => (name, None),
            _ => return Err(SimCommandError::Argument(format!("{text:?}: expected NAME=VALUE or NAME-"))),
        };
        tags.insert(name.to_owned(), value);
    }
    cloud.with_world(|world| world.edit_tags(&args.address, tags))?.map_err(SimCommandError::Argument)
}

/// An object shows a status word.
pub fn status(cloud: &SimCloud, args: &StatusArgs) -> Result<(), SimCommandError> {
    cloud.with_world(|world| world.show_status(&args.address, &args.word))?.map_err(SimCommandError::Argument)
}

/// One call of a stranger. Each has a token of its own, so that one after a deletion makes the object anew.
fn call(world: &mut World, op: &Op) -> Result<(), String> {
    let seed = format!("another hand: {} {} at {}", op.word(), op.address(), world.now().as_millis());
    let token = Token(sha256_hex(seed.as_bytes()).chars().take(32).collect());
    match world.call(op, &token) {
        Ok(_) => Ok(()),
        Err(error @ CloudError::Unclear { .. }) => Err(format!("{error}; it may have taken effect")),
        Err(error) => Err(error.to_string()),
    }
}
