//! Which kind of resource is watched, and the name under which conditions and templates know it.

use std::str::FromStr;

use kube::core::{ApiResource, GroupVersionKind};

/// A kind of resource, as `group/version/plural[:variable]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceKind {
    /// Its API group; empty for the core group.
    pub group: String,
    /// Its version.
    pub version: String,
    /// Its name in addresses, such as `applications`.
    pub plural: String,
    /// The variable that holds it in conditions and templates.
    pub variable: String,
}

impl ResourceKind {
    /// Argo CD's Application, which conditions and templates know as `app`.
    #[must_use]
    pub fn application() -> Self {
        Self::argo("applications", "app")
    }

    /// Argo CD's AppProject.
    #[must_use]
    pub fn project() -> Self {
        Self::argo("appprojects", "appProject")
    }

    fn argo(plural: &str, variable: &str) -> Self {
        Self {
            group: "argoproj.io".to_owned(),
            version: "v1alpha1".to_owned(),
            plural: plural.to_owned(),
            variable: variable.to_owned(),
        }
    }

    /// Whether this is Argo CD's Application, whose project and sync status count.
    #[must_use]
    pub fn is_application(&self) -> bool {
        self.group == "argoproj.io" && self.plural == "applications"
    }

    /// Its group and version as objects give them: `argoproj.io/v1alpha1`, or `v1` in the core group.
    #[must_use]
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    pub(crate) fn api(&self) -> ApiResource {
        // The kind's own name is only used in messages of the client.
        let kind = GroupVersionKind::gvk(&self.group, &self.version, &self.plural);
        ApiResource::from_gvk_with_plural(&kind, &self.plural)
    }
}

impl FromStr for ResourceKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || format!("`{text}` is not of the form `group/version/plural[:variable]`");
        let (path, variable) = match text.split_once(':') {
            Some((path, variable)) => (path, Some(variable)),
            None => (text, None),
        };
        let parts: Vec<&str> = path.split('/').collect();
        let [group, version, plural] = parts[..] else { return Err(expected()) };
        if version.is_empty() || plural.is_empty() || variable.is_some_and(str::is_empty) {
            return Err(expected());
        }
        let variable = match (variable, plural) {
            (Some(variable), _) => variable,
            (None, "applications") => "app",
            // The name that users of these kinds know from their own controllers.
            (None, "rollouts") => "rollout",
            (None, "applicationsets") => "appset",
            (None, plural) => plural.strip_suffix('s').unwrap_or(plural),
        };
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if !variable.chars().all(is_name) || variable.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(format!("`{variable}` cannot be a variable: letters, digits and `_` are possible"));
        }
        if ["appProject", "context", "secrets", "time", "strings", "repo", "serviceType", "recipient"]
            .contains(&variable)
        {
            return Err(format!("the variable `{variable}` has another meaning already"));
        }
        Ok(Self {
            group: group.to_owned(),
            version: version.to_owned(),
            plural: plural.to_owned(),
            variable: variable.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_written_as_an_address_and_may_name_its_variable() {
        for (text, variable) in [
            ("argoproj.io/v1alpha1/applications", "app"),
            ("argoproj.io/v1alpha1/rollouts", "rollout"),
            ("argoproj.io/v1alpha1/applicationsets:set", "set"),
            ("/v1/pods", "pod"),
        ] {
            assert_eq!(text.parse::<ResourceKind>().unwrap().variable, variable, "{text}");
        }
        for text in ["rollouts", "a/b/c/d", "a//c", "a/b/", "a/b/c:", "a/b/c:1x", "a/b/c:time"] {
            assert!(text.parse::<ResourceKind>().is_err(), "{text}");
        }
        assert_eq!(ResourceKind::application().api_version(), "argoproj.io/v1alpha1");
        assert_eq!("/v1/pods".parse::<ResourceKind>().unwrap().api_version(), "v1");
    }
}
