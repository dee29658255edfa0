//! In which namespaces resources are evaluated (contract 1.10 and 2.4).

use echion_value::regexp::{Regexp, quote_meta};

/// The controller's own namespace, and those that patterns add to it.
#[derive(Clone, Debug, Default)]
pub struct Namespaces {
    controller: String,
    /// `None` means every namespace.
    patterns: Option<Vec<Regexp>>,
}

impl Namespaces {
    /// Every namespace.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// The controller's namespace and those that match a pattern: a shell glob (`team-*`, `?`, `[ab]`, `{a,b}`), or a regular expression
    /// between slashes.
    ///
    /// # Errors
    /// The pattern that cannot be read, and why.
    pub fn new<'a>(controller: &str, patterns: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let compile = |pattern: &str| {
            let regular = match pattern.strip_prefix('/').and_then(|p| p.strip_suffix('/')) {
                Some(regular) => regular.to_owned(),
                None => glob(pattern),
            };
            Regexp::compile(&regular).map_err(|error| format!("`{pattern}`: {error}"))
        };
        let patterns = patterns.into_iter().map(str::trim).filter(|p| !p.is_empty()).map(compile);
        Ok(Self { controller: controller.to_owned(), patterns: Some(patterns.collect::<Result<_, _>>()?) })
    }

    /// Whether resources of this namespace are evaluated.
    #[must_use]
    pub fn contain(&self, namespace: &str) -> bool {
        match &self.patterns {
            None => true,
            Some(patterns) => namespace == self.controller || patterns.iter().any(|p| p.is_match(namespace.as_bytes())),
        }
    }
}

/// A glob as a regular expression. There is no separator: `*` matches everything.
fn glob(pattern: &str) -> String {
    let mut out = String::from("^");
    let mut depth = 0_u32;
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '*' => out.push_str(".*"),
            '?' => out.push('.'),
            '[' => {
                out.push('[');
                if chars.next_if_eq(&'!').is_some() {
                    out.push('^');
                }
                for inner in chars.by_ref() {
                    out.push(inner);
                    if inner == ']' {
                        break;
                    }
                }
            }
            '{' => {
                depth += 1;
                out.push_str("(?:");
            }
            '}' if depth > 0 => {
                depth -= 1;
                out.push(')');
            }
            ',' if depth > 0 => out.push('|'),
            c => out.push_str(&String::from_utf8_lossy(&quote_meta(c.to_string().as_bytes()))),
        }
    }
    out.push('$');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_and_regular_expressions_add_to_the_controllers_namespace() {
        for (pattern, namespace, want) in [
            ("team-*", "team-a", true),
            ("team-*", "my-team-a", false),
            ("*", "anything", true),
            ("team-?", "team-ab", false),
            ("team-[ab]", "team-b", true),
            ("team-[!ab]", "team-b", false),
            ("{a,b}-x", "b-x", true),
            ("a.b", "axb", false),
            ("/^team-[0-9]+$/", "team-12", true),
            ("/team/", "my-team", true),
            ("none", "argocd", true),
            ("none", "other", false),
        ] {
            let namespaces = Namespaces::new("argocd", [pattern]).unwrap();
            assert_eq!(namespaces.contain(namespace), want, "{pattern} {namespace}");
        }
        assert!(Namespaces::new("argocd", ["/(/"]).unwrap_err().contains("`/(/`"));
        assert!(Namespaces::all().contain("x"));
    }
}
