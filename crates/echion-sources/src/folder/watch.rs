//! Waiting for changes: events of the file system, collected until what they are about is complete.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::Stream;
use notify::event::{AccessKind, AccessMode, CreateKind, Event, EventKind, ModifyKind, RemoveKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::file::{CUT_SHORT, is_manifest};
use super::{FileError, Folder, wall_clock};

/// How long events are collected.
const DEBOUNCE: Duration = Duration::from_millis(100);

/// How long a file that is being written must be left alone to be read before its writer has closed it. Only Linux says when that is.
const IDLE: Duration = if cfg!(target_os = "linux") { Duration::from_secs(1) } else { DEBOUNCE };

/// How often everything is compared, whatever the events say: network file systems have none.
const RESCAN: Duration = Duration::from_secs(60);

/// The same for a folder that cannot be watched.
const POLL: Duration = Duration::from_secs(5);

/// How often a folder that vanished is looked for.
const RETRY: Duration = Duration::from_secs(1);

/// What an event means for its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signal {
    /// Somebody is writing it.
    Writing,
    /// Somebody has written it.
    Written,
    /// A file is gone.
    Removed,
    /// Its rights or times changed.
    Metadata,
    /// It appeared, vanished or got a new name at once; it may be a folder.
    Moved,
}

impl Signal {
    fn of(kind: &EventKind) -> Option<Self> {
        match kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => Some(Self::Written),
            // Reading a file is an event too, and ours.
            EventKind::Access(_) => None,
            EventKind::Modify(ModifyKind::Data(_)) | EventKind::Create(CreateKind::File) => Some(Self::Writing),
            EventKind::Modify(ModifyKind::Metadata(_)) => Some(Self::Metadata),
            EventKind::Remove(RemoveKind::File) => Some(Self::Removed),
            _ => Some(Self::Moved),
        }
    }
}

/// Paths with the time at which they are to be read.
#[derive(Debug, Default)]
struct Pending {
    due: HashMap<PathBuf, Instant>,
    scan: Option<Instant>,
}

impl Pending {
    fn add(&mut self, path: &Path, signal: Signal, now: Instant) {
        let at = now + if signal == Signal::Writing { IDLE } else { DEBOUNCE };
        match self.due.get_mut(path) {
            Some(_) if signal == Signal::Metadata => {}
            Some(due) => *due = at,
            None => {
                self.due.insert(path.to_owned(), at);
            }
        }
    }

    /// Everything is to be compared.
    fn scan(&mut self, now: Instant) {
        self.scan.get_or_insert(now + DEBOUNCE);
    }

    /// An event in a folder, with paths relative to it. What cannot concern manifests is left out: a log that grows costs nothing.
    fn add_below(&mut self, path: &Path, signal: Signal, now: Instant) {
        let hidden = path.iter().map(|name| name.to_string_lossy()).find(|name| name.starts_with('.'));
        match hidden {
            // Kubernetes switches a mounted folder over by renaming `..data`.
            Some(name) if name.starts_with("..") => self.scan(now),
            Some(_) => {}
            None if path.as_os_str().is_empty() => self.scan(now),
            None if is_manifest(path) || matches!(signal, Signal::Moved | Signal::Metadata) => {
                self.add(path, signal, now);
            }
            None => {}
        }
    }

    /// The paths that are due, and whether everything is.
    fn take_due(&mut self, now: Instant) -> (Vec<PathBuf>, bool) {
        let scan = self.scan.take_if(|at| *at <= now).is_some();
        (self.due.extract_if(|_, at| *at <= now).map(|(path, _)| path).collect(), scan)
    }

    fn next(&self) -> Option<Instant> {
        self.due.values().copied().chain(self.scan).min()
    }
}

/// Between the thread that receives events and the task that handles them.
#[derive(Debug, Default)]
struct Shared {
    pending: Mutex<Pending>,
    wake: Notify,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something is due, or until then.
    async fn wait(&self, limit: Option<Instant>) {
        loop {
            let next = self.lock().next().into_iter().chain(limit).min();
            match next {
                None => self.wake.notified().await,
                Some(at) if at <= Instant::now() => return,
                Some(at) => tokio::select! {
                    () = self.wake.notified() => {}
                    () = sleep_until(at) => {}
                },
            }
        }
    }
}

/// A folder under observation.
struct Watching {
    shared: Arc<Shared>,
    identity: Option<u64>,
    _watcher: RecommendedWatcher,
}

impl Watching {
    fn start(root: &Path) -> Result<Self, notify::Error> {
        let shared = Arc::new(Shared::default());
        let identity = identity(root);
        let absolute = std::path::absolute(root)?;
        // Some systems report the path that links lead to.
        let bases = [absolute.clone(), root.canonicalize()?];
        let events = Arc::clone(&shared);
        let mut watcher = notify::recommended_watcher(move |event: Result<Event, notify::Error>| {
            let now = Instant::now();
            let mut pending = events.lock();
            match &event {
                Ok(event) if !event.need_rescan() => {
                    let Some(signal) = Signal::of(&event.kind) else { return };
                    for path in &event.paths {
                        match bases.iter().find_map(|base| path.strip_prefix(base).ok()) {
                            Some(path) => pending.add_below(path, signal, now),
                            None => pending.scan(now),
                        }
                    }
                }
                Ok(_) | Err(_) => pending.scan(now),
            }
            let pending_any = pending.next().is_some();
            drop(pending);
            if pending_any {
                events.wake.notify_one();
            }
        })?;
        watcher.watch(&absolute, RecursiveMode::Recursive)?;
        Ok(Self { shared, identity, _watcher: watcher })
    }
}

/// Distinguishes a folder from another one that took its name.
fn identity(path: &Path) -> Option<u64> {
    let metadata = fs::metadata(path).ok()?;
    #[cfg(unix)]
    let inode = std::os::unix::fs::MetadataExt::ino(&metadata);
    #[cfg(not(unix))]
    let inode = u64::from(metadata.is_dir());
    Some(inode)
}

/// Runs in a thread that may block.
async fn blocking<T: Send + 'static>(folder: &Folder, work: impl FnOnce(&Folder) -> T + Send + 'static) -> Option<T> {
    let folder = folder.clone();
    tokio::task::spawn_blocking(move || work(&folder)).await.ok()
}

pub(super) async fn watch_folder(folder: Folder, on_problems: impl Fn(&[FileError]) + Send) {
    let mut reported = Vec::new();
    let mut watching: Option<Watching> = None;
    let mut watch_problem = None;
    let mut next_scan = Instant::now();
    loop {
        let (paths, all) =
            watching.as_ref().map(|watching| watching.shared.lock().take_due(Instant::now())).unwrap_or_default();
        let all = all || next_scan <= Instant::now();
        if all {
            // A watch follows the folder that it was given, not the path.
            let current = blocking(&folder, |folder| identity(&folder.path)).await.flatten();
            if watching.as_ref().is_none_or(|watching| watching.identity != current) {
                watching = None;
                watch_problem = None;
                match blocking(&folder, |folder| Watching::start(&folder.path)).await {
                    Some(Ok(started)) => watching = Some(started),
                    Some(Err(error)) => watch_problem = Some(error),
                    None => {}
                }
            }
        }
        let (mut scan, lost, transient) = blocking(&folder, move |folder| {
            let mut scanner = folder.lock();
            let now = wall_clock();
            let scan = if all { scanner.scan(now) } else { scanner.apply(&paths, now) };
            (scan, scanner.is_lost(), scanner.transient())
        })
        .await
        .unwrap_or_default();
        let now = Instant::now();
        if lost {
            next_scan = now + RETRY;
        } else if all || next_scan <= now {
            next_scan = now + if watching.is_some() { RESCAN } else { POLL };
        }
        if let Some(error) = watch_problem.as_ref().filter(|_| !lost) {
            let message =
                format!(" cannot watch the folder, so it is scanned every {} seconds: {error}", POLL.as_secs());
            scan.problems.insert(0, FileError { file: folder.path.to_path_buf(), message });
        }
        if scan.problems != reported {
            on_problems(&scan.problems);
            reported = scan.problems;
        }
        match &watching {
            Some(watching) => {
                {
                    let mut pending = watching.shared.lock();
                    for path in transient {
                        pending.due.entry(path).or_insert(now + CUT_SHORT);
                    }
                }
                watching.shared.wait(Some(next_scan)).await;
            }
            None => sleep_until(next_scan).await,
        }
    }
}

/// Yields whenever one of these files may have changed, as long as the stream lives. Editors replace files, so it is their folders that
/// are watched; what else happens there is ignored.
///
/// # Errors
/// When the system cannot watch them.
pub fn watch_files(paths: &[&Path]) -> Result<impl Stream<Item = ()> + Send + use<>, notify::Error> {
    let shared = Arc::new(Shared::default());
    let events = Arc::clone(&shared);
    let names: Vec<OsString> = paths.iter().filter_map(|path| path.file_name().map(ToOwned::to_owned)).collect();
    let mut watcher = notify::recommended_watcher(move |event: Result<Event, notify::Error>| {
        let now = Instant::now();
        let mut pending = events.lock();
        match &event {
            Ok(event) if !event.need_rescan() => {
                let Some(signal) = Signal::of(&event.kind) else { return };
                event
                    .paths
                    .iter()
                    .filter(|path| concerns(path, &names))
                    .for_each(|path| pending.add(path, signal, now));
            }
            Ok(_) | Err(_) => pending.scan(now),
        }
        drop(pending);
        events.wake.notify_one();
    })?;
    for path in paths {
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        watcher.watch(folder, RecursiveMode::NonRecursive)?;
    }
    Ok(futures::stream::unfold((shared, watcher), |(shared, watcher)| async move {
        shared.wait(None).await;
        shared.lock().take_due(Instant::now());
        Some(((), (shared, watcher)))
    }))
}

/// Whether it is one of the watched files, or the link `..data` that Kubernetes switches over.
fn concerns(path: &Path, names: &[OsString]) -> bool {
    path.file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with("..") || names.iter().any(|known| known == name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITING: EventKind = EventKind::Modify(ModifyKind::Data(notify::event::DataChange::Any));
    const CLOSED: EventKind = EventKind::Access(AccessKind::Close(AccessMode::Write));
    const MOVED: EventKind = EventKind::Modify(ModifyKind::Name(notify::event::RenameMode::To));

    /// What is due after some events, and after how long.
    fn due(events: &[(&str, EventKind)]) -> (Vec<(String, Duration)>, bool) {
        let (mut pending, now) = (Pending::default(), Instant::now());
        for (path, kind) in events {
            if let Some(signal) = Signal::of(kind) {
                pending.add_below(Path::new(path), signal, now);
            }
        }
        let mut paths: Vec<_> = pending.due.iter().map(|(p, at)| (p.display().to_string(), *at - now)).collect();
        paths.sort();
        (paths, pending.scan.is_some())
    }

    #[test]
    fn files_without_manifests_cause_nothing() {
        let created = EventKind::Create(CreateKind::File);
        for path in ["run.log", "log", "sub/err", ".echion.sqlite", ".echion.sqlite-wal", ".git/a.yaml", ".a.yaml.swp"]
        {
            for kind in [created, WRITING, CLOSED, EventKind::Remove(RemoveKind::File)] {
                assert_eq!(due(&[(path, kind)]), (vec![], false), "{path} {kind:?}");
            }
        }
        assert_eq!(due(&[("a.yaml", EventKind::Access(AccessKind::Open(AccessMode::Any)))]), (vec![], false));
    }

    #[test]
    fn a_new_or_renamed_folder_is_read_and_nothing_else() {
        for kind in [EventKind::Create(CreateKind::Folder), MOVED, EventKind::Remove(RemoveKind::Folder)] {
            assert_eq!(due(&[("a/sub", kind)]), (vec![("a/sub".to_owned(), DEBOUNCE)], false), "{kind:?}");
        }
    }

    #[test]
    fn a_file_is_read_when_its_writer_has_closed_it() {
        let rights = EventKind::Modify(ModifyKind::Metadata(notify::event::MetadataKind::Any));
        let file = |after| (vec![("a.yaml".to_owned(), after)], false);
        assert_eq!(due(&[("a.yaml", WRITING)]), file(IDLE));
        assert_eq!(due(&[("a.yaml", WRITING), ("a.yaml", rights)]), file(IDLE));
        assert_eq!(due(&[("a.yaml", WRITING), ("a.yaml", CLOSED)]), file(DEBOUNCE));
        assert_eq!(due(&[("a.yaml", MOVED)]), file(DEBOUNCE));
    }

    #[test]
    fn a_mounted_folder_that_is_switched_over_is_compared_as_a_whole() {
        assert_eq!(due(&[("..data", MOVED)]), (vec![], true));
        assert_eq!(due(&[("sub/..2026/a.yaml", CLOSED)]), (vec![], true));
        assert_eq!(due(&[("", MOVED)]), (vec![], true));
    }

    #[test]
    fn only_watched_files_and_mounted_folders_concern_a_configuration() {
        let concerns = |path: &str| concerns(Path::new(path), &["cm.txt".into()]);
        assert!(concerns("a/cm.txt") && concerns("a/..data"));
        assert!(!concerns("a/cm.txt.swp") && !concerns("a/other.yaml") && !concerns("a/.cm.txt"));
    }
}
