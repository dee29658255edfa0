//! Escaping for JSON and chats, and mentions. These functions are ours: sprig has none of them.

use echion_template::{CallContext, Function, takes};
use echion_value::{Signature, Str, Value, format};

use crate::args::{ANY, Result, TEXT, fail, list, make_text};

const ESCAPES: Signature = takes(&[ANY], TEXT);
const MENTIONS: Signature = Signature::new(&[ANY], TEXT).variadic().fallible();

const fn escapes(
    name: &'static str,
    call: fn(&mut CallContext<'_>, &[Value]) -> Result,
    about: &'static str,
    example: &'static str,
    shows: &'static str,
) -> Function {
    Function::new(name, ESCAPES, call).doc(about, example, shows)
}

const fn mentions(
    name: &'static str,
    call: fn(&mut CallContext<'_>, &[Value]) -> Result,
    about: &'static str,
    example: &'static str,
    shows: &'static str,
) -> Function {
    Function::new(name, MENTIONS, call).doc(about, example, shows)
}

pub(crate) static ALL: &[Function] = &[
    escapes(
        "jsonString",
        |call, args| escape(call, args, json),
        "escaped for the inside of a JSON string",
        r#"{"text": "{{ jsonString "say \"hi\"\n" }}"}"#,
        r#"{"text": "say \"hi\"\n"}"#,
    ),
    escapes(
        "slackEscape",
        |call, args| escape(call, args, slack),
        "escaped for a Slack message, so that it makes no link and mentions no one",
        r#"{{ slackEscape "<!here> & now" }}"#,
        "&lt;!here&gt; &amp; now",
    ),
    escapes(
        "dingtalkEscape",
        |call, args| escape(call, args, |c| markdown(c, "  \n  ")),
        "escaped for a DingTalk markdown message; its lines stay lines",
        r#"{{ dingtalkEscape "fix_*_" }}"#,
        r"fix\_\*\_",
    ),
    escapes(
        "feishuEscape",
        |call, args| escape(call, args, feishu),
        "escaped for the markdown of a Feishu card",
        r#"{{ feishuEscape "a*b <c>" }}"#,
        "a&#42;b &#60;c&#62;",
    ),
    escapes(
        "wecomEscape",
        |call, args| escape(call, args, |c| markdown(c, "\n")),
        "escaped for a WeCom markdown message",
        r#"{{ wecomEscape "<@all> [x]" }}"#,
        r"\<@all\> \[x\]",
    ),
    mentions(
        "slackMention",
        |call, args| each(call, args, slack_mention),
        "mentions users and groups by id, or `here`, `channel`, `everyone`",
        r#"{{ slackMention "U024BE7LH" "here" }}"#,
        "<@U024BE7LH> <!here>",
    ),
    mentions(
        "dingtalkMention",
        |call, args| each(call, args, |id| format!("@{id}")),
        "mentions mobile numbers or user ids, which must be in `at` as well",
        r#"{{ dingtalkMention (list "13800000000" "user1") }}"#,
        "@13800000000 @user1",
    ),
    mentions(
        "feishuMention",
        |call, args| each(call, args, |id| format!("<at user_id=\"{id}\"></at>")),
        "mentions open ids in a Feishu text message, or `all`",
        r#"{{ feishuMention "ou_1" }}"#,
        r#"<at user_id="ou_1"></at>"#,
    ),
    mentions(
        "feishuCardMention",
        |call, args| each(call, args, feishu_card_mention),
        "mentions open ids or mail addresses in a Feishu card, or `all`",
        r#"{{ feishuCardMention "all" "a@b.cn" }}"#,
        "<at id=all></at> <at email=a@b.cn></at>",
    ),
    mentions(
        "wecomMention",
        |call, args| each(call, args, |id| format!("<@{id}>")),
        "mentions user ids in a WeCom markdown message",
        r#"{{ wecomMention "zhangsan" }}"#,
        "<@zhangsan>",
    ),
];

/// The replacement of a character; none where it may stay.
type Escaped = Option<std::borrow::Cow<'static, str>>;

/// The text of the argument, character by character. `nil` is the empty text.
fn escape(call: &mut CallContext<'_>, args: &[Value], of: fn(char) -> Escaped) -> Result {
    let text = match args.first() {
        None | Some(Value::Nil) => Str::default(),
        Some(Value::Str(text)) => text.clone(),
        Some(Value::Bytes(bytes)) => Str::from(bytes.as_deref().unwrap_or_default()),
        Some(other) => format::display(other),
    };
    // No character becomes longer than eight bytes.
    call.reserve(text.len().saturating_mul(8))?;
    let mut out = String::with_capacity(text.len());
    for c in text.to_text().chars() {
        match of(c) {
            Some(escaped) => out.push_str(&escaped),
            None => out.push(c),
        }
    }
    Ok(make_text(out))
}

fn json(c: char) -> Escaped {
    Some(match c {
        '"' => "\\\"".into(),
        '\\' => "\\\\".into(),
        '\n' => "\\n".into(),
        '\r' => "\\r".into(),
        '\t' => "\\t".into(),
        '\0'..' ' | '\u{2028}' | '\u{2029}' => format!("\\u{:04x}", u32::from(c)).into(),
        _ => return None,
    })
}

fn slack(c: char) -> Escaped {
    Some(match c {
        '&' => "&amp;".into(),
        '<' => "&lt;".into(),
        '>' => "&gt;".into(),
        _ => return None,
    })
}

/// A backslash before what markdown has a use for.
fn markdown(c: char, line: &'static str) -> Escaped {
    Some(match c {
        '\n' => line.into(),
        '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '~' | '|' => format!("\\{c}").into(),
        _ => return None,
    })
}

/// Cards take character references.
fn feishu(c: char) -> Escaped {
    match c {
        '&' | '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '~' | '|' => {
            Some(format!("&#{};", u32::from(c)).into())
        }
        _ => None,
    }
}

/// Every id of every argument, mentioned.
fn each(call: &mut CallContext<'_>, args: &[Value], mention: fn(&str) -> String) -> Result {
    let mut mentions = Vec::new();
    for arg in args {
        for value in list(arg).unwrap_or_else(|| vec![arg.clone()]) {
            let id = match &value {
                Value::Nil => continue,
                Value::Str(text) => text.to_text().into_owned(),
                other => format::display(other).to_text().into_owned(),
            };
            // Ids come from annotations and commits: none of them may become something else.
            if id.is_empty() || !id.chars().all(|c| c.is_alphanumeric() || "_-.@+".contains(c)) {
                return fail(format!("`{id}` is no valid id"));
            }
            call.reserve(id.len() + 32)?;
            mentions.push(mention(&id));
        }
    }
    Ok(make_text(mentions.join(" ")))
}

fn slack_mention(id: &str) -> String {
    match id {
        "here" | "channel" | "everyone" => format!("<!{id}>"),
        _ if id.starts_with('S') => format!("<!subteam^{id}>"),
        _ => format!("<@{id}>"),
    }
}

fn feishu_card_mention(id: &str) -> String {
    if id.contains('@') { format!("<at email={id}></at>") } else { format!("<at id={id}></at>") }
}
