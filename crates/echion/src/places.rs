//! Where a diagnostic is in the user's own file: an editor opens `cm.yaml:57:31`, and not the inside of a key.

use echion_runtime::model::Diagnostic;
use echion_runtime::model::yaml::{self, Kind, Node};

/// The file of a ConfigMap, as far as it can be read again.
pub(crate) struct Places {
    file: String,
    text: String,
    /// Entries of `data`: the key and its value.
    entries: Vec<(Node, Node)>,
}

impl Places {
    /// Reads a file. What is no file, such as standard input, has only the places inside its keys.
    pub(crate) fn of(file: &str) -> Self {
        let is_file = std::fs::metadata(file).is_ok_and(|metadata| metadata.is_file());
        let text = if is_file { std::fs::read_to_string(file).unwrap_or_default() } else { String::new() };
        Self::new(file, text)
    }

    fn new(file: &str, text: String) -> Self {
        let documents = yaml::parse_all(&text).unwrap_or_default();
        let objects = echion_runtime::engine::objects(&documents);
        let maps = objects.iter().filter(|node| node.get("kind").and_then(Node::text) == Some("ConfigMap"));
        let entries = maps.filter_map(|node| node.get("data")).flat_map(Node::entries).cloned().collect();
        Self { file: file.to_owned(), text, entries }
    }

    pub(crate) fn file(&self) -> &str {
        &self.file
    }

    /// The place of a diagnostic, as `cm.yaml:57:31`, and what it is about.
    pub(crate) fn of_diagnostic(&self, diagnostic: &Diagnostic) -> String {
        let Diagnostic { key, line, column, .. } = diagnostic;
        match self.find(diagnostic) {
            Some((line, column)) => format!("{}:{line}:{column} ({key})", self.file),
            None => format!("{}: {key}:{line}:{column}", self.file),
        }
    }

    fn find(&self, diagnostic: &Diagnostic) -> Option<(usize, usize)> {
        let own = |(key, _): &&(Node, Node)| {
            let rest = key.text().and_then(|key| diagnostic.key.strip_prefix(key));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        let (key, value) = self.entries.iter().filter(own).max_by_key(|(key, _)| key.text().map_or(0, str::len))?;
        let path = diagnostic.key.strip_prefix(key.text()?)?;
        let at = (diagnostic.line, diagnostic.column);
        let Some(text) = value.text() else { return Some(place(value)) };
        if at == (1, 1) && path.is_empty() && diagnostic.source.is_empty() {
            return Some(place(key));
        }
        let root = yaml::parse(text).ok();
        let inner = root.as_ref().and_then(|root| descend(None, root, path)).filter(|_| !path.is_empty());
        let start = value.line as usize;
        // The text that the place counts in: that of the key, or of a field in it.
        let (start, counted) = match &inner {
            Some((_, node)) if is_within(diagnostic, inner.as_ref(), text) => {
                (start + node.line as usize - 1, node.text().unwrap_or_default())
            }
            _ => (start, text),
        };
        let line = counted.lines().nth(diagnostic.line.saturating_sub(1) as usize).unwrap_or_default();
        let found = self.search(start + diagnostic.line.saturating_sub(1) as usize, line, diagnostic.column as usize);
        found.or_else(|| Some(place(key)))
    }

    /// The first line from a number on that holds this one, and the column in it.
    fn search(&self, from: usize, line: &str, column: usize) -> Option<(usize, usize)> {
        let wanted = line.trim();
        let indent = line.chars().take_while(|c| c.is_whitespace()).count();
        let mut lines = self.text.lines().enumerate().skip(from.saturating_sub(1));
        lines.find_map(|(index, text)| {
            let before = text.get(..text.find(wanted).filter(|_| !wanted.is_empty())?)?.chars().count();
            Some((index + 1, (before + column).saturating_sub(indent).max(1)))
        })
    }
}

fn place(node: &Node) -> (usize, usize) {
    (node.line as usize, node.column as usize)
}

/// Whether the place of a diagnostic counts inside a field, rather than in the text of the key.
fn is_within(diagnostic: &Diagnostic, field: Option<&(Option<&Node>, &Node)>, text: &str) -> bool {
    let Some((name, value)) = field else { return false };
    let Some(inner) = value.text() else { return false };
    let line = |text: &str| text.lines().nth(diagnostic.line.saturating_sub(1) as usize).map(str::to_owned);
    if !diagnostic.source.is_empty() {
        return line(inner).is_some_and(|line| line == diagnostic.source) || line(text).is_none();
    }
    let at = (diagnostic.line, diagnostic.column);
    value.at() != at && name.is_none_or(|name| name.at() != at)
}

/// The entry at a path such as `[0].when` or `.webhook.hook.body`, with its name. Names may hold dots themselves.
fn descend<'a>(name: Option<&'a Node>, node: &'a Node, path: &str) -> Option<(Option<&'a Node>, &'a Node)> {
    if path.is_empty() {
        return Some((name, node));
    }
    if let Some(rest) = path.strip_prefix('[') {
        let (index, rest) = rest.split_once(']')?;
        let Kind::List(items) = &node.kind else { return None };
        return descend(None, items.get(index.parse::<usize>().ok()?)?, rest);
    }
    let path = path.strip_prefix('.').unwrap_or(path);
    node.entries().iter().find_map(|(key, value)| {
        let rest = path.strip_prefix(key.text()?).filter(|rest| rest.is_empty() || rest.starts_with(['.', '[']))?;
        descend(Some(key), value, rest)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "\
kind: ConfigMap
metadata: {name: argocd-notifications-cm}
data:
  service.webhook.hook: |
    ulr: http://x
  trigger.on-a: |
    - when: 'true'
      send: [t]
    - when: app.x in
      send: [t, nope]
  trigger.on-b: \"- {when: 1 +, send: [t]}\"
  template.t: |
    message: hello {{.app.name}
    webhook:
      hook:
        methd: POST
        body: |
          {
            \"a\": {{.x}}
          }
";

    fn place(key: &str, at: (u32, u32), source: &str) -> Option<(usize, usize)> {
        let diagnostic = Diagnostic { source: source.to_owned(), ..Diagnostic::error(key, at, "") };
        Places::new("cm.yaml", FILE.to_owned()).find(&diagnostic)
    }

    #[test]
    fn places_are_those_of_the_file() {
        for (key, at, source, want) in [
            ("service.webhook.hook", (1, 1), "", (4, 3)),
            ("service.webhook.hook", (1, 6), "", (5, 10)),
            ("trigger.on-a[1].when", (1, 9), "app.x in", (9, 21)),
            ("trigger.on-a[1].send", (4, 13), "  send: [t, nope]", (10, 17)),
            ("trigger.on-b[0].when", (1, 4), "1 +", (11, 30)),
            ("template.t.message", (1, 18), "hello {{.app.name}", (13, 31)),
            ("template.t.webhook.hook.methd", (4, 5), "", (16, 9)),
            ("template.t.webhook.hook.body", (2, 8), "", (19, 18)),
        ] {
            assert_eq!(place(key, at, source), Some(want), "{key}");
        }
        assert_eq!(place("trigger.nope", (1, 1), ""), None);
    }
}
