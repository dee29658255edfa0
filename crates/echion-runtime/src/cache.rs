//! Responses of the repo-server, as long as they are valid, and not more than fit.

use std::collections::HashMap;

use echion_engine::variables::{AppDetail, CommitMetadata};
use tokio::time::Instant;

/// How many responses are kept.
const MAX_ENTRIES: usize = 4096;

/// And how many bytes of them.
const MAX_BYTES: usize = 8 << 20;

/// A response of the repo-server.
#[derive(Clone, Debug)]
pub(crate) enum Response {
    Commit(CommitMetadata),
    Details(Box<AppDetail>),
}

impl Response {
    fn size(&self) -> usize {
        match self {
            Response::Commit(commit) => commit.message.len() + commit.author.len() + texts(&commit.tags),
            Response::Details(details) => {
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
    response: Result<Response, String>,
    until: Instant,
    size: usize,
    number: u64,
}

/// The oldest responses make room for new ones.
#[derive(Default)]
pub(crate) struct Cache {
    entries: HashMap<String, Entry>,
    size: usize,
    number: u64,
}

impl Cache {
    pub(crate) fn get(&self, key: &str, now: Instant) -> Option<Result<Response, String>> {
        self.entries.get(key).filter(|entry| entry.until > now).map(|entry| entry.response.clone())
    }

    pub(crate) fn put(&mut self, key: String, response: Result<Response, String>, now: Instant, until: Instant) {
        let size = key.len() * 2 + response.as_ref().map_or_else(String::len, Response::size) + 256;
        self.remove(&key);
        if self.entries.len() >= MAX_ENTRIES || self.size + size > MAX_BYTES {
            let stale = self.entries.iter().filter(|(_, entry)| entry.until <= now).map(|(key, _)| key.clone());
            for key in stale.collect::<Vec<_>>() {
                self.remove(&key);
            }
        }
        // What is larger than everything is kept alone: whoever queried it is about to read it.
        while !self.entries.is_empty() && (self.entries.len() >= MAX_ENTRIES || self.size + size > MAX_BYTES) {
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.number).map(|(key, _)| key.clone());
            self.remove(&oldest.unwrap_or_default());
        }
        self.number += 1;
        self.size += size;
        self.entries.insert(key, Entry { response, until, size, number: self.number });
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

    fn commit(size: usize) -> Result<Response, String> {
        Ok(Response::Commit(CommitMetadata { message: "x".repeat(size), ..CommitMetadata::default() }))
    }

    #[test]
    fn responses_last_as_long_as_they_are_valid_and_the_oldest_make_room() {
        let now = Instant::now();
        let (soon, late) = (now + Duration::from_secs(1), now + Duration::from_secs(100));
        let mut cache = Cache::default();
        cache.put("a".to_owned(), Err("no".to_owned()), now, soon);
        assert!(matches!(cache.get("a", now), Some(Err(_))));
        assert!(cache.get("a", soon).is_none());
        for number in 0..MAX_ENTRIES + 10 {
            cache.put(number.to_string(), commit(10), now, late);
        }
        assert_eq!(cache.entries.len(), MAX_ENTRIES);
        assert!(cache.get("9", now).is_none() && cache.get("10", now).is_some());
        for number in 0..20 {
            cache.put(format!("large {number}"), commit(1 << 20), now, late);
        }
        assert!(cache.size <= MAX_BYTES && cache.entries.len() < 20, "{} {}", cache.size, cache.entries.len());
        cache.put("huge".to_owned(), commit(MAX_BYTES + 1), now, late);
        assert!(cache.get("huge", now).is_some());
        cache.put("small".to_owned(), commit(1), now, late);
        assert_eq!(cache.entries.len(), 1);
    }
}
