//! The texts of blueprints as resources have them: which are in force, and what is wrong with the others.
//!
//! **Invariant:** a blueprint is judged by the regions of its own namespace, then by those of the operator's, then by the shipped
//! ones. One that names a region that cannot be read is refused, and never judged by another region of that name.
//! **Invariant:** a text with an error puts nothing into force; what was in force before it goes on being known, so that what is open
//! can be closed, and nothing more is begun with it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;

use super::resources::Resources;
use crate::agent::files::{Examine, InForce};
use rgctl_kube::item::{Item, Watched};
use rgctl_kube::kinds::{BlueprintSpec, Object, RegionSpec, document::Body};
use rgctl_schema::diagnostic::Source;
use rgctl_schema::digest::sha256_hex;
use rgctl_schema::names::RegionId;

/// What the blueprints of a namespace share.
struct Common<S> {
    shared: Arc<S>,
    digest: String,
    /// Regions that cannot be read, and why.
    bad: BTreeMap<RegionId, String>,
}

impl<S> Clone for Common<S> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), digest: self.digest.clone(), bad: self.bad.clone() }
    }
}

/// What a text came to.
#[derive(Clone, Debug)]
pub enum Text<S> {
    /// It is in force.
    Good(InForce<S>),
    /// It cannot be used.
    Bad(String),
}

/// What reads texts.
pub struct Sources<E: Examine> {
    examiner: E,
    /// The operator's own namespace.
    own: String,
    /// What is shared where no resource tells of it.
    shipped: Arc<E::Shared>,
    common: BTreeMap<Arc<str>, Common<E::Shared>>,
    /// Digest of what each text was read from last, with whose it is.
    read: BTreeMap<Arc<str>, String>,
}

impl<E: Examine> Sources<E> {
    /// With the operator's own namespace.
    pub fn new(examiner: E, own: String) -> Result<Self, String> {
        let shipped = Arc::new(examiner.share(&[])?);
        Ok(Self { examiner, own, shipped, common: BTreeMap::new(), read: BTreeMap::new() })
    }

    /// Regions of a namespace have changed; tells whether blueprints of all namespaces may be judged otherwise now.
    pub fn regions_changed(&mut self, namespace: &str) -> bool {
        let is_for_all = namespace == self.own;
        if is_for_all {
            self.common.clear();
        } else {
            self.common.remove(namespace);
        }
        is_for_all
    }

    /// It is gone.
    pub fn forget(&mut self, name: &str) {
        self.read.remove(name);
    }

    /// Reads these blueprints anew, as far as anything of theirs has changed.
    pub fn read(&mut self, items: &[Arc<Item>], resources: &Resources) -> Vec<(Arc<str>, Text<E::Shared>)> {
        let namespaces: BTreeSet<Arc<str>> =
            items.iter().map(|item| Arc::clone(&item.place.namespace)).collect();
        for namespace in namespaces {
            if !self.common.contains_key(&namespace) {
                let common = self.common_of(&namespace, resources);
                self.common.insert(namespace, common);
            }
        }
        let digest = |item: &Item| {
            let common = self.common.get(&item.place.namespace).map_or("", |common| &common.digest);
            sha256_hex(format!("{} {common} {}", item.uid(), item.spec).as_bytes())
        };
        let new: Vec<(&Arc<Item>, String)> = items
            .iter()
            .map(|item| (item, digest(item)))
            .filter(|(item, digest)| self.read.get(&item.place.name) != Some(digest))
            .collect();
        let texts: Vec<_> = new.par_iter().map(|(item, digest)| self.text(item, digest)).collect();
        let read = new.into_iter().map(|(item, digest)| (Arc::clone(&item.place.name), digest));
        self.read.extend(read.collect::<Vec<_>>());
        texts
    }

    fn text(&self, item: &Item, digest: &str) -> (Arc<str>, Text<E::Shared>) {
        let name = Arc::clone(&item.place.name);
        let Some(common) = self.common.get(&item.place.namespace) else {
            return (name, Text::Bad("its namespace was not read".to_owned()));
        };
        let source = document(item);
        let path = Path::new(&source.name);
        let mut examined = self.examiner.examine(&common.shared, path, &source.text);
        let text = match (examined.wrong, examined.blueprints.remove(&name)) {
            (Some(why), _) => Text::Bad(why),
            (None, None) => Text::Bad("it is no blueprint of its name".to_owned()),
            (None, Some(place)) => {
                let bad = place.regions.iter().find_map(|region| Some((region, common.bad.get(region)?)));
                match bad {
                    Some((region, why)) => Text::Bad(format!("its region {region} cannot be used: {why}")),
                    None => Text::Good(InForce {
                        path: Arc::from(path),
                        text: source.text.as_str().into(),
                        digest: digest.into(),
                        shared: Arc::clone(&common.shared),
                        place: Arc::new(place),
                    }),
                }
            }
        };
        (name, text)
    }

    /// What blueprints of a namespace share: each of its regions is read by itself first, so that one that is wrong concerns
    /// only those who name it.
    fn common_of(&self, namespace: &str, resources: &Resources) -> Common<E::Shared> {
        let mut regions: BTreeMap<Arc<str>, &Arc<Item>> = BTreeMap::new();
        for within in [self.own.as_str(), namespace] {
            let items = resources.within(Watched::Region, within);
            regions.extend(items.map(|item| (Arc::clone(&item.place.name), item)));
        }
        let (mut good, mut bad) = (Vec::new(), BTreeMap::new());
        for (name, item) in regions {
            let source = region(item);
            match self.examiner.share(&[(Path::new(&source.name), &source.text)]) {
                Ok(_) => good.push(source),
                Err(why) => {
                    if let Ok(id) = RegionId::new(&*name) {
                        bad.insert(id, why);
                    }
                }
            }
        }
        let texts: Vec<(&Path, &str)> =
            good.iter().map(|source| (Path::new(&source.name), source.text.as_str())).collect();
        let all = format!("{texts:?} {bad:?}");
        let refuse = |why: String| {
            // Each is right by itself and they are not together: then none is used, and whoever names one is refused.
            for (_, name) in good.iter().filter_map(|source| source.name.rsplit_once('/')) {
                if let Ok(id) = RegionId::new(name) {
                    bad.insert(id, why.clone());
                }
            }
            Arc::clone(&self.shipped)
        };
        let shared = self.examiner.share(&texts).map_or_else(refuse, Arc::new);
        Common { shared, digest: sha256_hex(all.as_bytes()), bad }
    }
}

fn document(item: &Item) -> Source {
    Object::new(&*item.place.name, Some(&item.place.namespace), BlueprintSpec(Body::of(&item.spec())))
        .source()
}

fn region(item: &Item) -> Source {
    Object::new(&*item.place.name, Some(&item.place.namespace), RegionSpec(Body::of(&item.spec()))).source()
}
