//! The configuration that the pages show.

use std::fs;
use std::path::{Path, PathBuf};

use echion_engine::{Config, Documents, Sources};
use echion_model::Severity;

use crate::{Memory, app, load};

/// The pages for whoever configures, below `docs`: what they show has no finding at all.
const GUIDES: &[&str] = &[
    "triggers.md",
    "templates.md",
    "subscriptions.md",
    "secret.md",
    "migration.md",
    "troubleshooting.md",
    "controller.md",
    "controller.zh.md",
    "services/webhook.zh.md",
];

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

/// The content of every block of YAML on a page.
fn blocks(page: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while lines.by_ref().any(|line| line.trim_end() == "```yaml") {
        let block: Vec<_> = lines.by_ref().take_while(|line| line.trim_end() != "```").collect();
        blocks.push(block.join("\n"));
    }
    blocks
}

/// Every `$key` of a text.
fn references(text: &str) -> impl Iterator<Item = &str> {
    text.split('$').skip(1).map(|rest| {
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c)));
        &rest[..end.unwrap_or(rest.len())]
    })
}

/// What a Secret may hold under a key: keys and certificates must be some.
fn secret(key: &str) -> &'static [u8] {
    if key.ends_with("private-key") {
        include_bytes!("../../../echion-services/tests/it/keys/rsa.pem")
    } else if key.ends_with("-ca") {
        include_bytes!("../../../echion-services/tests/it/keys/ca.pem")
    } else {
        b"0123456789abcdef"
    }
}

/// Loads a block as the `data` of a ConfigMap, next to a Secret with the keys that it names.
fn configuration(block: &str) -> Config {
    let data: String = block.lines().map(|line| format!("  {line}\n")).collect();
    let text = format!("kind: ConfigMap\nmetadata: {{name: argocd-notifications-cm}}\ndata:\n{data}");
    let mut sources = Sources::default();
    Documents::parse(&text).unwrap().config_map("argocd-notifications-cm", &mut sources).unwrap();
    for service in sources.config_map.iter().filter(|(key, _)| key.starts_with("service.")).map(|(_, value)| value) {
        let keys = references(service).map(|key| (key.to_owned(), secret(key).to_vec()));
        sources.secret.extend(keys);
    }
    load(&sources, None)
}

#[test]
fn what_the_pages_show_has_nothing_wrong() {
    let folder = docs().join("services");
    let (mut seen, mut wrong) = (0, Vec::new());
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "md") {
            continue;
        }
        for block in blocks(&fs::read_to_string(&path).unwrap()) {
            seen += 1;
            let config = configuration(&block);
            assert!(!config.services.is_empty() || !config.templates.is_empty(), "{}:\n{block}", path.display());
            let errors = config.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
            wrong.extend(errors.map(|diagnostic| format!("{}: {diagnostic}", path.display())));
        }
    }
    assert!(seen >= 4, "only {seen} blocks were found");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What is wrong with the blocks of a page: fragments of a ConfigMap, a Secret, and resources whose annotations subscribe to what the
/// fragment before them configures.
fn findings(page: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut latest = configuration("");
    for block in blocks(page).iter().filter(|block| !block.contains("kustomize.config.k8s.io")) {
        if block.contains("kind: Secret") {
            let mut sources = Sources::default();
            Documents::parse(block).unwrap().secret("argocd-notifications-secret", &mut sources).unwrap();
            assert!(!sources.secret.is_empty(), "{block}");
        } else if block.contains("\nkind: ") {
            // A project is asked by its own annotations, like an Application.
            let plan =
                Memory::default().evaluate(&latest, &app(&block.replace("kind: AppProject", "kind: Application")));
            wrong.extend(plan.notes.iter().map(|note| format!("{note}\n{block}")));
            let unknown = |trigger: &str, service: &str| {
                !latest.triggers.contains_key(trigger) || !latest.services.contains_key(service)
            };
            let lost = plan.steps.iter().filter(|step| unknown(&step.trigger, &step.destination.service));
            wrong.extend(lost.map(|step| format!("{} → {} leads nowhere\n{block}", step.trigger, step.destination)));
            if plan.steps.is_empty() {
                wrong.push(format!("nothing is subscribed to\n{block}"));
            }
        } else {
            latest = configuration(block);
            wrong.extend(latest.diagnostics.iter().map(|diagnostic| format!("{diagnostic}\n{block}")));
        }
    }
    wrong
}

#[test]
fn what_the_guides_show_has_no_finding() {
    let mut seen = 0;
    for name in GUIDES {
        let page = fs::read_to_string(docs().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        seen += blocks(&page).len();
        let wrong = findings(&page);
        assert!(wrong.is_empty(), "{name}: {wrong:#?}");
    }
    assert!(seen >= 15, "only {seen} blocks were found");
}

#[test]
fn every_link_between_pages_leads_somewhere() {
    let root = docs().join("..");
    let mut folders = vec![root.clone(), docs(), docs().join("services"), docs().join("functions")];
    let mut broken = Vec::new();
    for folder in folders.drain(..) {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.extension().is_none_or(|extension| extension != "md") {
                continue;
            }
            let page = fs::read_to_string(&path).unwrap();
            for link in page.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
                let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
                if file.contains("://") || file.contains([' ', '{']) {
                    continue;
                }
                let target = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
                let text = fs::read_to_string(&target).unwrap_or_default();
                let headings = text.lines().filter(|line| line.starts_with('#'));
                let known = anchor.is_empty() || headings.map(anchor_of).any(|heading| heading == anchor);
                if !target.exists() || !known {
                    broken.push(format!("{}: {link}", path.display()));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// The English list is written from the code; this one is written by hand.
#[test]
fn the_chinese_list_of_services_is_complete() {
    let page = fs::read_to_string(docs().join("../README.zh.md")).unwrap();
    let listed: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("| [`")?.split('`').next()).collect();
    let missing: Vec<&str> =
        echion_services::ALL.iter().map(|kind| kind.name).filter(|name| !listed.contains(name)).collect();
    assert!(missing.is_empty() && listed.len() == echion_services::ALL.len(), "{missing:?} {listed:?}");
}

/// The name that a heading has in links.
fn anchor_of(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn an_error_on_a_guide_is_found() {
    let page = "```yaml\ntrigger.on-a: |\n  - {when: 'true', send: [nowhere]}\n```\n\n\
                ```yaml\napiVersion: v1\nkind: Application\nmetadata:\n  name: x\n  annotations:\n    \
                notifications.argoproj.io/subscribe.on-b.slack: x\n```\n";
    let wrong = findings(page);
    assert_eq!(wrong.len(), 2, "{wrong:#?}");
    assert!(wrong[0].contains("nowhere") && wrong[1].contains("on-b → slack:x leads nowhere"), "{wrong:#?}");
}

#[test]
fn an_error_on_a_page_is_found() {
    let page = "# x\n\n```yaml\nservice.dingtalk: |\n  accessToken: $a-b\ntemplate.a: |\n  message: '{{.app'\n```\n\n```sh\nx\n```\n";
    let blocks = blocks(page);
    assert_eq!(blocks.len(), 1);
    let diagnostics = configuration(&blocks[0]).diagnostics;
    assert_eq!(diagnostics.len(), 1, "{diagnostics:#?}");
    assert!(diagnostics[0].message.contains("unclosed action"), "{diagnostics:#?}");
}
