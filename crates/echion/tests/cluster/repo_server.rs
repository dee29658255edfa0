//! What the repo-server knows goes into messages, and without it they go out all the same.

use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, PostParams};
use prost::Message as _;
use serde_json::{Value, json};

use crate::controller::Controller;
use crate::fake::{Answer, CommitQuestion, Fake, commit};
use crate::recorder::Recorder;
use crate::servers::{Space, shared};

const COMMIT: &str = "GetRevisionMetadata";

/// A template that asks for the author, and one that asks for none.
fn configuration(recorder: &Recorder) -> Value {
    json!({
        "service.webhook.hook": format!("url: http://{}/\n", recorder.address),
        "template.author": "message: x\nwebhook: {hook: {method: POST, path: author, body: \
            '{{.app.metadata.name}} by [{{(call .repo.GetCommitMetadata .app.status.sync.revision).Author}}]'}}\n",
        "template.plain": "message: x\nwebhook: {hook: {method: POST, path: plain, body: '{{.app.metadata.name}}'}}\n",
        "trigger.on-asked": "- when: app.metadata.labels.kind == 'asking'\n  send: [author]\n",
        "trigger.on-plain": "- when: app.metadata.labels.kind == 'plain'\n  send: [plain]\n",
        "trigger.on-mine": "- when: app.metadata.labels.kind == 'deciding' and \
            repo.GetCommitMetadata(app.status.sync.revision).Author == 'me'\n  send: [plain]\n",
        "subscriptions": "- recipients: [hook]\n  triggers: [on-asked, on-plain, on-mine]\n",
    })
}

fn app(kind: &str, revision: &str) -> Value {
    json!({
        "metadata": { "labels": { "kind": kind } },
        "spec": { "project": "default", "source": { "repoURL": "https://user:marked@git.example.com/acme/demo.git" } },
        "status": { "sync": { "status": "Synced", "revision": revision } },
    })
}

fn bodies(recorder: &Recorder) -> Vec<String> {
    let mut bodies: Vec<String> = recorder.received().into_iter().map(|request| request.body).collect();
    bodies.sort();
    bodies
}

#[tokio::test(flavor = "multi_thread")]
async fn the_author_of_a_commit_is_in_the_message() {
    let servers = shared().await;
    let space = Space::create(&servers, "repo-author").await;
    let recorder = Recorder::start().await;
    let fake = Fake::start(None).await;
    fake.always(COMMIT, commit("me"));
    space.configure(configuration(&recorder)).await;
    let secrets: Api<Secret> = Api::namespaced(space.client.clone(), &space.namespace);
    let secret = json!({
        "metadata": { "name": "repo", "labels": { "argocd.argoproj.io/secret-type": "repo-creds" } },
        "stringData": { "url": "https://user:marked@git.example.com/acme", "username": "robot", "password": "marked" },
    });
    secrets.create(&PostParams::default(), &serde_json::from_value(secret).unwrap()).await.unwrap();
    let address = fake.address.to_string();
    let arguments = ["--argocd-repo-server", &address, "--argocd-repo-server-plaintext"];
    let controller = Controller::start(&servers.admin("repo-author"), &arguments).await;
    for name in ["a", "b", "c"] {
        space.create_app(name, app("asking", "0123456789abcdef0123456789abcdef01234567")).await;
    }
    space.create_app("d", app("deciding", "0123456789abcdef0123456789abcdef01234567")).await;
    recorder.wait_for(4, Duration::from_secs(20)).await;
    recorder.settle(Duration::from_millis(500)).await;
    assert_eq!(bodies(&recorder), ["a by [me]", "b by [me]", "c by [me]", "d"], "{}", controller.log().join("\n"));
    // The answer is kept: one question for all.
    let asked = fake.asked();
    assert_eq!(asked.len(), 1, "{asked:?}");
    let question = CommitQuestion::decode(asked[0].body.as_slice()).unwrap();
    let repo = question.repo.unwrap();
    assert_eq!((repo.username.as_str(), repo.password.as_str()), ("robot", "marked"));
    assert!(!controller.log().join("\n").contains("marked"));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_repo_server_messages_go_out_and_the_log_has_the_reason() {
    let servers = shared().await;
    let space = Space::create(&servers, "repo-down").await;
    let recorder = Recorder::start().await;
    space.configure(configuration(&recorder)).await;
    let arguments = ["--argocd-repo-server", "127.0.0.1:1", "--argocd-repo-server-plaintext"];
    let controller = Controller::start(&servers.admin("repo-down"), &arguments).await;
    space.create_app("a", app("asking", "r1")).await;
    space.create_app("d", app("deciding", "r1")).await;
    recorder.wait_for(1, Duration::from_secs(30)).await;
    recorder.settle(Duration::from_millis(500)).await;
    assert_eq!(bodies(&recorder), ["a by []"], "{}", controller.log().join("\n"));
    controller
        .logged("commit `r1` of https://git.example.com/acme/demo.git cannot be read", Duration::from_secs(5))
        .await;
    controller.logged("cannot be evaluated", Duration::from_secs(5)).await;
    assert!(!controller.log().join("\n").contains("marked"));
    assert!(controller.get("/metrics").await.1.contains("repo-server"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hanging_repo_server_delays_only_those_who_ask_it() {
    let servers = shared().await;
    let space = Space::create(&servers, "repo-slow").await;
    let recorder = Recorder::start().await;
    let fake = Fake::start(None).await;
    fake.always(COMMIT, Answer::Silence(Duration::from_secs(600)));
    space.configure(configuration(&recorder)).await;
    let address = fake.address.to_string();
    let arguments = ["--argocd-repo-server", &address, "--argocd-repo-server-plaintext"];
    let controller = Controller::start(&servers.admin("repo-slow"), &arguments).await;
    for number in 0..30 {
        space.create_app(&format!("asking-{number}"), app("asking", &format!("r{number}"))).await;
    }
    space.create_app("plain", app("plain", "r")).await;
    let start = std::time::SystemTime::now();
    let received = recorder.wait_for(1, Duration::from_secs(10)).await;
    assert_eq!(received.len(), 1, "{}", controller.log().join("\n"));
    assert_eq!(received[0].path, "/plain");
    assert!(start.elapsed().unwrap() < Duration::from_secs(2), "{:?}", start.elapsed());
}
