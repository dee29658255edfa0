//! One file of manifests: reading it, and telling a change from a file that is being written.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::time::{Duration, SystemTime};
use std::{fs, io};

use echion_model::{Resource, yaml};
use echion_value::Value;

/// The largest file that is read.
const MAX_SIZE: u64 = 32 << 20;

/// Objects without a namespace are taken to be here, where Argo CD usually lives.
const DEFAULT_NAMESPACE: &str = "argocd";

/// A file that changed this recently may change again within the resolution of its time stamp, so the next scan reads it once more.
const RACY: Duration = Duration::from_secs(1);

/// How long a file must have stayed as it is before one that looks cut short is taken to be complete.
pub(super) const CUT_SHORT: Duration = Duration::from_secs(10);

/// Whether the name of a file says that it holds manifests. Files that begin with a dot are hidden.
pub(super) fn is_manifest(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == "yaml" || e == "yml" || e == "json")
}

/// What shows, without reading, that a file is still the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    modified: SystemTime,
    size: u64,
    inode: u64,
}

impl Stamp {
    pub(super) fn of(metadata: &fs::Metadata) -> Self {
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(metadata);
        #[cfg(not(unix))]
        let inode = 0;
        Self { modified: metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH), size: metadata.len(), inode }
    }

    /// Whether it has been as it is for that long. A time in the future counts as long ago: no clock can be trusted to pass it.
    fn is_older_than(self, age: Duration, now: SystemTime) -> bool {
        now.duration_since(self.modified).map_or(true, |elapsed| elapsed >= age)
    }
}

/// A resource with the digest of its content.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) resource: Resource,
    pub(super) digest: u64,
}

/// A file and what it holds. What cannot be read keeps what it held.
#[derive(Debug, Default)]
pub(super) struct File {
    /// Its stamp when it was last read; `None` when it has to be read again.
    stamp: Option<Stamp>,
    /// Of the text that `held` is of: its digest, its size, and whether it ended with a newline.
    text: Option<(u64, u64, bool)>,
    pub(super) held: Vec<Held>,
    /// Why what is in the file now is not in effect.
    problem: Option<FileError>,
    /// A resource that `held` lists only once, although the file lists it again.
    repeated: Option<String>,
}

#[derive(Debug)]
struct FileError {
    /// The reason, beginning with the line.
    message: String,
    /// Whether time alone may solve it.
    transient: bool,
}

impl From<String> for FileError {
    fn from(message: String) -> Self {
        Self { message, transient: false }
    }
}

impl From<&str> for FileError {
    fn from(message: &str) -> Self {
        Self::from(format!("1: {message}; what it held before stays in effect"))
    }
}

impl File {
    /// Whether it looks as it did when it was last read.
    pub(super) fn is_current(&self, stamp: Stamp) -> bool {
        self.stamp == Some(stamp)
    }

    /// What is wrong with it, beginning with the line.
    pub(super) fn problem(&self) -> Option<&str> {
        self.problem.as_ref().map(|problem| problem.message.as_str()).or(self.repeated.as_deref())
    }

    /// Whether it must be read again after [`CUT_SHORT`] even if nothing happens to it.
    pub(super) fn is_transient(&self) -> bool {
        self.problem.as_ref().is_some_and(|problem| problem.transient)
    }

    /// Reads the file and returns what it held before; `None` when what it holds has not changed.
    pub(super) fn read(&mut self, path: &Path, now: SystemTime) -> Option<Vec<Held>> {
        self.stamp = None;
        let (text, stamp) = match read_text(path) {
            Ok(read) => read,
            Err(error) => {
                self.problem = Some(format!("1: {error}").into());
                return None;
            }
        };
        let shape = (digest_of_text(&text), stamp.size, text.ends_with('\n'));
        let change = if self.text == Some(shape) { Ok(None) } else { self.parse(path, &text, stamp, now).map(Some) };
        let (problem, former) = match change {
            Err(problem) => (Some(problem), None),
            Ok(None) => (None, None),
            Ok(Some((held, repeated))) => {
                self.text = Some(shape);
                self.repeated = repeated;
                (None, Some(std::mem::replace(&mut self.held, held)))
            }
        };
        self.problem = problem;
        self.stamp = Some(stamp).filter(|stamp| !self.is_transient() && stamp.is_older_than(RACY, now));
        former
    }

    /// What a new text holds, and what it lists twice; an error when that is not to be believed.
    fn parse(
        &self,
        path: &Path,
        text: &str,
        stamp: Stamp,
        now: SystemTime,
    ) -> Result<(Vec<Held>, Option<String>), FileError> {
        if text.trim().is_empty() && !self.held.is_empty() {
            return Err("the file is empty".into());
        }
        let documents = documents(path, text)?;
        if let Some((_, size, true)) = self.text
            && !self.held.is_empty()
            && stamp.size < size
            && !text.ends_with('\n')
            && !stamp.is_older_than(CUT_SHORT, now)
        {
            let problem = FileError::from("the file seems to be cut short, it ends in the middle of a line");
            return Err(FileError { transient: true, ..problem });
        }
        let mut held = Vec::new();
        let mut listed = HashSet::new();
        let (mut repeated, mut other) = (None, false);
        for object in documents.into_iter().flat_map(items).filter(|object| !matches!(object, Value::Nil)) {
            let Some(resource) = Resource::from_object(object, DEFAULT_NAMESPACE) else {
                other = true;
                continue;
            };
            if !listed.insert(resource.id.clone()) {
                let what = format!("1: {} {} is listed twice, the first is used", resource.id.kind, resource.id);
                repeated.get_or_insert(what);
                continue;
            }
            let digest = digest(&resource.object);
            held.push(Held { resource, digest });
        }
        // `kind: Appl` is YAML too.
        if other && self.held.iter().any(|former| !listed.contains(&former.resource.id)) {
            return Err("a document has no `kind` or no `metadata.name`".into());
        }
        Ok((held, repeated))
    }
}

/// Text and stamp of one and the same state of a file.
fn read_text(path: &Path) -> io::Result<(String, Stamp)> {
    let mut file = fs::File::open(path)?;
    let stamp = Stamp::of(&file.metadata()?);
    if stamp.size > MAX_SIZE {
        return Err(io::Error::other(format!("larger than {} MiB", MAX_SIZE >> 20)));
    }
    let mut text = String::new();
    io::Read::read_to_string(&mut io::Read::take(&mut file, MAX_SIZE + 1), &mut text)?;
    Ok((text, stamp))
}

fn documents(path: &Path, text: &str) -> Result<Vec<Value>, String> {
    if path.extension().is_some_and(|e| e == "json") {
        let mut all = Vec::new();
        for value in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
            all.push(value.map_err(|e| format!("{}:{}: {e}", e.line(), e.column()))?);
        }
        return Ok(all);
    }
    let nodes = yaml::parse_all(text).map_err(|e| format!("{}:{}: {e}", e.line, e.column))?;
    Ok(nodes.iter().map(yaml::Node::to_value).collect())
}

/// The objects of a Kubernetes `List`, or the object itself.
fn items(object: Value) -> Vec<Value> {
    let is_list = object.at(&["kind"]).is_some_and(|k| k.as_str().is_some_and(|k| k.ends_with("List")));
    match object.at(&["items"]) {
        Some(Value::List(list)) if is_list => list.items().to_vec(),
        _ => vec![object],
    }
}

fn digest_of_text(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

fn digest(object: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    hash(object, &mut hasher);
    hasher.finish()
}

/// Maps keep their entries sorted, so equal objects have equal digests.
fn hash(value: &Value, hasher: &mut DefaultHasher) {
    match value {
        Value::Nil => 0u8.hash(hasher),
        Value::Bool(value) => (1u8, value).hash(hasher),
        Value::Int64(value) => (2u8, value).hash(hasher),
        Value::Float(value) => (3u8, value.to_bits()).hash(hasher),
        Value::List(list) => {
            let items = list.items();
            (4u8, items.len()).hash(hasher);
            items.iter().for_each(|item| hash(item, hasher));
        }
        Value::Map(map) => {
            let entries = map.entries();
            (5u8, entries.len()).hash(hasher);
            for (key, value) in entries.iter() {
                key.hash(hasher);
                hash(value, hasher);
            }
        }
        Value::Str(text) => (6u8, text).hash(hasher),
        // Manifests hold nothing else.
        other => (7u8, format!("{other:?}")).hash(hasher),
    }
}
