//! Roles of Pods and machines: credentials that are not configured.

use std::collections::BTreeMap;

use echion_model::{Secret, Tenant};

use super::*;
use suite::recorder::{Recorder, Reply};

fn open_in(kind: &str, options: &str, variables: &[(&str, &str)], tenant: bool) -> Result<Arc<dyn Service>, String> {
    let variables: BTreeMap<String, Secret> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), Secret::new(*value))).collect();
    let tenant = tenant.then(Tenant::default);
    let environment = Environment { variables, tenant, ..Environment::default() };
    let kind = echion_services::ALL.iter().find(|k| k.name == kind).unwrap();
    (kind.open)("hook", &yaml::parse(options).unwrap(), &environment).map_err(|error| error.message)
}

fn hello() -> Notification {
    Notification { message: "hello".to_owned(), ..Notification::default() }
}

#[tokio::test]
async fn sqs_signs_with_the_role_of_a_pod_or_a_machine() {
    let recorder = Recorder::start().await;
    let base = recorder.base();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "marked-pod-token\n").unwrap();
    let token_file = file.path().to_str().unwrap();
    let agent = format!("{base}/agent");
    let sts =
        r#"<A><AccessKeyId>AKIA1</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t1</SessionToken></A>"#;
    let json = r#"{"AccessKeyId":"AKIA1","SecretAccessKey":"s","Token":"t1","Expiration":"2030-01-01T00:00:00Z"}"#;
    let queue = r#"{"QueueUrl":"https://q.test/1/q","MessageId":"m"}"#;
    for (variables, calls) in [
        (vec![("AWS_ACCESS_KEY_ID", "AKIA1"), ("AWS_SECRET_ACCESS_KEY", "s"), ("AWS_SESSION_TOKEN", "t1")], vec![]),
        (
            vec![
                ("AWS_ROLE_ARN", "arn:aws:iam::1:role/r"),
                ("AWS_WEB_IDENTITY_TOKEN_FILE", token_file),
                ("AWS_ENDPOINT_URL_STS", &base),
            ],
            vec!["POST /"],
        ),
        (
            vec![
                ("AWS_CONTAINER_CREDENTIALS_FULL_URI", agent.as_str()),
                ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token_file),
            ],
            vec!["GET /agent"],
        ),
        (
            vec![("AWS_EC2_METADATA_SERVICE_ENDPOINT", base.as_str())],
            vec![
                "PUT /latest/api/token",
                "GET /latest/meta-data/iam/security-credentials/",
                "GET /latest/meta-data/iam/security-credentials/role-1",
            ],
        ),
    ] {
        recorder.script(vec![
            ("/latest/api/token".to_owned(), Reply::ok("imds")),
            ("/latest/meta-data/iam/security-credentials/role-1".to_owned(), Reply::ok(json)),
            ("/latest".to_owned(), Reply::ok("role-1\n")),
            ("/agent".to_owned(), Reply::ok(json)),
            ("/sqs".to_owned(), Reply::ok(queue)),
            ("/".to_owned(), Reply::ok(sts)),
        ]);
        let options = format!("queue: q\nregion: eu-west-1\nendpointUrl: {base}/sqs\n");
        let service = open_in("awssqs", &options, &variables, false).unwrap();
        send(&service, &hello()).await.unwrap();
        let got = recorder.take();
        let lines: Vec<String> = got.iter().map(|call| format!("{} {}", call.method, call.path)).collect();
        assert_eq!(lines[..calls.len()], calls, "{variables:?}");
        let signed = &got[got.len() - 1].headers;
        let header = |name: &str| signed.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str()).unwrap_or_default();
        assert!(header("authorization").starts_with("AWS4-HMAC-SHA256 Credential=AKIA1/"), "{signed:?}");
        assert_eq!(header("x-amz-security-token"), "t1");
        assert!(!format!("{service:?}").contains("marked-pod-token"));
    }
}

#[tokio::test]
async fn pub_sub_asks_the_metadata_server_or_reads_the_key_file() {
    let recorder = Recorder::start().await;
    let base = recorder.base();
    let host = recorder.address.to_string();
    recorder.script(vec![
        ("/v1".to_owned(), Reply::ok(r#"{"messageIds":["1"]}"#)),
        (String::new(), Reply::ok(r#"{"access_token":"ya29","expires_in":60}"#)),
    ]);
    let options = format!("project: p\ntopic: t\napiURL: {base}\n");
    let service = open_in("gcppubsub", &options, &[("GCE_METADATA_HOST", &host)], false).unwrap();
    send(&service, &hello()).await.unwrap();
    let got = recorder.take();
    assert_eq!(got[0].path, "/computeMetadata/v1/instance/service-accounts/default/token");
    assert!(got[0].headers.contains(&("metadata-flavor".to_owned(), "Google".to_owned())));
    let file = tempfile::NamedTempFile::new().unwrap();
    let key = json!({"type": "service_account", "client_email": "a@b", "private_key": suite::fixture::KEY,
                     "token_uri": format!("{base}/token")});
    std::fs::write(file.path(), key.to_string()).unwrap();
    let path = file.path().to_str().unwrap();
    for (options, variables) in
        [(format!("{options}keyFile: {path}\n"), vec![]), (options, vec![("GOOGLE_APPLICATION_CREDENTIALS", path)])]
    {
        let service = open_in("gcppubsub", &options, &variables, false).unwrap();
        send(&service, &hello()).await.unwrap();
        assert_eq!(recorder.take()[0].path, "/token");
    }
}

#[test]
fn a_tenant_gets_neither_the_controllers_identity_nor_its_files() {
    let aws = [("AWS_ACCESS_KEY_ID", "AKIA1"), ("AWS_SECRET_ACCESS_KEY", "s")];
    for (kind, options, message) in [
        ("awssqs", "queue: q\nregion: r\n", "`key` and `secret` are needed here"),
        ("gcppubsub", "project: p\n", "`key` is needed here"),
        ("gcppubsub", "project: p\nkeyFile: /etc/passwd\n", "`keyFile`"),
        ("webhook", "url: https://h.test\ncaBundleFile: /etc/passwd\n", "files of the controller"),
        ("webhook", "url: https://h.test\ninsecureSkipVerify: true\n", "`insecureSkipVerify` is not allowed"),
    ] {
        let error = open_in(kind, options, &aws, true).unwrap_err();
        assert!(error.contains(message), "{kind}: {error}");
    }
}
