//! Where vendors count: one robot or token is one channel, whatever the services are called, and no channel's name gives it away.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use suite::fixture::Fixture;
use suite::over_http;

fn channel(kind: &str, name: &str, options: &str, recipient: &str) -> String {
    let kind = echion_services::ALL.iter().find(|k| k.name == kind).unwrap();
    let opened = (kind.open)(name, &yaml::parse(options).unwrap(), &Environment::default());
    opened.unwrap_or_else(|e| panic!("{}: {e:?}", kind.name)).channel(recipient).name
}

#[test]
fn one_robot_is_one_channel_whichever_service_leads_to_it() {
    for (robot, services) in [
        (
            "dingtalk",
            [
                ("dingtalk", "accessToken: marked-token-1\nsecret: s\n"),
                ("dingtalk", "accessToken: ' marked-token-1 '\n"),
                ("dingtalk", "webhook: https://oapi.dingtalk.com/robot/send?access_token=marked-token-1\n"),
                ("webhook", "url: https://oapi.dingtalk.com/robot/send?x=1&access_token=marked-token-1\n"),
            ],
        ),
        (
            "feishu",
            [
                ("feishu", "token: marked-token-1\n"),
                ("feishu", "token: marked-token-1\nsecret: s\n"),
                ("feishu", "webhook: https://open.feishu.cn/open-apis/bot/v2/hook/marked-token-1/\n"),
                ("webhook", "url: https://open.feishu.cn/open-apis/bot/v2/hook/marked-token-1?x=1\n"),
            ],
        ),
        (
            "wecom",
            [
                ("wecom", "key: marked-token-1\n"),
                ("wecom", "key: 'marked-token-1 '\n"),
                ("wecom", "webhook: https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=marked-token-1&debug=1\n"),
                ("webhook", "url: https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=marked-token-1\n"),
            ],
        ),
    ] {
        let names: BTreeSet<String> = services
            .iter()
            .enumerate()
            .map(|(index, (kind, options))| channel(kind, &format!("name-{index}"), options, &format!("user-{index}")))
            .collect();
        assert_eq!(names.len(), 1, "{names:?}");
        let name = names.first().unwrap();
        assert!(name.len() == robot.len() + 13 && name.starts_with(&format!("{robot}/")), "{name}");
        let (kind, options) = services[0];
        assert_ne!(channel(kind, "name-0", &options.replace("token-1", "token-2"), ""), *name);
        let gateway = format!("{options}apiURL: https://gateway.test\n");
        assert_ne!(channel(kind, "name-0", &gateway, ""), *name, "another origin is another robot");
    }
}

#[test]
fn a_webhook_to_a_robot_has_the_robots_budget_and_one_request_at_a_time() {
    let address = "https://oapi.dingtalk.com/robot/send?access_token=marked-token-1";
    let robot = open("dingtalk", "accessToken: marked-token-1\n").channel("");
    let webhook = open("webhook", &format!("url: {address}\n")).channel("");
    assert_eq!((webhook.budget, webhook.concurrency), (robot.budget, robot.concurrency));
    // Only the service's own requests carry `msgUuid`.
    assert!(robot.idempotent && !webhook.idempotent);
}

#[test]
fn a_webhook_to_a_chat_joins_the_channel_of_that_chats_service() {
    for (kind, option, address) in [
        ("discord", "webhooks", "https://discord.com/api/webhooks/1/marked-token-1"),
        ("googlechat", "webhooks", "https://chat.googleapis.com/v1/spaces/x/messages?key=marked-token-1"),
        ("teams", "recipientUrls", "https://example.webhook.office.com/webhookb2/marked-token-1"),
        ("teams-workflows", "recipientUrls", "https://prod-1.westeurope.logic.azure.com/workflows/marked-token-1"),
    ] {
        let service = open(kind, &format!("{option}: {{a: '{address}'}}\n")).channel("a");
        let webhook = open("webhook", &format!("url: '{address}'\n")).channel("");
        assert_eq!(
            (&webhook.name, webhook.budget, webhook.concurrency),
            (&service.name, service.budget, service.concurrency)
        );
        assert!(service.name.starts_with(&format!("{kind}/")), "{service:?}");
        let other = open("webhook", &format!("url: '{}'\n", address.replace("token-1", "token-2"))).channel("");
        let space = kind == "googlechat";
        assert_eq!(other.name == webhook.name, space, "{other:?}");
    }
    let slack =
        |token: &str| open("webhook", &format!("url: https://hooks.slack.com/services/T/B/{token}\n")).channel("");
    let (one, two) = (slack("marked-token-1"), slack("marked-token-2"));
    assert!(one.name.starts_with("slack/") && one.name != two.name && one.budget.is_some(), "{one:?}");
    for other in ["https://notdiscord.com/api/webhooks/1/x", "https://discord.com/", "https://slack.com/api/"] {
        assert_eq!(open("webhook", &format!("url: {other}\n")).channel("").name, "webhook/hook", "{other}");
    }
}

/// How the channels of a type are distinguished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    /// `<type>/<name>`: the vendor does not count.
    Service,
    /// `<type>/<hash>`: everything with one token.
    Token,
    /// `<type>/<hash>/<recipient>`: the vendor counts by chat.
    Place,
    /// `<type>/<hash>` of the address or key that belongs to the recipient.
    Recipient,
}

fn schemes() -> BTreeMap<&'static str, Scheme> {
    let service = ["alertmanager", "awssqs", "cloudevents", "gcppubsub", "grafana", "servicenow", "webhook"];
    let token = [
        "bitbucket",
        "datadog",
        "dingtalk",
        "feishu",
        "gitea",
        "github",
        "gitlab",
        "jira",
        "matrix",
        "mattermost",
        "newrelic",
        "ntfy",
        "pagerduty",
        "pushover",
        "rocketchat",
        "webex",
        "wecom",
        "zulip",
    ];
    let place = ["dingtalk-app", "slack", "telegram"];
    let recipient = ["discord", "googlechat", "opsgenie", "pagerdutyv2", "teams", "teams-workflows"];
    let of = |names: &[&'static str], scheme| names.iter().map(move |name| (*name, scheme)).collect::<Vec<_>>();
    [
        of(&service, Scheme::Service),
        of(&token, Scheme::Token),
        of(&place, Scheme::Place),
        of(&recipient, Scheme::Recipient),
    ]
    .concat()
    .into_iter()
    .collect()
}

#[test]
fn every_type_counts_where_its_vendor_counts() {
    let schemes = schemes();
    for kind in over_http() {
        let scheme = schemes.get(kind.name).unwrap_or_else(|| panic!("{}: where does the vendor count?", kind.name));
        let fixture = Fixture::read(kind, "http://127.0.0.1:1");
        let case = &fixture.cases()[0];
        let (one, two) = (case.open_as("one", ""), case.open_as("two", ""));
        let name = |service: &Arc<dyn Service>, recipient: &str| service.channel(recipient).name;
        let recipient = case.recipient();
        let (first, second) = (name(&one, &recipient), name(&two, &recipient));
        assert_eq!(first == second, *scheme != Scheme::Service, "{first} {second}");
        let same = name(&one, "-4711") == first;
        assert_eq!(same, matches!(scheme, Scheme::Service | Scheme::Token), "{}: {first}", kind.name);
        let parts: Vec<&str> = first.splitn(3, '/').collect();
        assert_eq!(parts[0], kind.name, "{first}");
        assert_eq!(parts.len() == 3, *scheme == Scheme::Place, "{first}");
        match scheme {
            Scheme::Service => assert_eq!(parts[1], "one", "{first}"),
            _ => {
                let hex = parts[1].len() == 12 && parts[1].chars().all(|c| c.is_ascii_hexdigit());
                assert!(hex, "{first}");
            }
        }
        // A recipient without an address or a key has a channel of its own, and does not disturb the others.
        let unknown = name(&one, "no such recipient");
        assert!(*scheme != Scheme::Recipient || unknown == format!("{}/one/no such recipient", kind.name), "{unknown}");
    }
}

#[test]
fn other_tokens_are_other_channels_and_no_name_shows_one() {
    for kind in over_http() {
        let fixture = Fixture::read(kind, "http://127.0.0.1:1");
        let other = Fixture::read_with(kind, "http://127.0.0.1:1", |text| text.replace("marked-", "marked-other-"));
        for (case, other) in fixture.cases().iter().zip(other.cases()) {
            let (service, other) = (case.open(""), other.open(""));
            for recipient in [case.recipient().as_str(), "x"] {
                let channel = format!("{:?}", service.channel(recipient));
                assert!(!channel.contains("marked-"), "{}: {channel}", kind.name);
                // Part of a secret is one as well.
                let digits = channel.split(|c: char| !c.is_ascii_hexdigit()).filter(|part| part.len() == 12);
                assert!(digits.count() <= 1, "{}: {channel}", kind.name);
            }
            let scheme = schemes()[kind.name];
            let (one, two) = (service.channel(&case.recipient()).name, other.channel(&case.recipient()).name);
            // Users of these are named, not their passwords; of a webhook of Google Chat, the space.
            let named = ["googlechat", "ntfy", "rocketchat", "zulip", "github", "dingtalk-app"].contains(&kind.name);
            let marked = format!("{:?}", case.node.get("options")).contains("marked-");
            if marked
                && scheme != Scheme::Service
                && !named
                && one.split('/').nth(1).is_some_and(|part| part.len() == 12)
            {
                assert_ne!(one, two, "{}", case.name());
            }
        }
    }
}

#[test]
fn a_topic_belongs_to_its_group_and_a_mailbox_is_one_channel() {
    let telegram = |recipient: &str| channel("telegram", "t", "token: '1:marked-token'\n", recipient);
    assert_eq!(telegram("-100|5"), telegram("-100|6"));
    assert_ne!(telegram("-100|5"), telegram("-200|5"));
    let mail = |name: &str, user: &str, host: &str| {
        let login = format!("username: {user}\npassword: marked-password\n");
        channel("email", name, &format!("host: {host}\nfrom: a@b.test\n{login}"), "lee@example.com")
    };
    let one = mail("one", "echion", "smtp.test");
    assert_eq!(one, mail("two", "echion", "SMTP.test"));
    assert_ne!(one, mail("one", "other", "smtp.test"));
    assert_ne!(one, mail("one", "echion", "smtp2.test"));
    assert!(one.starts_with("email/") && !one.contains("echion") && !one.contains("marked-"), "{one}");
    let nats = channel("nats", "bus", "url: nats://u:marked-password@nats.test:4222\n", "subject");
    assert_eq!(nats, "nats/bus");
}

/// 9: only where the vendor takes the id of a delivery and ignores it the second time.
#[test]
fn idempotent_is_what_the_vendor_recognises() {
    let mut found = Vec::new();
    for kind in over_http() {
        let fixture = Fixture::read(kind, "http://127.0.0.1:1");
        let case = &fixture.cases()[0];
        let service = case.open("");
        let idempotent = service.channel(&case.recipient()).idempotent;
        assert_eq!(idempotent, service.channel("x").idempotent, "{}", kind.name);
        if idempotent {
            found.push(kind.name);
        }
    }
    assert_eq!(found, ["alertmanager", "dingtalk", "matrix", "opsgenie", "pagerduty", "pagerdutyv2"]);
    assert!(!open("nats", "url: nats://h.test\n").channel("x").idempotent);
    assert!(!open("email", "host: h.test\nfrom: a@b.test\n").channel("x").idempotent);
}
