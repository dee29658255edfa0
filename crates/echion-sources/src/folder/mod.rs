//! A folder of manifests: what a cluster would do to an object is done by editing a file.

mod file;
mod scanner;
#[cfg(test)]
mod tests;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;
use std::{fmt, fs, io};

use async_trait::async_trait;
use echion_model::{Absence, Observations, Resource, ResourceId, Source, SourceError};

use scanner::Scanner;
pub use watch::watch_files;

/// How long a resource that vanished from the folder keeps its state, in milliseconds: files are away for a moment when a branch is
/// checked out, or when an editor replaces them.
const GRACE: i64 = 60 * 60 * 1000;

/// A folder with YAML and JSON manifests, many to a file if wanted. Files whose name begins with a dot are ignored. Clones share what has
/// been read.
#[derive(Clone, Debug)]
pub struct Folder {
    path: Arc<Path>,
    scanner: Arc<Mutex<Scanner>>,
}

/// A file or folder that could not be read. What it held before still counts: a file is often seen half written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileError {
    /// The file.
    pub file: PathBuf,
    /// Why, beginning with the line where there is one.
    pub message: String,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.message)
    }
}

/// What came of a scan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// How many resources, of any kind, are new, changed or gone.
    pub changed: usize,
    /// Everything that is wrong with the folder at the moment, not only what is new.
    pub problems: Vec<FileError>,
}

impl Folder {
    /// A folder that has not been scanned yet.
    ///
    /// # Errors
    /// When it is not a folder that can be read.
    pub fn open(path: &Path) -> io::Result<Self> {
        fs::read_dir(path)?;
        Ok(Self { path: path.into(), scanner: Arc::new(Mutex::new(Scanner::new(path.to_owned()))) })
    }

    /// The Applications of the folder. They are listed once the folder has been [scanned](Self::scan) or is [watched](Self::watch).
    #[must_use]
    pub fn applications(&self) -> FolderSource {
        FolderSource { folder: self.clone(), kind: "Application", name: "applications", variable: "app" }
    }

    /// The AppProjects of the folder.
    #[must_use]
    pub fn projects(&self) -> FolderSource {
        FolderSource { folder: self.clone(), kind: "AppProject", name: "appprojects", variable: "appProject" }
    }

    /// All resources of one kind of Argo CD, as last scanned.
    #[must_use]
    pub fn resources(&self, kind: &str) -> Vec<Resource> {
        self.lock().resources(kind).cloned().collect()
    }

    /// Reads what changed since the last scan and informs the observers. Files whose time, size and inode are the same are not read.
    pub fn scan(&self) -> Scan {
        self.lock().scan(wall_clock())
    }

    /// Keeps the folder up to date until the future is dropped. It scans first; after that a change costs what changed. `on_problems`
    /// is called with all problems whenever they are no longer the same.
    ///
    /// A folder that vanishes is looked for every second, and nothing is taken to be gone meanwhile.
    pub fn watch<F>(&self, on_problems: F) -> impl Future<Output = ()> + Send + use<F>
    where
        F: Fn(&[FileError]) + Send,
    {
        watch::watch_folder(self.clone(), on_problems)
    }

    fn lock(&self) -> MutexGuard<'_, Scanner> {
        self.scanner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The time that files are stamped with.
#[expect(clippy::disallowed_methods, reason = "compared with the time stamps of files, which no other clock gives")]
fn wall_clock() -> SystemTime {
    SystemTime::now()
}

/// The resources of one kind in a [`Folder`].
#[derive(Clone, Debug)]
pub struct FolderSource {
    folder: Folder,
    kind: &'static str,
    name: &'static str,
    variable: &'static str,
}

#[async_trait]
impl Source for FolderSource {
    fn name(&self) -> &str {
        self.name
    }

    fn variable(&self) -> &str {
        self.variable
    }

    fn absence(&self) -> Absence {
        Absence::Grace(GRACE)
    }

    fn observe(&self) -> Observations {
        Box::pin(self.folder.lock().observe(self.kind))
    }

    async fn get(&self, id: &ResourceId) -> Result<Option<Resource>, SourceError> {
        Ok(self.folder.lock().get(id).filter(|resource| resource.id.is_argo(self.kind)).cloned())
    }
}
