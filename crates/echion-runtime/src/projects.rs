//! The AppProjects that applications belong to.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hasher as _};

use echion_model::{Observation, Resource};
use echion_value::Value;

/// AppProjects by name.
#[derive(Debug, Default)]
pub(crate) struct Projects {
    known: BTreeMap<String, Value>,
    listing: Option<HashSet<String>>,
    complete: bool,
}

impl Projects {
    /// Whether they are known, or it is known that they cannot be read.
    pub(crate) fn is_complete(&self) -> bool {
        self.complete
    }

    /// Takes in what was observed; gives whether it can matter to a resource. Unless conditions read projects, only their annotations do.
    pub(crate) fn apply(&mut self, observation: Observation, conditions_read_them: bool) -> bool {
        match observation {
            Observation::Listing => {
                self.listing = Some(HashSet::new());
                false
            }
            Observation::Seen(project) => {
                let name = project.id.name;
                if let Some(listing) = &mut self.listing {
                    listing.insert(name.clone());
                }
                let before = self.known.get(&name).map(|object| digest(object, conditions_read_them));
                let changed = before != Some(digest(&project.object, conditions_read_them));
                self.known.insert(name, project.object);
                changed
            }
            Observation::Complete => {
                self.complete = true;
                let Some(listing) = self.listing.take() else { return false };
                let before = self.known.len();
                self.known.retain(|name, _| listing.contains(name));
                self.known.len() != before
            }
            Observation::Gone(id) => self.known.remove(&id.name).is_some(),
            Observation::Failed(error) => {
                // Without the right to see projects everything else still works.
                self.complete |= error.refused;
                false
            }
        }
    }

    /// The project of a resource; one that names none belongs to `default`.
    pub(crate) fn of(&self, resource: &Resource) -> Option<Value> {
        if !resource.id.is_argo("Application") {
            return None;
        }
        let name = resource.object.at(&["spec", "project"]);
        let name = name.as_ref().and_then(Value::as_str).filter(|name| !name.is_empty()).unwrap_or("default");
        self.known.get(name).cloned()
    }
}

/// Another number for another project, as far as it matters.
fn digest(project: &Value, everything: bool) -> u64 {
    let matters: &[&[&str]] = if everything {
        &[&["metadata", "annotations"], &["metadata", "labels"], &["spec"], &["status"]]
    } else {
        &[&["metadata", "annotations"]]
    };
    let mut hasher = DefaultHasher::new();
    for path in matters {
        let json = project.at(path).and_then(|value| echion_value::json::marshal(&value).ok()).unwrap_or_default();
        hasher.write_usize(json.len());
        hasher.write(&json);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(kind: &str, json: &str) -> Resource {
        let object = format!(r#"{{"kind":"{kind}",{json}}}"#);
        Resource::from_object(serde_json::from_str(&object).unwrap(), "argocd").unwrap()
    }

    fn project(name: &str, description: &str) -> Observation {
        let json = format!(r#""metadata":{{"name":"{name}"}},"spec":{{"description":"{description}"}}"#);
        Observation::Seen(resource("AppProject", &json))
    }

    /// In a folder as in a cluster.
    #[test]
    fn an_application_without_a_project_belongs_to_default() {
        let mut projects = Projects::default();
        projects.apply(project("default", "x"), false);
        for app in [r#""metadata":{"name":"a"},"spec":{"project":""}"#, r#""metadata":{"name":"a"}"#] {
            assert!(projects.of(&resource("Application", app)).is_some());
        }
        assert!(projects.of(&resource("Application", r#""metadata":{"name":"a"},"spec":{"project":"p"}"#)).is_none());
    }

    #[test]
    fn a_change_matters_when_subscriptions_or_conditions_can_see_it() {
        let mut projects = Projects::default();
        assert!(projects.apply(project("p", "x"), false));
        assert!(!projects.apply(project("p", "y"), false));
        assert!(projects.apply(project("p", "z"), true));
        projects.apply(Observation::Listing, false);
        assert!(projects.apply(Observation::Complete, false) && projects.is_complete());
    }
}
