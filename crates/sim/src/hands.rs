//! What happens to the world outside rgctl, past the rules of the services: tags set and lost, status words.
//!
//! **Invariant:** what is refused leaves the object as it was.

use std::collections::BTreeMap;

use rgctl_model::address::Address;
use rgctl_model::kinds::facts::Meaning;
use rgctl_schema::phase::Phase;

use super::tables::{self, Word};
use super::world::World;

impl World {
    /// Sets tags, outside rgctl, and takes those away that have no value; readers see it at once.
    pub fn edit_tags(
        &mut self,
        address: &Address,
        tags: BTreeMap<String, Option<String>>,
    ) -> Result<(), String> {
        let Some(object) = self.objects.get(address) else { return Err(format!("{address} does not exist")) };
        if let Some((name, _)) =
            tags.iter().find(|(name, value)| value.is_none() && !object.tags.contains_key(*name))
        {
            return Err(format!("{address} has no tag {name}"));
        }
        self.edit(address, |object| {
            for (name, value) in tags {
                match value {
                    Some(value) => drop(object.tags.insert(name, value)),
                    None => drop(object.tags.remove(&name)),
                }
            }
        });
        Ok(())
    }

    /// Lets an object that is at rest show a status word. Words of a transition are refused: nothing would ever end it.
    pub fn show_status(&mut self, address: &Address, word: &str) -> Result<(), String> {
        let Some(object) = self.objects.get(address) else { return Err(format!("{address} does not exist")) };
        if object.work.is_some() {
            return Err(format!("{address} is {}: let time pass until it is at rest", object.phase()));
        }
        let phase = tables::phase(address.kind, word);
        if phase.is_transitional() || phase == Phase::Absent {
            let ends =
                |meaning: &Meaning| matches!(meaning, Meaning::Ready | Meaning::Stopped | Meaning::Failed);
            let words = tables::of(address.kind).words.iter().filter(|Word(_, meaning)| ends(meaning));
            let words: Vec<&str> = words.map(|Word(word, _)| *word).collect();
            return Err(format!(
                "{word:?} is {phase}, which nothing would end; words of an object at rest are {}, and such as no \
                 service has",
                words.join(", ")
            ));
        }
        self.accrue(address);
        self.edit(address, |object| word.clone_into(&mut object.native));
        Ok(())
    }
}
