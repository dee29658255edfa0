//! Which kind of resource an object belongs to.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use echion_model::ResourceId;

use super::kind::ResourceKind;

/// The kinds that are watched, by group and kind. Their addresses know only the plural (`applications`); the kind (`Application`) is learned
/// from the first object. Clones share what they know.
#[derive(Clone, Debug, Default)]
pub struct Kinds(Arc<RwLock<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    watched: Vec<ResourceKind>,
    known: BTreeMap<(String, String), ResourceKind>,
}

impl Kinds {
    /// The kind of resource that an object belongs to; `None` as long as none of that kind has been observed.
    #[must_use]
    pub fn get(&self, id: &ResourceId) -> Option<ResourceKind> {
        let inner = self.0.read().unwrap_or_else(PoisonError::into_inner);
        inner.known.get(&(id.group.clone(), id.kind.clone())).cloned()
    }

    /// Whether an object of that group may belong to a kind of which none has been observed yet.
    pub(crate) fn may_appear(&self, id: &ResourceId) -> bool {
        let inner = self.0.read().unwrap_or_else(PoisonError::into_inner);
        inner.watched.iter().any(|kind| kind.group == id.group && !inner.known.values().any(|known| known == kind))
    }

    /// A kind is watched.
    pub(crate) fn watch(&self, kind: &ResourceKind) {
        // Argo CD's own need not be waited for.
        if kind.is_application() {
            self.learn(kind, "Application");
        } else if *kind == ResourceKind::project() {
            self.learn(kind, "AppProject");
        }
        let mut inner = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if !inner.watched.contains(kind) {
            inner.watched.push(kind.clone());
        }
    }

    /// The objects of a kind of resource have that kind.
    pub(crate) fn learn(&self, kind: &ResourceKind, name: &str) {
        let mut inner = self.0.write().unwrap_or_else(PoisonError::into_inner);
        inner.known.insert((kind.group.clone(), name.to_owned()), kind.clone());
    }

    /// What the objects of a kind of resource are called.
    pub(crate) fn name_of(&self, kind: &ResourceKind) -> Option<String> {
        let inner = self.0.read().unwrap_or_else(PoisonError::into_inner);
        inner.known.iter().find(|(_, known)| *known == kind).map(|((_, name), _)| name.clone())
    }
}
