//! One file per delivery service, and the only HTTP client.
//!
//! To add a service: write its file, add one line to [`ALL`].

mod alertmanager;
mod answer;
mod awssqs;
mod bitbucket;
mod cloudevents;
mod console;
mod datadog;
mod dingtalk;
mod dingtalk_app;
mod discord;
mod done;
mod egress;
mod email;
mod feishu;
mod forge;
mod gcppubsub;
mod gitea;
mod github;
mod gitlab;
mod googlechat;
mod grafana;
mod hooks;
mod http;
mod jira;
mod jwt;
mod matrix;
mod mattermost;
mod nats;
mod newrelic;
mod ntfy;
mod opsgenie;
mod options;
mod pagerduty;
mod pagerdutyv2;
mod pushover;
mod redact;
mod rendered;
mod robots;
mod rocketchat;
mod section;
mod servicenow;
mod slack;
mod smtp;
mod teams;
mod teams_workflows;
mod telegram;
mod tls;
mod tree;
mod vendor;
mod webex;
mod webhook;
mod wecom;
mod zulip;

use echion_model::ServiceKind;

/// Every service type, sorted by name. Dispatch by configuration key, suggestions and tables come from here.
pub static ALL: &[&ServiceKind] = &[
    &alertmanager::KIND,
    &awssqs::KIND,
    &bitbucket::KIND,
    &cloudevents::KIND,
    &console::KIND,
    &datadog::KIND,
    &dingtalk::KIND,
    &dingtalk_app::KIND,
    &discord::KIND,
    &email::KIND,
    &feishu::KIND,
    &gcppubsub::KIND,
    &gitea::KIND,
    &github::KIND,
    &gitlab::KIND,
    &googlechat::KIND,
    &grafana::KIND,
    &jira::KIND,
    &matrix::KIND,
    &mattermost::KIND,
    &nats::KIND,
    &newrelic::KIND,
    &ntfy::KIND,
    &opsgenie::KIND,
    &pagerduty::KIND,
    &pagerdutyv2::KIND,
    &pushover::KIND,
    &rocketchat::KIND,
    &servicenow::KIND,
    &slack::KIND,
    &teams::KIND,
    &teams_workflows::KIND,
    &telegram::KIND,
    &webex::KIND,
    &webhook::KIND,
    &wecom::KIND,
    &zulip::KIND,
];

/// The types that `service.<type>` accepts: all but `console`, which is a destination of the command line only (contract 5.22).
#[must_use]
pub fn configurable() -> Vec<&'static ServiceKind> {
    ALL.iter().copied().filter(|kind| kind.name != console::KIND.name).collect()
}

pub use console::KIND as CONSOLE;

/// The variables of the process that say which proxies to use: what [`Environment::variables`](echion_model::Environment) must hold of them.
pub use http::PROXY_VARIABLES;

/// The options that every HTTP service has besides its own.
#[must_use]
pub fn shared_options() -> &'static [echion_model::OptionHelp] {
    http::Transport::TABLE
}
