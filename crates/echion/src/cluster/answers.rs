//! Answers of the repo-server, as long as they are good for, and not more than fit.

use std::collections::HashMap;

use echion_engine::variables::{AppDetail, CommitMetadata};
use tokio::time::Instant;

/// How many answers are kept.
const MOST: usize = 4096;

/// And how many bytes of them.
const LARGEST: usize = 8 << 20;

/// What the repo-server says.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    Commit(CommitMetadata),
    Details(Box<AppDetail>),
}

impl Answer {
    fn size(&self) -> usize {
        match self {
            Answer::Commit(commit) => commit.message.len() + commit.author.len() + texts(&commit.tags),
            Answer::Details(details) => {
                let helm = details.helm.as_ref().map_or(0, |helm| {
                    let parameters = helm.parameters.iter().chain(&helm.overrides);
                    let files = helm.file_parameters.iter().map(|file| file.name.len() + file.path.len() + 48);
                    let parameters = parameters.map(|p| p.name.len() + p.value.len() + 56);
                    helm.values.len() + texts(&helm.value_files) + parameters.sum::<usize>() + files.sum::<usize>()
                });
                helm + details.kustomize.as_deref().map_or(0, texts)
            }
        }
    }
}

fn texts(texts: &[String]) -> usize {
    texts.iter().map(|text| text.len() + size_of::<String>()).sum()
}

struct Entry {
    answer: Result<Answer, String>,
    until: Instant,
    size: usize,
    number: u64,
}

/// The oldest answers make room for new ones.
#[derive(Default)]
pub(super) struct Answers {
    entries: HashMap<String, Entry>,
    size: usize,
    number: u64,
}

impl Answers {
    pub(super) fn get(&self, key: &str, now: Instant) -> Option<Result<Answer, String>> {
        self.entries.get(key).filter(|entry| entry.until > now).map(|entry| entry.answer.clone())
    }

    pub(super) fn put(&mut self, key: String, answer: Result<Answer, String>, now: Instant, until: Instant) {
        let size = key.len() * 2 + answer.as_ref().map_or_else(String::len, Answer::size) + 256;
        self.remove(&key);
        if self.entries.len() >= MOST || self.size + size > LARGEST {
            let stale = self.entries.iter().filter(|(_, entry)| entry.until <= now).map(|(key, _)| key.clone());
            for key in stale.collect::<Vec<_>>() {
                self.remove(&key);
            }
        }
        // What is larger than everything is kept alone: whoever asked for it is about to read it.
        while !self.entries.is_empty() && (self.entries.len() >= MOST || self.size + size > LARGEST) {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.number).map(|(key, _)| key.clone());
            self.remove(&oldest.unwrap_or_default());
        }
        self.number += 1;
        self.size += size;
        self.entries.insert(key, Entry { answer, until, size, number: self.number });
    }

    fn remove(&mut self, key: &str) {
        if let Some(entry) = self.entries.remove(key) {
            self.size -= entry.size;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn commit(size: usize) -> Result<Answer, String> {
        Ok(Answer::Commit(CommitMetadata { message: "x".repeat(size), ..CommitMetadata::default() }))
    }

    #[test]
    fn answers_last_as_long_as_they_are_good_for_and_the_oldest_make_room() {
        let now = Instant::now();
        let (soon, late) = (now + Duration::from_secs(1), now + Duration::from_secs(100));
        let mut answers = Answers::default();
        answers.put("a".to_owned(), Err("no".to_owned()), now, soon);
        assert!(matches!(answers.get("a", now), Some(Err(_))));
        assert!(answers.get("a", soon).is_none());
        for number in 0..MOST + 10 {
            answers.put(number.to_string(), commit(10), now, late);
        }
        assert_eq!(answers.entries.len(), MOST);
        assert!(answers.get("9", now).is_none() && answers.get("10", now).is_some());
        for number in 0..20 {
            answers.put(format!("large {number}"), commit(1 << 20), now, late);
        }
        assert!(answers.size <= LARGEST && answers.entries.len() < 20, "{} {}", answers.size, answers.entries.len());
        answers.put("huge".to_owned(), commit(LARGEST + 1), now, late);
        assert!(answers.get("huge", now).is_some());
        answers.put("small".to_owned(), commit(1), now, late);
        assert_eq!(answers.entries.len(), 1);
    }
}
