//! The folder `examples`, used with the very lines of the READMEs.

use std::path::Path;

use echion_sandbox::DingTalkOptions;

use crate::{Bench, echion, text};

/// What the examples expect the sandbox at.
const SANDBOX: &str = "http://127.0.0.1:8181";

/// The lines that begin with `echion` in the block behind a heading that starts the sandbox, without what follows `#`.
fn commands<'a>(page: &'a str, heading: &str) -> Vec<Vec<&'a str>> {
    let (_, section) = page.split_once(heading).unwrap_or_else(|| panic!("no heading `{heading}`"));
    let block = section.split("```").find(|block| block.contains("\nechion sandbox")).unwrap();
    let lines = block.lines().filter(|line| line.starts_with("echion "));
    lines.map(|line| line.split('#').next().unwrap().split_whitespace().skip(1).collect()).collect()
}

fn copy(from: &Path, to: &Path, bench: &Bench) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target, bench);
        } else if entry.path().extension().is_some_and(|extension| extension == "yaml") {
            let text = std::fs::read_to_string(entry.path()).unwrap();
            std::fs::write(target, text.replace(SANDBOX, bench.sandbox.url("").trim_end_matches('/'))).unwrap();
        }
    }
}

/// Runs what a README has under a heading, next to a sandbox that checks signatures.
async fn follow(page: &str, heading: &str) {
    let signed = DingTalkOptions { secret: Some("SECexample".to_owned()), ..DingTalkOptions::default() };
    let bench = Bench::new(signed).await;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    copy(&root.join("examples"), &bench.path("examples"), &bench);
    let commands = commands(page, heading);
    assert_eq!(commands.first().map(Vec::as_slice), Some(&["sandbox"][..]), "the sandbox comes first");
    let mut printed = String::new();
    for command in &commands[1..] {
        let output = echion().current_dir(bench.folder.path()).args(command).output().unwrap();
        assert!(output.status.success(), "{command:?}: {}", text(&output.stderr));
        let notes = text(&output.stderr);
        assert!(!notes.contains("warning") && !notes.contains("note:"), "{command:?}: {notes}");
        printed += &text(&output.stdout);
    }
    assert!(printed.contains("2 resources: 3 delivered, 0 waiting, 0 parked"), "{printed}");
    let mut arrived: Vec<_> = bench.sandbox.messages().into_iter().map(|m| (m.accepted, m.readable())).collect();
    arrived.sort_by_key(|(_, text)| text.contains("/deploys"));
    assert_eq!(arrived.len(), 3, "{arrived:#?}");
    assert!(arrived.iter().all(|(accepted, text)| *accepted && !text.contains("<no value>")), "{arrived:#?}");
    assert!(arrived[2].1.contains(r#"{"app": "shop", "revision": "8f1c2d3"}"#), "{arrived:#?}");
    let robot = format!("{}{}", arrived[0].1, arrived[1].1);
    assert!(robot.contains("cart failed to sync") && robot.contains("shop runs 8f1c2d3"), "{robot}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_arrive_when_the_readme_is_followed_literally() {
    follow(include_str!("../../../../README.md"), "## Use it on a folder").await;
    follow(include_str!("../../../../README.zh.md"), "## 用在一个目录上").await;
}
