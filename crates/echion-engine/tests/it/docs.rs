//! The configuration that the pages of the services show.

use std::fs;
use std::path::Path;

use echion_engine::{Config, Documents, Sources};
use echion_model::Severity;

use crate::load;

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
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/services");
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

#[test]
fn an_error_on_a_page_is_found() {
    let page = "# x\n\n```yaml\nservice.dingtalk: |\n  accessToken: $a-b\ntemplate.a: |\n  message: '{{.app'\n```\n\n```sh\nx\n```\n";
    let blocks = blocks(page);
    assert_eq!(blocks.len(), 1);
    let diagnostics = configuration(&blocks[0]).diagnostics;
    assert_eq!(diagnostics.len(), 1, "{diagnostics:#?}");
    assert!(diagnostics[0].message.contains("unclosed action"), "{diagnostics:#?}");
}
