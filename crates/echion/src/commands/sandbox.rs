//! `echion sandbox`.

use std::process::ExitCode;

use echion_sandbox::{DingTalkOptions, MailOptions, Options, Received, Sandbox};

use crate::print::Style;
use crate::{Failure, Outcome, args, print, setup};

pub(super) async fn run(args: args::Sandbox) -> Outcome {
    let port = args.port;
    let options = Options {
        port,
        dingtalk: DingTalkOptions {
            secret: args.dingtalk_secret,
            keywords: args.dingtalk_keyword,
            allowed_ips: args.dingtalk_ip,
            token: args.dingtalk_token.clone(),
            per_minute: args.messages_per_minute,
            ..DingTalkOptions::default()
        },
        clock: setup::clock(),
    };
    let sandbox = Sandbox::start(options).await.map_err(|error| {
        Failure::new(format!("cannot listen on 127.0.0.1:{port}: {error}"))
            .hint("choose another port with `--port`; 0 takes a free one")
    })?;
    let mail = sandbox.start_mail(MailOptions { port: args.smtp_port, ..MailOptions::default() });
    let mail = mail.await.map_err(|error| {
        Failure::new(format!("cannot listen on 127.0.0.1:{}: {error}", args.smtp_port))
            .hint("choose another port with `--smtp-port`; 0 takes a free one")
    })?;
    let token = args.dingtalk_token.as_deref().map_or("any", |_| "TOKEN");
    print::note(&format!("DingTalk robot  {}", sandbox.url(&format!("/robot/send?access_token={token}"))));
    let base = sandbox.url("");
    print::note(&format!("chat services   {} as their `apiURL`", base.trim_end_matches('/')));
    print::note(&format!("webhook         {}", sandbox.url("/any/other/path")));
    print::note(&format!("mail server     {} (SMTP)", mail.address));
    print::note(&format!("what came in    {} (JSON: {})", sandbox.url(""), sandbox.url("/messages")));
    print::note("Ctrl-C ends\n");
    let mut news = sandbox.subscribe();
    let mut ending = std::pin::pin!(setup::ended());
    loop {
        tokio::select! {
            () = &mut ending => break,
            received = news.recv() => match received {
                Ok(received) => show(&received),
                Err(tokio::sync::broadcast::error::RecvError::Lagged(missed)) => {
                    print::note(&format!("{missed} messages came faster than they could be printed"));
                }
                Err(_) => break,
            },
        }
    }
    sandbox.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// A message as it came in.
pub(super) fn show(received: &Received) {
    let text = received.readable();
    let (headline, rest) = text.split_once('\n').unwrap_or((&text, ""));
    let style = if received.accepted { Style::Good } else { Style::Warning };
    print::out(&print::paint(style, headline));
    if !rest.is_empty() {
        print::out(rest);
    }
    print::out("");
}
