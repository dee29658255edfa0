//! `echion demo`: the whole line on this machine, with the ConfigMap that ACK One's guide prints.

use std::process::ExitCode;
use std::sync::Arc;

use echion_runtime::{Driver, Reporter};
use echion_sandbox::{Options, Sandbox};

use super::run::watch;
use super::sandbox::show;
use crate::args::{Demo, Sources};
use crate::folder::Line;
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
    std::fs::create_dir(&resources).map_err(failed("make a folder"))?;
    std::fs::write(&config_map, text).map_err(failed("write the configuration"))?;
    print::note(&format!("a DingTalk robot listens on {robot}"));

    let sources = Sources { config_map: Some(config_map.display().to_string()), secret: ":empty".to_owned() };
    let line = Line::open(&sources, &resources, &[])?;
    let name = format!("sqlite:{}", resources.join(".echion.sqlite").display());
    let ledger = setup::ledger(&name, setup::Purpose::Deliver).await?;
    let reporter: Arc<dyn Reporter> = Arc::new(Quiet);
    let mut news = sandbox.subscribe();
    let (mut shown, mut delivered, mut parked) = (0, 0, 0);
    for (number, (what, apps)) in STAGES.iter().enumerate() {
        print::note(&format!("\n{} {what}", print::paint(print::HINT, &format!("{}/{}", number + 1, STAGES.len()))));
        for (name, status) in *apps {
            let manifest = application(name, status);
            std::fs::write(resources.join(format!("{name}.yaml")), manifest).map_err(failed("write an Application"))?;
        }
        line.folder.scan();
        let driver = Driver::new(line.parts(Arc::clone(&ledger), Arc::clone(&reporter), false)?);
        let summary = driver.once(setup::now().saturating_add(5_000)).await?;
        delivered += summary.totals.delivered;
        parked = summary.counts.parked;
        while let Ok(received) = news.try_recv() {
            shown += 1;
            show(&received);
        }
    }
    print::note(&format!("{delivered} delivered, {parked} parked"));
    if args.exit {
        sandbox.stop().await;
        let good = shown == 3 && delivered == 3 && parked == 0;
        return Ok(if good { ExitCode::SUCCESS } else { ExitCode::from(1) });
    }
    print::note(&format!("\nnow it is your turn: edit {}", resources.join("shop.yaml").display()));
    let printing = tokio::spawn(async move {
        while let Ok(received) = news.recv().await {
            show(&received);
        }
    });
    let outcome = watch(&line, ledger, Arc::new(LineReporter::new(line.config_name(), true))).await;
    printing.abort();
    sandbox.stop().await;
    outcome
}

/// The robot itself shows what arrives.
struct Quiet;

impl Reporter for Quiet {}

/// A sample Application in this status.
fn application(name: &str, status: &str) -> String {
    let status: String = status.lines().map(|line| format!("  {line}\n")).collect();
    format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata:\n  name: {name}\n  namespace: argocd\nspec:\n  \
         project: default\n  source:\n    repoURL: https://git.example.com/acme/{name}.git\n    path: deploy\n    \
         targetRevision: main\n  destination:\n    server: https://kubernetes.default.svc\n    namespace: {name}\nstatus:\n{status}"
    )
}
