//! What a machine has and lacks.

use crate::Bench;

/// Without certificates of the system nothing can be trusted but what the configuration names; what needs none works.
#[tokio::test(flavor = "multi_thread")]
async fn a_machine_without_certificates_sends_over_plain_http() {
    let bench = Bench::new(Default::default()).await;
    bench.seed();
    bench.app("cart", crate::delivery::FAILED);
    let empty = bench.path("empty");
    std::fs::create_dir(&empty).unwrap();
    let run = bench
        .command()
        .arg("--once")
        .env("SSL_CERT_FILE", empty.join("none"))
        .env("SSL_CERT_DIR", &empty)
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", crate::text(&run.stderr));
    assert!(!bench.sandbox.messages().is_empty());
}
