//! Comments cite rules by number, such as `contract 2.3`: each number is a heading of the page that has the rules, and no comment cites a
//! document that is not in the tree.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The page with the rules.
const PAGE: &str = "docs/compatibility-contract.md";

/// Documents that are not in the tree.
const ELSEWHERE: &[&str] = &["peer-behaviour", "DESIGN.md", "HOUSE.md", "STYLE.md"];

/// Where citations are looked for.
const FOLDERS: &[&str] = &["crates", "conformance", "docs", "deploy"];

pub(crate) fn check(root: &Path, problems: &mut Vec<String>) {
    let page = fs::read_to_string(root.join(PAGE)).unwrap_or_default();
    let rules = headings(&page);
    let mut files: Vec<PathBuf> = fs::read_dir(root)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .collect();
    for folder in FOLDERS {
        list(&root.join(folder), &mut files);
    }
    files.retain(|path| path.extension().is_some_and(|e| e == "rs" || e == "md" || e == "json" || e == "toml"));
    files.sort();
    let mut cited = 0;
    for file in files {
        let text = fs::read_to_string(&file).unwrap_or_default();
        let name = file.strip_prefix(root).unwrap_or(&file).display().to_string();
        cited += text.lines().map(|line| citations(line).len()).sum::<usize>();
        problems.extend(findings(&text, &rules).map(|finding| format!("{name}:{finding}")));
    }
    if cited < 20 {
        problems.push("the citations of rules were not found".to_owned());
    }
}

fn list(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            list(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// The numbers of the page's headings: `2.3` of `## 2.3 State`.
fn headings(page: &str) -> BTreeSet<&str> {
    let headings = page
        .lines()
        .filter_map(|line| line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#')));
    headings.filter_map(|heading| heading.split([' ', ':']).next()).filter(|word| number(word) == Some(*word)).collect()
}

/// What is wrong with the citations of a text, each with its line.
fn findings<'a>(text: &'a str, rules: &'a BTreeSet<&str>) -> impl Iterator<Item = String> + 'a {
    text.lines().enumerate().flat_map(move |(index, line)| {
        let line_number = index + 1;
        let unknown = citations(line).into_iter().filter(|rule| !rules.contains(rule));
        let unknown = unknown.map(move |rule| format!("{line_number}: {PAGE} has no heading {rule}"));
        let elsewhere = ELSEWHERE.iter().filter(move |name| line.contains(*name));
        let elsewhere = elsewhere.map(move |name| format!("{line_number}: {name} is not in the tree"));
        let label = label(line).map(move |label| format!("{line_number}: nothing in the tree says what {label} is"));
        unknown.chain(elsewhere).chain(label)
    })
}

/// The label of somebody's list, such as `Q7`, that a comment begins with.
fn label(line: &str) -> Option<&str> {
    let text = line.trim_start().strip_prefix("//")?.trim_start_matches(['/', '!']).trim_start();
    let label = &text[..text.find([':', ',', ' '])?];
    let (letter, number) = label.split_at_checked(1)?;
    let is_label = letter.bytes().all(|b| b.is_ascii_uppercase())
        && (1..=2).contains(&number.len())
        && number.bytes().all(|b| b.is_ascii_digit());
    (is_label && !text[label.len()..].starts_with(' ')).then_some(label)
}

/// The rules that a line cites: one or more numbers behind `contract`, with `section` before them or not.
fn citations(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (at, word) in line.match_indices("ontract ") {
        if !matches!(line[..at].chars().next_back(), Some('c' | 'C')) {
            continue;
        }
        let mut rest = &line[at + word.len()..];
        loop {
            rest = rest.strip_prefix("section ").unwrap_or(rest);
            let Some(rule) = number(rest) else { break };
            found.push(rule);
            rest = &rest[rule.len()..];
            let Some(next) = [", ", " and ", " to "].iter().find_map(|between| rest.strip_prefix(between)) else {
                break;
            };
            rest = next;
        }
    }
    found
}

/// The number that a text begins with: `2.3`, or `10`.
fn number(text: &str) -> Option<&str> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let mut end = digits(text);
    if end == 0 {
        return None;
    }
    if let Some(rest) = text[end..].strip_prefix('.') {
        let more = digits(rest);
        end += if more == 0 { 0 } else { 1 + more };
    }
    Some(&text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn citations_are_found_in_every_form_that_comments_use() {
        let cases: &[(&str, &[&str])] = &[
            ("//! State keys and the annotation (contract 2.3).", &["2.3"]),
            ("//! Who is notified (contract 1.5, 2.1, 2.2).", &["1.5", "2.1", "2.2"]),
            ("//! Triggers (contract 3.1 to 3.3).", &["3.1", "3.3"]),
            ("/// Contract section 10, \"State key examples\".", &["10"]),
            ("/// Contract 2.3 and section 10: 101 entries.", &["2.3", "10"]),
            ("// defaults win (contract 2.1 E), see contract 5.0, family A", &["2.1", "5.0"]),
            ("see CONTRACT.md; the contract is long; a contract for 9.9", &[]),
        ];
        for (line, expected) in cases {
            assert_eq!(citations(line), *expected, "{line}");
        }
    }

    #[test]
    fn a_rule_without_a_heading_and_a_document_elsewhere_are_found() {
        let rules = headings("# Contract\n\n## 2.3 State\n\n2.4 is text\n### 10 Examples\n");
        assert_eq!(rules, BTreeSet::from(["10", "2.3"]));
        let text = "//! fine (contract 2.3)\n//! planted (contract 2.4)\n// see HOUSE.md\n/// Q7: so\n/// A, B\n";
        let found: Vec<String> = findings(text, &rules).collect();
        assert_eq!(
            found,
            [
                "2: docs/compatibility-contract.md has no heading 2.4",
                "3: HOUSE.md is not in the tree",
                "4: nothing in the tree says what Q7 is"
            ]
        );
    }
}
