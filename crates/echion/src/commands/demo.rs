//! `echion demo`: the whole line on this machine, with the ConfigMap that ACK One's guide prints.

use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use echion_delivery::Attempted;
use echion_runtime::model::Selection;
use echion_runtime::{Driver, Reporter};
use echion_sandbox::{Fault, Options, Sandbox};

use super::run::watch;
use super::sandbox::show;
use crate::args::{Demo, Sources};
use crate::folder::Line;
use crate::print::{Style, paint};
use crate::report::LineReporter;
use crate::{Failure, Outcome, print, setup};

const CONFIG_MAP: &str = include_str!("../../demo/argocd-notifications-cm.yaml");
const ROBOT: &str = "https://oapi.dingtalk.com/robot/send?access_token=535a56d**********";
const ARGOCD: &str = "https://argocd.<your-fleet-id>.<region>.alicontainer.com";

/// What happens, and the status of the sample Applications after it.
const STAGES: &[(&str, &[(&str, &str)])] = &[
    (
        "somebody pushes a commit: `shop` and `cart` are out of sync",
        &[("shop", include_str!("../../demo/out-of-sync.yaml")), ("cart", include_str!("../../demo/out-of-sync.yaml"))],
    ),
    (
        "Argo CD syncs both",
        &[("shop", include_str!("../../demo/running.yaml")), ("cart", include_str!("../../demo/running.yaml"))],
    ),
    ("`shop` is synced, its pods are still starting", &[("shop", include_str!("../../demo/succeeded.yaml"))]),
    ("`shop` is healthy", &[("shop", include_str!("../../demo/healthy.yaml"))]),
    ("the sync of `cart` fails", &[("cart", include_str!("../../demo/failed.yaml"))]),
    ("nothing changes: nothing is sent", &[]),
];

/// What the seed's message lacks to be another one for another state.
const TIME: &str = "> - 時間:{{.app.status.operationState.finishedAt}}";
const HEALTH: &str = "> - 健康狀態: {{.app.status.health.status}}\\n";

/// The manifest whose sync fails while the robot refuses.
const FAILED: &str = include_str!("../../demo/failed.yaml");
/// What the robot answers when somebody has given it another keyword.
const REFUSAL: &str = r#"{"errcode":310000,"errmsg":"keywords not in content"}"#;

pub(super) async fn run(args: Demo) -> Outcome {
    let failed = |what: &str| {
        let what = what.to_owned();
        move |error: std::io::Error| Failure::new(format!("cannot {what}: {error}"))
    };
    let sandbox = Sandbox::start(Options::new(setup::now)).await.map_err(failed("start the sandbox"))?;
    let folder = tempfile::tempdir().map_err(failed("make a folder"))?;
    let config_map = folder.path().join("argocd-notifications-cm.yaml");
    let resources = folder.path().join("apps");
    let robot = sandbox.url("/robot/send?access_token=demo");
    let text = CONFIG_MAP.replace(ROBOT, &robot).replace(ARGOCD, "https://argocd.example.com");
    let text = text.replace(TIME, &format!("{HEALTH}{TIME}"));
    std::fs::create_dir(&resources).map_err(failed("make a folder"))?;
    std::fs::write(&config_map, text).map_err(failed("write the configuration"))?;
    print::note(&format!("a DingTalk robot listens on {robot}"));

    let sources = Sources { config_map: Some(config_map.display().to_string()), secret: ":empty".to_owned() };
    let line = Line::open(&sources, &resources, &[])?;
    let name = format!("sqlite:{}", resources.join(".echion.sqlite").display());
    let ledger = setup::ledger(&name, setup::Purpose::Deliver).await?;
    let reporter = Arc::new(Attempts::default());
    let mut news = sandbox.subscribe();
    let (mut shown, mut delivered, mut refused) = (0, 0, 0);
    let stages = STAGES.len() + 2;
    let number = |number: usize, what: &str| {
        print::note(&format!("\n{} {what}", paint(Style::Hint, &format!("{number}/{stages}"))));
    };
    for at in 0..stages {
        match STAGES.get(at) {
            Some((what, apps)) => {
                number(at + 1, what);
                for (name, status) in *apps {
                    let manifest = application(name, status);
                    std::fs::write(resources.join(format!("{name}.yaml")), manifest)
                        .map_err(failed("write an Application"))?;
                }
            }
            None if at == STAGES.len() => {
                number(at + 1, "the next sync of `cart` fails, but somebody has given the robot another keyword");
                let manifest = application("cart", &FAILED.replace("revision: 8f1c2d3", "revision: 9a0b1c2"));
                let again = manifest
                    .replace("phase: Failed", "phase: Error")
                    .replace("08:00:", "09:00:")
                    .replace("08:01:", "09:01:");
                let running = application("cart", include_str!("../../demo/running.yaml"));
                std::fs::write(resources.join("cart.yaml"), running).map_err(failed("write an Application"))?;
                line.folder.scan();
                Driver::new(line.parts(Arc::clone(&ledger), Arc::clone(&reporter) as Arc<_>, false)?)
                    .once(setup::now())
                    .await?;
                std::fs::write(resources.join("cart.yaml"), again).map_err(failed("write an Application"))?;
                let fault = Fault { status: Some(200), body: REFUSAL.to_owned(), times: 1, ..Fault::default() };
                sandbox.set_faults(vec![fault]).map_err(Failure::new)?;
            }
            None => {
                number(at + 1, "the keyword is removed; `echion deliveries redeliver --parked` sends what was refused");
                ledger.redeliver(&Selection::Parked { service: None }, setup::now()).await?;
            }
        }
        line.folder.scan();
        let driver = Driver::new(line.parts(Arc::clone(&ledger), Arc::clone(&reporter) as Arc<_>, false)?);
        let summary = driver.once(setup::now().saturating_add(5_000)).await?;
        delivered += summary.totals.delivered;
        // One robot is one queue: its messages come in the order of the attempts.
        for attempt in reporter.take() {
            let Ok(received) = news.try_recv() else { break };
            let intent = &attempt.delivery.intent;
            print::out(&format!("{} · {}", intent.trigger, attempt.delivery.resource));
            show(&received);
            shown += 1;
            if let Some(error) = attempt.outcome.error() {
                refused += 1;
                print::event(Style::Error, "parked", &error.reason);
                print::hint(&error.hint);
            }
        }
    }
    let parked = ledger.counts().await?.parked;
    print::note(&format!("{delivered} delivered, {refused} refused meanwhile, {parked} parked"));
    if args.exit {
        sandbox.stop().await;
        let good = shown == 5 && delivered == 4 && refused == 1 && parked == 0;
        return Ok(if good { ExitCode::SUCCESS } else { ExitCode::from(1) });
    }
    print::note(&format!(
        "\nnow it is your turn: set `revision` to another value in {} and a message comes",
        resources.join("shop.yaml").display()
    ));
    let printing = tokio::spawn(async move {
        while let Ok(received) = news.recv().await {
            show(&received);
        }
    });
    let reporter = Arc::new(LineReporter::new(line.config_name(), true));
    reporter.watches();
    let outcome = watch(&line, ledger, reporter).await;
    printing.abort();
    sandbox.stop().await;
    outcome
}

/// Attempts since they were last taken. The robot itself shows what arrives.
#[derive(Default)]
struct Attempts(Mutex<Vec<Attempted>>);

impl Attempts {
    fn take(&self) -> Vec<Attempted> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Reporter for Attempts {
    fn attempted(&self, attempted: &Attempted) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(attempted.clone());
    }
}

/// A sample Application in this status.
fn application(name: &str, status: &str) -> String {
    let status: String = status.lines().map(|line| format!("  {line}\n")).collect();
    format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata:\n  name: {name}\n  namespace: argocd\nspec:\n  \
         project: default\n  source:\n    repoURL: https://git.example.com/acme/{name}.git\n    path: deploy\n    \
         targetRevision: main\n  destination:\n    server: https://kubernetes.default.svc\n    namespace: {name}\nstatus:\n{status}"
    )
}
