//! The line over a folder: what `run`, `--once`, `--dry-run` and `demo` have in common.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use echion_runtime::engine::Namespaces;
use echion_runtime::model::ConfigurationChange;
use echion_runtime::model::SharedLedger;
use echion_runtime::{Parts, Reporter, Settings};
use echion_sources::{FileError, Folder, watch_files};
use futures::stream::{self, BoxStream, StreamExt as _};

use crate::print::Style;
use crate::{Failure, args, print, setup};

/// A write of an editor is several events; the last one counts.
const DEBOUNCE: Duration = Duration::from_millis(100);

/// A folder of resources, and the files of its configuration.
pub(crate) struct Line {
    sources: args::Sources,
    loaded: echion_runtime::engine::Sources,
    pub(crate) folder: Folder,
    namespaces: Namespaces,
}

impl Line {
    /// Reads the configuration once and finds the folder.
    pub(crate) fn open(sources: &args::Sources, resources: &Path, namespaces: &[String]) -> Result<Self, Failure> {
        let folder = Folder::open(resources).map_err(|error| {
            Failure::new(format!("cannot read {}: {error}", resources.display()))
                .hint("`--resources` takes a folder with Application manifests")
        })?;
        let loaded = setup::given_sources(sources)?;
        let namespaces = if namespaces.is_empty() {
            Namespaces::all()
        } else {
            let patterns = namespaces.iter().map(String::as_str);
            Namespaces::new(home(&loaded), patterns).map_err(|error| {
                Failure::new(format!("`--application-namespaces` {error}"))
                    .hint("write globs such as `team-*`, or regular expressions between slashes")
            })?
        };
        Ok(Self { sources: sources.clone(), loaded, folder, namespaces })
    }

    /// The name of the configuration's file.
    pub(crate) fn config_name(&self) -> &str {
        self.sources.config_map.as_deref().unwrap_or("configuration")
    }

    /// What a driver over this folder is made of. `watches` says whether the configuration's files are observed.
    pub(crate) fn parts(
        &self,
        ledger: SharedLedger,
        reporter: Arc<dyn Reporter>,
        watches: bool,
    ) -> Result<Parts, Failure> {
        Ok(Parts {
            ledger,
            home: home(&self.loaded).to_owned(),
            compile: Arc::new(setup::config),
            configuration: self.configuration(watches)?,
            projects: Arc::new(self.folder.projects()),
            resources: vec![Arc::new(self.folder.applications())],
            mirror: None,
            repository: None,
            namespaces: self.namespaces.clone(),
            moment: Arc::new(setup::moment),
            clock: setup::clock(),
            reporter,
            settings: Settings { config_debounce: DEBOUNCE, config_grace: Duration::ZERO },
        })
    }

    /// The configuration as it was read, and when its files change.
    fn configuration(&self, watches: bool) -> Result<BoxStream<'static, ConfigurationChange>, Failure> {
        let home = home(&self.loaded).to_owned();
        let mut first = changes(&home, self.loaded.clone());
        first.extend([ConfigurationChange::ConfigMapsListed, ConfigurationChange::SecretsListed]);
        let first = stream::iter(first);
        // Standard input was read to its end, and does not change.
        let files = [self.sources.config_map.as_deref(), Some(self.sources.secret.as_str())];
        let files: Vec<&Path> =
            files.into_iter().flatten().filter(|f| *f != "-" && *f != ":empty").map(Path::new).collect();
        if !watches || files.is_empty() || self.sources.config_map.as_deref() == Some("-") {
            return Ok(first.chain(stream::pending()).boxed());
        }
        let changed = watch_files(&files)
            .map_err(|error| Failure::new(format!("cannot watch {}: {error}", self.config_name())))?;
        let sources = self.sources.clone();
        let read_again = changed.flat_map(move |()| {
            stream::iter(match setup::sources(&sources) {
                Ok(loaded) => changes(&home, loaded),
                Err(failure) => {
                    let text = format!("{}; the last valid configuration stays in effect", failure.message);
                    vec![ConfigurationChange::Failed(text)]
                }
            })
        });
        Ok(first.chain(read_again).boxed())
    }
}

/// The namespace of the configuration.
fn home(loaded: &echion_runtime::engine::Sources) -> &str {
    if loaded.namespace.is_empty() { "argocd" } else { &loaded.namespace }
}

fn changes(home: &str, loaded: echion_runtime::engine::Sources) -> Vec<ConfigurationChange> {
    vec![
        ConfigurationChange::Secret(home.to_owned(), Some(loaded.secret)),
        ConfigurationChange::ConfigMap(home.to_owned(), Some(loaded.config_map)),
    ]
}

/// Files that could not be read.
pub(crate) fn print_problems(problems: &[FileError]) {
    for problem in problems {
        print::event(Style::Warning, "warning:", &problem.to_string());
    }
}

/// The same after a change: what is new, and files that can be read again.
pub(crate) fn print_changed_problems(before: &[FileError], problems: &[FileError]) {
    let new: Vec<FileError> = problems.iter().filter(|problem| !before.contains(problem)).cloned().collect();
    print_problems(&new);
    for old in before.iter().filter(|old| !problems.iter().any(|problem| problem.file == old.file)) {
        print::event(Style::Good, "corrected", &old.file.display().to_string());
    }
}
