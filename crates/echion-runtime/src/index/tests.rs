use echion_engine::{Config, Sources};
use echion_model::{Environment, ResourceId};
use serde_json::json;

use super::*;

const HOUR: i64 = 3_600_000;

/// An index over one source, whose conditions read the health.
fn index(absence: Absence) -> Index {
    reading("app.status.health.status == 'Degraded'", absence)
}

fn reading(when: &str, absence: Absence) -> Index {
    let mut index = Index::new([absence], Namespaces::all(), true);
    let commands = index.reconfigured(vec![dependencies(when)], 0, 30_000);
    assert!(commands.is_empty(), "{commands:?}");
    index
}

fn dependencies(when: &str) -> Dependencies {
    let trigger = json!([{ "when": when, "send": [] }]).to_string();
    let sources = Sources { config_map: [("trigger.t".to_owned(), trigger)].into(), ..Sources::default() };
    Dependencies::of([&Config::load(&sources, &[], &Environment::default(), None)], "app")
}

fn version(name: &str, uid: &str, health: &str, annotation: Option<&str>) -> Resource {
    let annotations = annotation.map(|text| json!({ (NOTIFIED): text })).unwrap_or_default();
    let object = json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
        "metadata": { "name": name, "uid": uid, "annotations": annotations },
        "status": { "health": { "status": health }, "resources": 3 },
    });
    Resource::from_object(serde_json::from_value(object).unwrap(), "argocd").unwrap()
}

fn app(name: &str, health: &str) -> Resource {
    version(name, "u", health, None)
}

fn id(name: &str) -> ResourceId {
    app(name, "").id
}

fn see(index: &mut Index, resource: Resource, now: i64) -> Vec<Command> {
    index.apply(0, Observation::Seen(resource), now)
}

/// Lists these and lets their evaluations end well.
fn list(index: &mut Index, names: &[&str], now: i64) -> Vec<Command> {
    index.apply(0, Observation::Listing, now);
    for name in names {
        see(index, app(name, "Healthy"), now);
        index.evaluated(&id(name), Verdict::Done, now);
    }
    index.apply(0, Observation::Complete, now)
}

/// What is commanded, in short.
fn short(commands: &[Command]) -> Vec<String> {
    let name = |command: &Command| match command {
        Command::Evaluate { resource, first, .. } => {
            format!("{} {}", if *first { "first" } else { "evaluate" }, resource.id.name)
        }
        Command::Fetch(_, id) => format!("fetch {}", id.name),
        Command::Probe(_, resource) => format!("probe {}", resource.id.name),
        Command::Forget(id) => format!("forget {}", id.name),
        Command::Absent(ids, since) => {
            let names: Vec<&str> = ids.iter().map(|id| id.name.as_str()).collect();
            format!("{} {}", if since.is_some() { "absent" } else { "back" }, names.join(" "))
        }
        Command::Reconcile(..) => "reconcile".to_owned(),
        Command::CheckAnnotation { id, .. } => format!("check {}", id.name),
        Command::Relist(_) => "relist".to_owned(),
        Command::Listed => "listed".to_owned(),
        Command::Failed(_, error) => format!("failed {error}"),
    };
    commands.iter().map(name).collect()
}

#[test]
fn only_a_change_that_a_condition_reads_is_evaluated() {
    let mut index = index(Absence::Deleted);
    assert_eq!(short(&see(&mut index, app("a", "Healthy"), 0)), ["first a"]);
    index.evaluated(&id("a"), Verdict::Done, 0);
    assert!(see(&mut index, app("a", "Healthy"), 1).is_empty());
    assert_eq!(short(&see(&mut index, app("a", "Degraded"), 2)), ["evaluate a"]);
}

#[test]
fn a_resource_is_evaluated_once_at_a_time_and_then_as_it_was_last() {
    let mut index = index(Absence::Deleted);
    see(&mut index, app("a", "Healthy"), 0);
    for health in ["Progressing", "Degraded"] {
        assert!(see(&mut index, app("a", health), 1).is_empty());
    }
    let commands = index.evaluated(&id("a"), Verdict::Done, 2);
    let [Command::Evaluate { resource, .. }] = commands.as_slice() else { panic!("{commands:?}") };
    assert_eq!(resource.object.at(&["status", "health", "status"]).unwrap().as_str(), Some("Degraded"));
    assert!(index.evaluated(&id("a"), Verdict::Done, 3).is_empty());
}

/// Whatever else is observed in between.
#[test]
fn a_failed_evaluation_is_repeated_after_a_minute() {
    let mut index = index(Absence::Grace(HOUR));
    see(&mut index, app("a", "Healthy"), 0);
    index.evaluated(&id("a"), Verdict::Failed, 0);
    for second in 1..60 {
        see(&mut index, app("b", if second % 2 == 0 { "Healthy" } else { "Degraded" }), second * 1000);
        index.evaluated(&id("b"), Verdict::Done, second * 1000);
        assert!(short(&index.tick(second * 1000)).iter().all(|command| !command.starts_with("fetch")));
    }
    assert!(short(&index.tick(60_000)).contains(&"fetch a".to_owned()));
    // It may still be the first time that anything is decided about it.
    assert_eq!(short(&see(&mut index, app("a", "Healthy"), 60_001)), ["first a"]);
    index.evaluated(&id("a"), Verdict::Done, 60_002);
    assert!(index.tick(600_000).iter().all(|command| !matches!(command, Command::Fetch(..))));
}

/// What only another configuration can cure costs nothing until there is one, and failures never list the source again.
#[test]
fn what_waits_for_configuration_is_not_repeated_by_the_clock() {
    let mut index = index(Absence::Deleted);
    list(&mut index, &["a", "b"], 0);
    see(&mut index, app("a", "Degraded"), 1);
    index.evaluated(&id("a"), Verdict::WaitingForConfiguration, 1);
    assert!(short(&index.tick(10 * HOUR)).iter().all(|command| command.starts_with("check")));
    let commands = index.reconfigured(vec![dependencies("app.status.health.status == 'Degraded'")], 10 * HOUR, 30_000);
    assert_eq!(short(&commands), ["fetch a"]);
    // Everything else half a minute later, unless it changes before.
    assert_eq!(short(&see(&mut index, app("b", "Healthy"), 10 * HOUR + 1)), ["evaluate b"]);
    assert!(index.tick(10 * HOUR + 29_999).is_empty());
    assert_eq!(short(&index.tick(10 * HOUR + 30_000)), ["relist"]);
    assert!(index.tick(20 * HOUR).is_empty());
}

#[test]
fn thousands_of_failures_do_not_come_back_at_once() {
    let mut index = index(Absence::Deleted);
    for n in 0..2000 {
        let name = format!("app-{n}");
        see(&mut index, app(&name, "Healthy"), 0);
        index.evaluated(&id(&name), Verdict::Failed, 0);
    }
    let fetches = |commands: &[Command]| commands.iter().filter(|c| matches!(c, Command::Fetch(..))).count();
    assert_eq!(fetches(&index.tick(60_000)), 50);
    assert_eq!(fetches(&index.tick(61_000)), 50);
}

#[test]
fn what_a_list_of_a_cluster_lacks_is_forgotten() {
    let mut index = index(Absence::Deleted);
    assert_eq!(short(&list(&mut index, &["a", "b"], 0)), ["reconcile", "listed"]);
    assert_eq!(short(&list(&mut index, &["b"], 1)), ["forget a"]);
    assert_eq!(short(&index.apply(0, Observation::Gone(id("b")), 2)), ["forget b"]);
    assert!(index.is_empty());
}

/// What went away while no process ran.
#[test]
fn what_the_ledger_knows_and_a_list_lacks_is_forgotten_at_start() {
    let known = |absent_since| vec![Known { id: id("gone"), absent_since }, Known { id: id("a"), absent_since: None }];
    let mut cluster = index(Absence::Deleted);
    list(&mut cluster, &["a"], 0);
    assert_eq!(short(&cluster.reconcile(0, known(None), 0)), ["forget gone"]);
    let mut folder = index(Absence::Grace(HOUR));
    list(&mut folder, &["a"], 0);
    assert_eq!(short(&folder.reconcile(0, known(None), 5)), ["absent gone"]);
    assert_eq!(short(&folder.tick(5 + HOUR)), ["forget gone", "check a"]);
    let mut folder = index(Absence::Grace(HOUR));
    list(&mut folder, &["a"], 2 * HOUR);
    assert_eq!(short(&folder.reconcile(0, known(Some(0)), 2 * HOUR)), ["forget gone"]);
}

/// What an editor or a checkout does to a file is no deletion.
#[test]
fn a_file_that_is_away_for_a_moment_changes_nothing() {
    let mut index = index(Absence::Grace(HOUR));
    list(&mut index, &["a"], 0);
    assert_eq!(short(&index.apply(0, Observation::Gone(id("a")), 1)), ["absent a"]);
    assert_eq!(short(&see(&mut index, app("a", "Healthy"), 2)), ["back a"]);
    // The uid decides: another object of that name is new.
    index.apply(0, Observation::Gone(id("a")), 3);
    assert_eq!(short(&see(&mut index, version("a", "v", "Healthy", None), 4)), ["back a", "first a"]);
    index.evaluated(&id("a"), Verdict::Done, 4);
    index.apply(0, Observation::Gone(id("a")), 5);
    assert!(short(&index.tick(5 + HOUR)).contains(&"forget a".to_owned()));
    assert!(index.is_empty());
}

#[test]
fn an_annotation_that_somebody_changes_is_checked_once_it_stays_so_and_not_too_often() {
    let mut index = index(Absence::Deleted);
    list(&mut index, &["a", "b"], 0);
    // Of what the ledger does not know there is no annotation of ours.
    index.reconcile(0, vec![Known { id: id("a"), absent_since: None }], 0);
    assert!(index.tick(1_499).is_empty());
    assert_eq!(short(&index.tick(1_500)), ["check a"]);
    index.restored(&id("a"), 1_500);
    assert!(see(&mut index, version("a", "u", "Healthy", Some("{}")), 2_000).is_empty());
    assert!(index.tick(60_000).is_empty());
    assert_eq!(short(&index.tick(61_500)), ["check a"]);
}

#[test]
fn conditions_that_read_the_clock_are_probed_without_the_whole_resource() {
    let mut index = reading("now() > date(app.status.health.status)", Absence::Deleted);
    list(&mut index, &["a"], 0);
    let commands = index.probe_clock();
    let [Command::Probe(0, pruned)] = commands.as_slice() else { panic!("{commands:?}") };
    assert!(pruned.object.at(&["status", "health", "status"]).is_some());
    assert!(pruned.object.at(&["status", "resources"]).is_none());
    assert_eq!(short(&index.fetch(&id("a"))), ["fetch a"]);
    assert_eq!(short(&see(&mut index, app("a", "Healthy"), 1)), ["evaluate a"]);
}

#[test]
fn resources_of_other_namespaces_are_not_there() {
    let mut index = Index::new([Absence::Deleted], Namespaces::new("argocd", ["team-*"]).unwrap(), true);
    let mut other = app("a", "Healthy");
    other.id.namespace = "elsewhere".to_owned();
    assert!(see(&mut index, other, 0).is_empty() && index.is_empty());
}
