//! What a folder holds, kept up to date file by file, and who is informed of changes. Everything here is synchronous.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;
use std::{fs, io};

use echion_model::{Observation, Resource, ResourceId, SourceError};
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};

use super::file::{File, Held, Stamp, is_manifest};
use super::{FileError, Scan};

/// How deep folders are followed.
const MAX_DEPTH: usize = 8;

/// The state of a folder. Paths are relative to it.
#[derive(Debug)]
pub(super) struct Scanner {
    root: PathBuf,
    files: BTreeMap<Arc<Path>, File>,
    /// Which files list a resource, sorted. The first of them counts.
    places: HashMap<ResourceId, Vec<Arc<Path>>>,
    /// The content of each resource as observers know it.
    published: HashMap<ResourceId, u64>,
    /// Resources that more than one file lists.
    disputed: BTreeSet<ResourceId>,
    /// Files with a problem.
    faulty: BTreeSet<Arc<Path>>,
    /// Folders that cannot be read, and why.
    closed: BTreeMap<PathBuf, String>,
    state: State,
    observers: Vec<Observer>,
}

#[derive(Debug)]
enum State {
    /// Never read yet.
    New,
    Readable,
    /// The folder itself cannot be read: why. Nothing is taken to be gone meanwhile.
    Lost(String),
}

#[derive(Debug)]
struct Observer {
    kind: &'static str,
    sender: UnboundedSender<Observation>,
    /// Whether it has received the list since the folder has become readable.
    listed: bool,
}

/// What lies below a folder.
#[derive(Default)]
struct Found {
    files: BTreeMap<PathBuf, Stamp>,
    closed: BTreeMap<PathBuf, String>,
}

impl Scanner {
    pub(super) fn new(root: PathBuf) -> Self {
        Self {
            root,
            files: BTreeMap::new(),
            places: HashMap::new(),
            published: HashMap::new(),
            disputed: BTreeSet::new(),
            faulty: BTreeSet::new(),
            closed: BTreeMap::new(),
            state: State::New,
            observers: Vec::new(),
        }
    }

    /// Everything of one kind of Argo CD: the list as soon as there is one, then changes.
    pub(super) fn observe(&mut self, kind: &'static str) -> UnboundedReceiver<Observation> {
        let (sender, receiver) = unbounded();
        self.observers.push(Observer { kind, sender, listed: false });
        match &self.state {
            State::New => {}
            State::Readable => self.list(),
            State::Lost(_) => {
                let error = self.source_error();
                if let Some(observer) = self.observers.last() {
                    let _ = observer.sender.unbounded_send(Observation::Failed(error));
                }
            }
        }
        receiver
    }

    pub(super) fn get(&self, id: &ResourceId) -> Option<&Resource> {
        self.current(id).map(|held| &held.resource)
    }

    /// All resources of one kind of Argo CD, by file.
    pub(super) fn resources<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Resource> {
        self.files.iter().flat_map(|(path, file)| file.held.iter().map(move |held| (path, held))).filter_map(
            move |(path, held)| {
                let id = &held.resource.id;
                let counts = self.places.get(id).and_then(|places| places.first()) == Some(path);
                (counts && id.is_argo(kind)).then_some(&held.resource)
            },
        )
    }

    /// Whether the folder itself could not be read the last time.
    pub(super) fn is_lost(&self) -> bool {
        matches!(self.state, State::Lost(_))
    }

    /// Files that have to be read again although nothing happens to them.
    pub(super) fn transient(&self) -> Vec<PathBuf> {
        let transient = self.faulty.iter().filter(|path| self.files.get(*path).is_some_and(File::is_transient));
        transient.map(|path| path.to_path_buf()).collect()
    }

    /// Compares every file with what is known of it, and reads those that differ.
    pub(super) fn scan(&mut self, now: SystemTime) -> Scan {
        let changed = if self.reach() { self.scan_below(Path::new(""), now) } else { 0 };
        self.list();
        Scan { changed, problems: self.problems() }
    }

    /// Reads what is at these paths, and nothing else.
    pub(super) fn apply(&mut self, paths: &[PathBuf], now: SystemTime) -> Scan {
        // Before the first scan, and after a loss, everything may differ.
        if !matches!(self.state, State::Readable) {
            return self.scan(now);
        }
        let changed = paths.iter().map(|path| self.apply_one(path, now)).sum();
        Scan { changed, problems: self.problems() }
    }

    fn apply_one(&mut self, path: &Path, now: SystemTime) -> usize {
        if path.components().count() > MAX_DEPTH + 1 {
            return 0;
        }
        self.closed.remove(path);
        match fs::metadata(self.root.join(path)) {
            Ok(metadata) if metadata.is_dir() => self.scan_below(path, now),
            Ok(_) if is_manifest(path) => self.read(path, now),
            Ok(_) => 0,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                self.remove_below(path, |_| true)
            }
            Err(error) => {
                self.closed.insert(path.to_owned(), error.to_string());
                0
            }
        }
    }

    /// Whether the folder itself can be read. Observers learn once when it no longer can.
    fn reach(&mut self) -> bool {
        match fs::read_dir(&self.root) {
            Ok(_) => {
                self.state = State::Readable;
                true
            }
            Err(error) => {
                let first = !self.is_lost();
                self.state = State::Lost(error.to_string());
                if first {
                    let failure = self.source_error();
                    self.observers.retain_mut(|observer| {
                        observer.listed = false;
                        observer.sender.unbounded_send(Observation::Failed(failure.clone())).is_ok()
                    });
                }
                false
            }
        }
    }

    fn source_error(&self) -> SourceError {
        let why = if let State::Lost(why) = &self.state { why } else { "it has not been read yet" };
        SourceError { text: format!("cannot read the folder {}: {why}", self.root.display()), refused: false }
    }

    /// Scans a sub-folder, or all of it, and returns how much changed.
    fn scan_below(&mut self, folder: &Path, now: SystemTime) -> usize {
        let mut found = Found::default();
        let depth = folder.components().count();
        if depth <= MAX_DEPTH {
            found.walk(&self.root, folder, depth);
        }
        let mut changed = 0;
        for (path, stamp) in &found.files {
            if !self.files.get(path.as_path()).is_some_and(|file| file.is_current(*stamp)) {
                changed += self.read(path, now);
            }
        }
        self.closed.retain(|path, _| !path.starts_with(folder));
        let hidden = |path: &Path| path.ancestors().any(|folder| found.closed.contains_key(folder));
        changed += self.remove_below(folder, |path| !found.files.contains_key(path) && !hidden(path));
        self.closed.append(&mut found.closed);
        changed
    }

    fn read(&mut self, path: &Path, now: SystemTime) -> usize {
        let known = self.files.get_key_value(path).map(|(path, _)| Arc::clone(path));
        let path: Arc<Path> = known.unwrap_or_else(|| path.into());
        let file = self.files.entry(Arc::clone(&path)).or_default();
        let former = file.read(&self.root.join(&path), now);
        if file.problem().is_some() {
            self.faulty.insert(Arc::clone(&path));
        } else {
            self.faulty.remove(&path);
        }
        let Some(former) = former else { return 0 };
        let current: Vec<ResourceId> = file.held.iter().map(|held| held.resource.id.clone()).collect();
        self.replace(&path, former, current)
    }

    /// Removes the files below a path, or at it, that are no longer there.
    fn remove_below(&mut self, path: &Path, is_gone: impl Fn(&Path) -> bool) -> usize {
        // If it is the whole folder that is away, nothing is gone.
        if !self.reach() {
            return 0;
        }
        let below = self.files.range(Arc::from(path)..).map(|(path, _)| path).take_while(|file| file.starts_with(path));
        let gone: Vec<Arc<Path>> = below.filter(|file| is_gone(file)).cloned().collect();
        let mut changed = 0;
        for path in gone {
            self.faulty.remove(&path);
            if let Some(file) = self.files.remove(&path) {
                changed += self.replace(&path, file.held, Vec::new());
            }
        }
        changed
    }

    /// A file that held `former` lists `current` now.
    fn replace(&mut self, path: &Arc<Path>, former: Vec<Held>, current: Vec<ResourceId>) -> usize {
        let mut affected: BTreeSet<ResourceId> = former.into_iter().map(|held| held.resource.id).collect();
        for id in &affected {
            if let Some(places) = self.places.get_mut(id) {
                places.retain(|place| place != path);
            }
        }
        for id in current {
            let places = self.places.entry(id.clone()).or_default();
            if let Err(at) = places.binary_search(path) {
                places.insert(at, Arc::clone(path));
            }
            affected.insert(id);
        }
        affected.into_iter().filter(|id| self.publish(id)).count()
    }

    fn current(&self, id: &ResourceId) -> Option<&Held> {
        let file = self.files.get(self.places.get(id)?.first()?)?;
        file.held.iter().find(|held| held.resource.id == *id)
    }

    /// Informs observers about a resource whose files have changed. Returns whether it differs from what they know.
    fn publish(&mut self, id: &ResourceId) -> bool {
        let places = self.places.get(id).map_or(0, Vec::len);
        if places > 1 {
            self.disputed.insert(id.clone());
        } else {
            self.disputed.remove(id);
        }
        if places == 0 {
            self.places.remove(id);
        }
        let current = self.current(id).map(|held| (held.digest, held.resource.clone()));
        let known = match &current {
            Some((digest, _)) => self.published.insert(id.clone(), *digest),
            None => self.published.remove(id),
        };
        if known == current.as_ref().map(|(digest, _)| *digest) {
            return false;
        }
        self.observers.retain(|observer| {
            if !observer.listed || !id.is_argo(observer.kind) {
                return true;
            }
            let observation = match &current {
                Some((_, resource)) => Observation::Seen(resource.clone()),
                None => Observation::Gone(id.clone()),
            };
            observer.sender.unbounded_send(observation).is_ok()
        });
        true
    }

    /// Sends the whole list to those observers who have none.
    fn list(&mut self) {
        if !matches!(self.state, State::Readable) {
            return;
        }
        let mut observers = std::mem::take(&mut self.observers);
        observers.retain_mut(|observer| {
            if observer.listed {
                return true;
            }
            observer.listed = true;
            let seen = self.resources(observer.kind).cloned().map(Observation::Seen);
            let mut list = std::iter::once(Observation::Listing).chain(seen).chain([Observation::Complete]);
            list.all(|observation| observer.sender.unbounded_send(observation).is_ok())
        });
        self.observers = observers;
    }

    fn problems(&self) -> Vec<FileError> {
        let problem = |path: &Path, message: String| {
            // Joining an empty path would end the folder's name with a separator.
            let file = if path.as_os_str().is_empty() { self.root.clone() } else { self.root.join(path) };
            FileError { file, message }
        };
        if let State::Lost(why) = &self.state {
            return vec![problem(Path::new(""), format!(" cannot read the folder: {why}"))];
        }
        let mut problems: Vec<FileError> = Vec::new();
        problems.extend(
            self.closed.iter().map(|(path, why)| {
                problem(path, format!(" cannot read it: {why}; what it held before stays in effect"))
            }),
        );
        for path in &self.faulty {
            let message = self.files.get(path).and_then(File::problem);
            problems.extend(message.map(|message| problem(path, message.to_owned())));
        }
        for id in &self.disputed {
            let Some([first, others @ ..]) = self.places.get(id).map(Vec::as_slice) else { continue };
            problems.extend(others.iter().map(|other| {
                let message = format!("1: {} {id} is also in {}, which is used", id.kind, first.display());
                problem(other, message)
            }));
        }
        problems
    }
}

impl Found {
    /// Lists the manifests below a folder. Names that begin with a dot are hidden.
    fn walk(&mut self, root: &Path, folder: &Path, depth: usize) {
        let entries = match fs::read_dir(root.join(folder)) {
            Ok(entries) => entries,
            // It vanished after its parent was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => {
                self.closed.insert(folder.to_owned(), error.to_string());
                return;
            }
        };
        for entry in entries {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    self.closed.insert(folder.to_owned(), error.to_string());
                    return;
                }
            };
            let name = entry.file_name();
            if name.to_string_lossy().starts_with('.') {
                continue;
            }
            let path = folder.join(name);
            let may_be_folder = entry.file_type().is_ok_and(|kind| !kind.is_file());
            // Links are followed.
            match fs::metadata(entry.path()) {
                Ok(metadata) if metadata.is_dir() => {
                    if depth < MAX_DEPTH {
                        self.walk(root, &path, depth + 1);
                    }
                }
                Ok(metadata) if is_manifest(&path) => {
                    self.files.insert(path, Stamp::of(&metadata));
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) if may_be_folder || is_manifest(&path) => {
                    self.closed.insert(path, error.to_string());
                }
                Err(_) => {}
            }
        }
    }
}
