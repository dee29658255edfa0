use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use echion_model::{Observation, Observations, ResourceId, Source};
use futures::{FutureExt, StreamExt};
use tempfile::TempDir;

use super::*;

fn app(name: &str, phase: &str) -> String {
    format!("kind: Application\nmetadata: {{name: {name}, namespace: argocd}}\nstatus: {{phase: {phase}}}\n")
}

fn id(name: &str) -> ResourceId {
    ResourceId {
        group: "argoproj.io".to_owned(),
        kind: "Application".to_owned(),
        namespace: "argocd".to_owned(),
        name: name.to_owned(),
    }
}

/// A folder, and what one observer of its Applications sees.
struct Watched {
    folder: Folder,
    root: TempDir,
    seen: Observations,
}

impl Watched {
    fn new(files: &[(&str, &str)]) -> Self {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            write(root.path(), name, text);
        }
        let folder = Folder::open(root.path()).unwrap();
        let seen = folder.applications().observe();
        Self { folder, root, seen }
    }

    /// The same, scanned, and its list read.
    fn scanned(files: &[(&str, &str)]) -> Self {
        let mut watched = Self::new(files);
        watched.folder.scan();
        watched.seen();
        watched
    }

    fn write(&self, name: &str, text: &str) {
        write(self.root.path(), name, text);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn apply(&self, paths: &[&str]) -> Scan {
        let paths: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
        self.folder.lock().apply(&paths, wall_clock())
    }

    /// What has been observed since the last call.
    fn seen(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.seen.next().now_or_never().flatten())
            .map(|observation| words(&observation))
            .collect()
    }
}

fn write(root: &Path, name: &str, text: &str) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn words(observation: &Observation) -> String {
    match observation {
        Observation::Listing => "listing".to_owned(),
        Observation::Seen(resource) => {
            let phase = resource.object.at(&["status", "phase"]).and_then(|v| v.as_str().map(str::to_owned));
            format!("{} {}", resource.id.name, phase.unwrap_or_default())
        }
        Observation::Complete => "complete".to_owned(),
        Observation::Gone(id) => format!("gone {}", id.name),
        Observation::Failed(error) => format!("failed {}", error.text.split('/').next().unwrap_or_default()),
    }
}

#[test]
fn each_observer_begins_with_the_whole_list_once_the_folder_is_scanned() {
    let mut watched = Watched::new(&[
        ("a.yaml", &format!("{}---\n{}", app("one", "x"), app("two", "x"))),
        ("b.json", r#"{"kind":"List","items":[{"kind":"AppProject","metadata":{"name":"p"}}]}"#),
        ("notes.txt", "kind: Application"),
        (".hidden.yaml", &app("hidden", "x")),
        (".git/c.yaml", &app("hidden", "x")),
        ("c.yaml", "apiVersion: app.k8s.io/v1\nkind: Application\nmetadata: {name: other}\n"),
    ]);
    assert_eq!(watched.seen(), Vec::<String>::new());
    assert_eq!(watched.folder.scan(), Scan { changed: 4, problems: Vec::new() });
    assert_eq!(watched.seen(), ["listing", "one x", "two x", "complete"]);
    let mut second = watched.folder.projects().observe();
    let seen: Vec<String> = std::iter::from_fn(|| second.next().now_or_never().flatten()).map(|o| words(&o)).collect();
    assert_eq!(seen, ["listing", "p ", "complete"]);
    assert_eq!(watched.folder.scan().changed, 0);
    assert_eq!(watched.seen(), Vec::<String>::new());
}

#[test]
fn only_what_changed_is_observed() {
    let mut watched = Watched::scanned(&[("a.yaml", &format!("{}---\n{}", app("one", "x"), app("two", "x")))]);
    watched.write("a.yaml", &format!("{}---\n{}", app("one", "x"), app("two", "ok")));
    assert_eq!(watched.folder.scan().changed, 1);
    assert_eq!(watched.seen(), ["two ok"]);
    watched.write("a.yaml", &format!("# the same\n{}---\n{}", app("one", "x"), app("two", "ok")));
    assert_eq!(watched.folder.scan().changed, 0);
    watched.write("a.yaml", &app("one", "x"));
    assert_eq!(watched.folder.scan(), Scan { changed: 1, problems: Vec::new() });
    assert_eq!(watched.seen(), ["gone two"]);
}

#[tokio::test]
async fn a_source_answers_from_memory_and_gives_a_grace_time() {
    let watched = Watched::scanned(&[("a.yaml", &app("one", "x"))]);
    let (apps, projects) = (watched.folder.applications(), watched.folder.projects());
    assert_eq!((apps.name(), apps.variable()), ("applications", "app"));
    assert_eq!((projects.name(), projects.variable()), ("appprojects", "appProject"));
    assert_eq!(apps.absence(), Absence::Grace(3_600_000));
    fs::remove_file(watched.path("a.yaml")).unwrap();
    assert!(apps.get(&id("one")).await.unwrap().is_some());
    assert!(apps.get(&id("two")).await.unwrap().is_none());
    assert!(projects.get(&id("one")).await.unwrap().is_none());
}

#[test]
fn a_file_or_sub_folder_that_is_removed_is_gone_and_seen_again_when_it_is_back() {
    let mut watched = Watched::scanned(&[("a.yaml", &app("one", "x")), ("sub/b.yaml", &app("two", "x"))]);
    fs::remove_file(watched.path("a.yaml")).unwrap();
    watched.apply(&["a.yaml"]);
    assert_eq!(watched.seen(), ["gone one"]);
    fs::rename(watched.path("sub"), watched.path(".away")).unwrap();
    watched.apply(&["sub"]);
    assert_eq!(watched.seen(), ["gone two"]);
    fs::rename(watched.path(".away"), watched.path("sub")).unwrap();
    watched.write("a.yaml", &app("one", "x"));
    watched.apply(&["a.yaml", "sub"]);
    assert_eq!(watched.seen(), ["one x", "two x"]);
}

#[test]
fn a_change_is_read_from_the_file_that_an_event_names_and_from_no_other() {
    let mut watched = Watched::scanned(&[("a.yaml", &app("one", "x")), ("b.yaml", &app("two", "x"))]);
    watched.write("a.yaml", &app("one", "ok"));
    watched.write("b.yaml", &app("two", "ok"));
    assert_eq!(watched.apply(&["b.yaml"]).changed, 1);
    assert_eq!(watched.seen(), ["two ok"]);
}

#[test]
fn a_file_with_the_same_time_size_and_inode_is_not_read_again() {
    let mut watched = Watched::new(&[("a.yaml", &app("one", "x")), ("fresh.yaml", &app("two", "x"))]);
    let old = wall_clock() - Duration::from_secs(60);
    let stamp = |name: &str, time: SystemTime| {
        fs::File::options().write(true).open(watched.path(name)).unwrap().set_modified(time).unwrap();
    };
    stamp("a.yaml", old);
    watched.folder.scan();
    // Written within the resolution of its time stamp: only a second look finds it.
    watched.write("a.yaml", &app("one", "z"));
    watched.write("fresh.yaml", &app("two", "z"));
    stamp("a.yaml", old);
    watched.folder.scan();
    assert_eq!(watched.seen(), ["listing", "one x", "two x", "complete", "two z"]);
}

#[test]
fn an_empty_file_keeps_what_it_held() {
    let mut watched = Watched::scanned(&[("a.yaml", &app("one", "x")), ("empty.yaml", "")]);
    for text in ["", " \n"] {
        watched.write("a.yaml", text);
        let scan = watched.folder.scan();
        assert_eq!(scan.changed, 0);
        assert_eq!(scan.problems[0].message, "1: the file is empty; what it held before stays in effect");
    }
    watched.write("a.yaml", &app("one", "x"));
    assert_eq!(watched.folder.scan(), Scan::default());
    assert_eq!(watched.seen(), Vec::<String>::new());
}

#[test]
fn a_file_that_is_half_written_keeps_what_it_held() {
    let both = format!("{}---\n{}", app("one", "x"), app("two", "x"));
    let mut watched = Watched::scanned(&[("a.yaml", &both), ("b.json", r#"{"kind":"Application"}"#)]);
    let begun = format!("{}---\nkind: Appl\n", app("one", "x"));
    for text in ["kind: Application\nmetadata: {name: [", &begun, &both[..both.len() - 3], "\u{0}"] {
        watched.write("a.yaml", text);
        let scan = watched.folder.scan();
        assert_eq!((scan.changed, scan.problems.len()), (0, 1), "{text:?} {scan:?}");
        assert!(scan.problems[0].to_string().contains("a.yaml:"), "{scan:?}");
    }
    assert_eq!(watched.seen(), Vec::<String>::new());
    assert_eq!(watched.folder.resources("Application").len(), 2);
}

#[test]
fn a_file_that_is_cut_short_counts_once_it_has_stayed_so() {
    let both = format!("{}---\n{}", app("one", "x"), app("two", "x"));
    let mut watched = Watched::scanned(&[("a.yaml", &both)]);
    watched.write("a.yaml", app("one", "x").trim_end());
    let scan = watched.folder.scan();
    assert!(scan.problems[0].message.contains("seems to be cut short"), "{scan:?}");
    assert_eq!(watched.folder.lock().transient(), [PathBuf::from("a.yaml")]);
    assert_eq!(watched.seen(), Vec::<String>::new());
    let scan = watched.folder.lock().scan(wall_clock() + Duration::from_secs(11));
    assert_eq!(scan, Scan { changed: 1, problems: Vec::new() });
    assert_eq!(watched.seen(), ["gone two"]);
}

#[cfg(unix)]
#[test]
fn what_cannot_be_read_keeps_what_it_held() {
    // Rights do not stop root, but links that lead in a circle do.
    let mut watched = Watched::scanned(&[("sub/a.yaml", &app("one", "x")), ("b.yaml", &app("two", "x"))]);
    for name in ["sub", "b.yaml"] {
        fs::rename(watched.path(name), watched.path(&format!(".{name}"))).unwrap();
        std::os::unix::fs::symlink(name, watched.path(name)).unwrap();
    }
    for scan in [watched.apply(&["sub"]), watched.folder.scan(), watched.apply(&["sub", "b.yaml"])] {
        assert_eq!(scan.changed, 0, "{scan:?}");
        assert!(scan.problems.iter().any(|problem| problem.to_string().contains("sub: cannot read it: ")), "{scan:?}");
    }
    assert_eq!(watched.seen(), Vec::<String>::new());
    for name in ["sub", "b.yaml"] {
        fs::remove_file(watched.path(name)).unwrap();
        fs::rename(watched.path(&format!(".{name}")), watched.path(name)).unwrap();
    }
    assert_eq!(watched.folder.scan(), Scan::default());
}

#[test]
fn a_folder_that_vanishes_fails_once_and_is_listed_again_when_it_is_back() {
    let mut watched = Watched::scanned(&[("apps/a.yaml", &app("one", "x")), ("apps/b.yaml", &app("two", "x"))]);
    let folder = Folder::open(&watched.path("apps")).unwrap();
    watched.seen = folder.applications().observe();
    folder.scan();
    assert_eq!(watched.seen(), ["listing", "one x", "two x", "complete"]);
    fs::rename(watched.path("apps"), watched.path("away")).unwrap();
    for _ in 0..2 {
        let scan = folder.scan();
        assert!(scan.problems[0].to_string().contains("apps: cannot read the folder: "), "{scan:?}");
        assert_eq!(scan.changed, 0);
    }
    folder.lock().apply(&[PathBuf::from("a.yaml")], wall_clock());
    assert_eq!(watched.seen(), ["failed cannot read the folder "]);
    let mut late = folder.applications().observe();
    assert_eq!(late.next().now_or_never().flatten().map(|o| words(&o)).unwrap(), "failed cannot read the folder ");
    fs::rename(watched.path("away"), watched.path("apps")).unwrap();
    folder.scan();
    assert_eq!(watched.seen(), ["listing", "one x", "two x", "complete"]);
}

#[test]
fn of_a_resource_in_two_files_the_first_counts() {
    let mut watched = Watched::scanned(&[("a.yaml", &app("one", "x")), ("b.yaml", &app("one", "ok"))]);
    let scan = watched.folder.scan();
    assert_eq!(scan.problems[0].message, "1: Application argocd/one is also in a.yaml, which is used");
    assert_eq!(watched.folder.resources("Application").len(), 1);
    watched.write("b.yaml", &app("one", "z"));
    assert_eq!(watched.folder.scan().changed, 0);
    fs::remove_file(watched.path("a.yaml")).unwrap();
    assert_eq!(watched.folder.scan(), Scan { changed: 1, problems: Vec::new() });
    assert_eq!(watched.seen(), ["one z"]);
    watched.write("b.yaml", &format!("{}---\n{}", app("one", "z"), app("one", "w")));
    let scan = watched.folder.scan();
    assert_eq!(scan.problems[0].message, "1: Application argocd/one is listed twice, the first is used");
    assert_eq!(watched.folder.scan(), scan);
    assert_eq!(watched.seen(), Vec::<String>::new());
}

#[test]
fn folders_are_followed_eight_levels_deep() {
    let mut watched = Watched::scanned(&[("1/2/3/4/5/6/7/8/a.yaml", &app("one", "x"))]);
    watched.write("1/2/3/4/5/6/7/8/9/b.yaml", &app("two", "x"));
    watched.apply(&["1/2/3/4/5/6/7/8/9/b.yaml", "1/2/3/4/5/6/7/8/9"]);
    watched.folder.scan();
    assert_eq!(watched.seen(), Vec::<String>::new());
    assert_eq!(watched.folder.resources("Application").len(), 1);
}

#[test]
fn a_file_of_more_than_32_mib_is_not_read() {
    let watched = Watched::scanned(&[]);
    fs::File::create(watched.path("a.yaml")).unwrap().set_len((32 << 20) + 1).unwrap();
    assert_eq!(watched.folder.scan().problems[0].message, "1: larger than 32 MiB");
}

#[cfg(unix)]
#[test]
fn a_folder_that_kubernetes_mounts_is_switched_over_at_once() {
    use std::os::unix::fs::symlink;
    let mut watched = Watched::new(&[("..v1/a.yaml", &app("one", "x")), ("..v2/a.yaml", &app("one", "ok"))]);
    symlink("..v1", watched.path("..data")).unwrap();
    symlink("..data/a.yaml", watched.path("a.yaml")).unwrap();
    watched.folder.scan();
    symlink("..v2", watched.path("..data_tmp")).unwrap();
    fs::rename(watched.path("..data_tmp"), watched.path("..data")).unwrap();
    watched.folder.scan();
    assert_eq!(watched.seen(), ["listing", "one x", "complete", "one ok"]);
}

#[test]
fn twenty_thousand_files_cost_what_changed() {
    let mut watched = Watched::new(&[]);
    for n in 0..20_000 {
        fs::write(watched.path(&format!("{n}.yaml")), app(&format!("app-{n}"), "x")).unwrap();
    }
    watched.folder.scan();
    assert_eq!(watched.seen().len(), 20_002);
    watched.write("777.yaml", &app("app-777", "ok"));
    let start = tokio::time::Instant::now();
    let scan = watched.apply(&["777.yaml"]);
    // Some 100 µs; reading or listing all of them would take 100 times that.
    assert!(start.elapsed() < Duration::from_millis(50), "{:?}", start.elapsed());
    assert_eq!(scan.changed, 1);
    assert_eq!(watched.seen(), ["app-777 ok"]);
}

#[tokio::test]
async fn a_watched_folder_and_a_watched_file_report_what_happens_to_them() {
    let mut watched = Watched::new(&[("a.yaml", &app("one", "x")), ("cm.txt", "x")]);
    let (problems, mut reported) = futures::channel::mpsc::unbounded();
    let running = tokio::spawn(watched.folder.watch(move |all| {
        let _ = problems.unbounded_send(all.len());
    }));
    let config = watch_files(&[&watched.path("cm.txt")]).unwrap();
    let mut config = std::pin::pin!(config);
    let limit = Duration::from_secs(30);
    let mut next = async || words(&tokio::time::timeout(limit, watched.seen.next()).await.unwrap().unwrap());
    let root = watched.root.path();
    for expected in ["listing", "one x", "complete"] {
        assert_eq!(next().await, expected);
    }
    write(root, "a.yaml", &app("one", "ok"));
    assert_eq!(next().await, "one ok");
    write(root, "new/deep/b.yaml", &app("two", "x"));
    assert_eq!(next().await, "two x");
    write(root, "new/deep/b.yaml", &app("two", "ok"));
    assert_eq!(next().await, "two ok");
    write(root, "a.yaml", "");
    assert_eq!(tokio::time::timeout(limit, reported.next()).await.unwrap(), Some(1));
    write(root, "a.yaml", &app("one", "ok"));
    assert_eq!(tokio::time::timeout(limit, reported.next()).await.unwrap(), Some(0));
    fs::remove_dir_all(root.join("new")).unwrap();
    assert_eq!(next().await, "gone two");
    write(root, "cm.txt", "y");
    tokio::time::timeout(limit, config.next()).await.unwrap().unwrap();
    let away = tempfile::tempdir().unwrap();
    fs::rename(root, away.path().join("apps")).unwrap();
    assert_eq!(next().await, "failed cannot read the folder ");
    fs::rename(away.path().join("apps"), root).unwrap();
    for expected in ["listing", "one ok", "complete"] {
        assert_eq!(next().await, expected);
    }
    write(root, "a.yaml", &app("one", "back"));
    assert_eq!(next().await, "one back");
    running.abort();
}
