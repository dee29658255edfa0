//! ConfigMap and Secret out of a text with YAML documents (contract 6.1).

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use echion_model::yaml::{self, Node, YamlError};

/// What a configuration is made of.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Sources {
    /// `data` of the ConfigMap.
    pub config_map: BTreeMap<String, String>,
    /// Its namespace; empty when it does not say.
    pub namespace: String,
    /// Whether it is the configuration of the namespace's owner rather than the controller's own (contract 1.10).
    pub self_service: bool,
    /// `data` of the Secret, decoded, with `stringData` over it.
    pub secret: BTreeMap<String, Vec<u8>>,
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = |keys: Vec<&String>| keys.into_iter().cloned().collect::<Vec<_>>().join(", ");
        write!(
            f,
            "config map [{}], secret [{}]",
            keys(self.config_map.keys().collect()),
            keys(self.secret.keys().collect())
        )
    }
}

/// The documents of a file.
#[derive(Debug)]
pub struct Documents(Vec<Node>);

/// A file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentsError {
    /// It is not YAML.
    #[error("{}:{}: {}", .0.line, .0.column, .0.message)]
    Yaml(YamlError),
    /// The wanted object is not in it.
    #[error("no {kind} named `{name}` in it; found {found}")]
    Missing {
        /// What was looked for.
        kind: &'static str,
        /// Its name.
        name: String,
        /// What is there instead.
        found: String,
    },
    /// An entry cannot be used.
    #[error("{line}:{column}: `{key}`: {message}")]
    Entry {
        /// The key of the entry.
        key: String,
        /// What was expected.
        message: String,
        /// Its line.
        line: u32,
        /// Its column.
        column: u32,
    },
}

impl Documents {
    /// Reads the documents of a file.
    ///
    /// # Errors
    /// When it is not YAML.
    pub fn parse(text: &str) -> Result<Self, DocumentsError> {
        let documents = yaml::parse_all(text).map_err(DocumentsError::Yaml)?;
        Ok(Self(objects(&documents).into_iter().cloned().collect()))
    }

    /// Takes the data of the ConfigMap of that name into `sources`.
    ///
    /// # Errors
    /// When it is not there, or an entry is not a text.
    pub fn config_map(&self, name: &str, sources: &mut Sources) -> Result<(), DocumentsError> {
        let node = self.find("ConfigMap", name)?;
        let namespace = node.get("metadata").and_then(|m| m.get("namespace")).and_then(Node::text);
        sources.namespace = namespace.unwrap_or_default().to_owned();
        sources.config_map = texts(node, "data")?.into_iter().map(|(k, v, _)| (k, v)).collect();
        Ok(())
    }

    /// Takes the data of the Secret of that name into `sources`.
    ///
    /// # Errors
    /// When it is not there, or an entry is not a text or not base64.
    pub fn secret(&self, name: &str, sources: &mut Sources) -> Result<(), DocumentsError> {
        let node = self.find("Secret", name)?;
        sources.secret.clear();
        for (key, text, (line, column)) in texts(node, "data")? {
            let compact: String = text.split_whitespace().collect();
            let bytes =
                base64::engine::general_purpose::STANDARD.decode(compact).map_err(|_| DocumentsError::Entry {
                    message: "expected base64; plain text belongs under `stringData`".to_owned(),
                    key: key.clone(),
                    line,
                    column,
                })?;
            sources.secret.insert(key, bytes);
        }
        for (key, text, _) in texts(node, "stringData")? {
            sources.secret.insert(key, text.into_bytes());
        }
        Ok(())
    }

    fn find(&self, kind: &'static str, name: &str) -> Result<&Node, DocumentsError> {
        let text = |node: &Node, path: [&str; 2]| {
            node.get(path[0])
                .and_then(|n| if path[1].is_empty() { n.text() } else { n.get(path[1])?.text() })
                .map(str::to_owned)
        };
        let named: Vec<_> = self
            .0
            .iter()
            .map(|n| (text(n, ["kind", ""]).unwrap_or_default(), text(n, ["metadata", "name"]).unwrap_or_default()))
            .collect();
        match named.iter().position(|(k, n)| k == kind && n == name) {
            Some(at) => Ok(&self.0[at]),
            None => {
                let found: Vec<_> =
                    named.iter().filter(|(k, _)| !k.is_empty()).map(|(k, n)| format!("{k} `{n}`")).collect();
                let found = if found.is_empty() { "no Kubernetes object".to_owned() } else { found.join(", ") };
                Err(DocumentsError::Missing { kind, name: name.to_owned(), found })
            }
        }
    }
}

/// The objects of a file: its documents, and the items of those that are lists, as `kubectl get` prints them.
#[must_use]
pub fn objects(documents: &[Node]) -> Vec<&Node> {
    let mut objects = Vec::new();
    for document in documents {
        let kind = document.get("kind").and_then(Node::text).unwrap_or_default();
        match document.get("items").map(|items| &items.kind) {
            Some(yaml::Kind::List(items)) if kind.ends_with("List") => objects.extend(items),
            _ => objects.push(document),
        }
    }
    objects
}

type Entry = (String, String, (u32, u32));

fn texts(node: &Node, field: &str) -> Result<Vec<Entry>, DocumentsError> {
    let Some(data) = node.get(field) else { return Ok(Vec::new()) };
    data.entries()
        .iter()
        .map(|(key, value)| {
            let name = key.text().unwrap_or_default().to_owned();
            match value.decode::<String>() {
                Ok(text) => Ok((name, text.value, value.at())),
                Err(error) => Err(DocumentsError::Entry {
                    message: format!("{}; write the value as a block with `|`", error.message),
                    key: name,
                    line: error.at.0,
                    column: error.at.1,
                }),
            }
        })
        .collect()
}
