//! A folder of manifests: what a cluster would do to an object is done by editing a file.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fmt, fs, io};

use echion_model::{Resource, ResourceId, yaml};
use echion_value::Value;
use notify::{RecursiveMode, Watcher};
use tokio::sync::Notify;

/// The largest file that is read.
const FILE: u64 = 32 << 20;

/// How deep folders are followed.
const DEPTH: usize = 8;

/// Objects without a namespace are taken to be here, where Argo CD usually lives.
const NAMESPACE: &str = "argocd";

/// A folder with YAML and JSON manifests, many to a file if wanted. Files whose name begins with a dot are not looked at.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    files: BTreeMap<PathBuf, File>,
    known: HashMap<ResourceId, u64>,
}

#[derive(Debug, Default)]
struct File {
    hash: u64,
    objects: Vec<Resource>,
    problem: Option<String>,
}

/// A file that could not be read. What it held before still counts: a file is often seen half written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file.
    pub file: PathBuf,
    /// Why.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.message)
    }
}

/// What a scan found.
#[derive(Debug, Default)]
pub struct Observed {
    /// New and changed resources of every kind.
    pub changed: Vec<Resource>,
    /// Resources that are gone.
    pub gone: Vec<ResourceId>,
    /// Files that could not be read.
    pub problems: Vec<Problem>,
}

impl Folder {
    /// A folder that has not been scanned yet.
    ///
    /// # Errors
    /// When it is not a folder that can be read.
    pub fn open(path: &Path) -> io::Result<Self> {
        fs::read_dir(path)?;
        Ok(Self { path: path.to_owned(), files: BTreeMap::new(), known: HashMap::new() })
    }

    /// Reads what changed since the last scan.
    ///
    /// # Errors
    /// When the folder itself can no longer be read; nothing is taken to be gone then.
    pub fn scan(&mut self) -> io::Result<Observed> {
        let mut paths = Vec::new();
        list(&self.path, 0, &mut paths)?;
        self.files.retain(|path, _| paths.contains(path));
        let mut observed = Observed::default();
        for path in paths {
            let file = self.files.entry(path.clone()).or_default();
            file.read(&path);
            if let Some(message) = &file.problem {
                observed.problems.push(Problem { file: path, message: message.clone() });
            }
        }
        let mut now: HashMap<ResourceId, u64> = HashMap::new();
        for (path, file) in &self.files {
            for resource in &file.objects {
                if now.contains_key(&resource.id) {
                    let message = format!("1: {} {} stands in another file too", resource.id.kind, resource.id);
                    observed.problems.push(Problem { file: path.clone(), message });
                    continue;
                }
                let hash = hash_of(&resource.object);
                if self.known.get(&resource.id) != Some(&hash) {
                    observed.changed.push(resource.clone());
                }
                now.insert(resource.id.clone(), hash);
            }
        }
        observed.gone = self.known.keys().filter(|id| !now.contains_key(id)).cloned().collect();
        observed.gone.sort();
        self.known = now;
        Ok(observed)
    }

    /// All resources of a kind, as last scanned.
    pub fn resources<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Resource> {
        self.files.values().flat_map(|file| &file.objects).filter(move |r| r.id.kind == kind)
    }
}

impl File {
    fn read(&mut self, path: &Path) {
        match read_text(path) {
            Err(error) => self.problem = Some(format!("1: {error}")),
            Ok(text) => {
                let mut hasher = DefaultHasher::new();
                text.hash(&mut hasher);
                let hash = hasher.finish();
                if hash == self.hash {
                    return;
                }
                self.hash = hash;
                match objects(path, &text) {
                    Ok(objects) => {
                        self.problem = None;
                        self.objects = objects
                            .into_iter()
                            .flat_map(items)
                            .filter_map(|object| Resource::from_object(object, NAMESPACE))
                            .collect();
                    }
                    Err(message) => self.problem = Some(message),
                }
            }
        }
    }
}

fn read_text(path: &Path) -> io::Result<String> {
    let size = fs::metadata(path)?.len();
    if size > FILE {
        return Err(io::Error::other(format!("larger than {} MiB", FILE >> 20)));
    }
    fs::read_to_string(path)
}

fn objects(path: &Path, text: &str) -> Result<Vec<Value>, String> {
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

fn hash_of(object: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    // Maps keep their entries sorted, so equal objects print equally.
    format!("{object:?}").hash(&mut hasher);
    hasher.finish()
}

fn list(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)?.filter_map(|e| e.ok().map(|e| e.path())).collect();
    entries.sort();
    for path in entries {
        let hidden = path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
        if hidden {
        } else if path.is_dir() {
            if depth < DEPTH {
                // A folder below that vanished or is closed to us hides only itself.
                let _ = list(&path, depth + 1, found);
            }
        } else if path.extension().is_some_and(|e| e == "yaml" || e == "yml" || e == "json") {
            found.push(path);
        }
    }
    Ok(())
}

/// Notifies `wake` whenever a manifest in one of the folders or one of the files changes, as long as the result lives. Everything else
/// that stands beside them, such as a ledger or a log, wakes nobody.
///
/// # Errors
/// When the system cannot watch them.
pub fn watch(paths: &[&Path], wake: Arc<Notify>) -> Result<impl Drop + use<>, notify::Error> {
    let (folders, files): (Vec<&Path>, Vec<&Path>) = paths.iter().partition(|path| path.is_dir());
    let names: Vec<_> = files.iter().filter_map(|file| file.file_name().map(ToOwned::to_owned)).collect();
    let mut watcher = notify::recommended_watcher(move |event: Result<notify::Event, notify::Error>| {
        // Reading a file is an event too, and ours.
        let Ok(event) = event else { return };
        if !event.kind.is_access() && event.paths.iter().any(|path| concerns(path, &names)) {
            wake.notify_one();
        }
    })?;
    for folder in folders {
        watcher.watch(folder, RecursiveMode::Recursive)?;
    }
    for file in files {
        // Editors replace files, so it is the folder of a file that must be watched.
        let folder = file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        watcher.watch(folder, RecursiveMode::NonRecursive)?;
    }
    Ok(Watching(watcher))
}

/// Whether a change of `path` can matter: a manifest, a watched file, or something without an extension, which may be a folder, or the
/// link `..data` that Kubernetes switches over.
fn concerns(path: &Path, names: &[OsString]) -> bool {
    let Some(name) = path.file_name() else { return true };
    names.iter().any(|known| known == name)
        || name.to_string_lossy().starts_with("..")
        || path.extension().is_none_or(|e| e == "yaml" || e == "yml" || e == "json")
            && !name.to_string_lossy().starts_with('.')
}

struct Watching(#[expect(dead_code, reason = "dropping it ends the watch")] notify::RecommendedWatcher);

impl Drop for Watching {
    fn drop(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(name: &str, phase: &str) -> String {
        format!("kind: Application\nmetadata: {{name: {name}, namespace: argocd}}\nstatus: {{phase: {phase}}}\n")
    }

    fn names(resources: &[Resource]) -> Vec<&str> {
        resources.iter().map(|r| r.id.name.as_str()).collect()
    }

    #[test]
    fn only_what_changed_is_reported() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        file("a.yaml", &format!("{}---\n{}", app("one", "x"), app("two", "x")));
        file("b.json", r#"{"kind":"List","items":[{"kind":"AppProject","metadata":{"name":"p"}}]}"#);
        file("notes.txt", "kind: Application");
        file(".hidden.yaml", &app("hidden", "x"));
        let mut source = Folder::open(folder.path()).unwrap();
        assert_eq!(names(&source.scan().unwrap().changed), ["one", "two", "p"]);
        assert!(source.scan().unwrap().changed.is_empty());
        file("a.yaml", &format!("{}---\n{}", app("one", "x"), app("two", "y")));
        assert_eq!(names(&source.scan().unwrap().changed), ["two"]);
        fs::remove_file(folder.path().join("a.yaml")).unwrap();
        let gone: Vec<String> = source.scan().unwrap().gone.iter().map(|id| id.name.clone()).collect();
        assert_eq!(gone, ["one", "two"]);
    }

    #[test]
    fn a_ledger_beside_the_manifests_wakes_nobody() {
        let concerns = |path: &str| concerns(Path::new(path), &["cm.txt".into()]);
        for path in ["a/app.yaml", "a/b.json", "a/folder", "cm.txt", "a/..data"] {
            assert!(concerns(path), "{path}");
        }
        for path in ["a/.echion.sqlite", "a/.echion.sqlite-wal", "a/run.log", "a/.app.yaml", "a/.app.yaml.swp"] {
            assert!(!concerns(path), "{path}");
        }
    }

    #[test]
    fn a_file_that_is_half_written_keeps_what_it_held() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.yaml");
        fs::write(&path, app("one", "x")).unwrap();
        let mut source = Folder::open(folder.path()).unwrap();
        source.scan().unwrap();
        fs::write(&path, "kind: Application\nmetadata: {name: [").unwrap();
        let observed = source.scan().unwrap();
        assert!(observed.gone.is_empty() && observed.changed.is_empty());
        assert!(observed.problems[0].to_string().contains("a.yaml:"), "{:?}", observed.problems);
        assert_eq!(source.resources("Application").count(), 1);
    }
}
