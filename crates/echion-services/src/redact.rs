//! Keeps what is secret out of what is said.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use echion_model::{Receipt, Secret, SendError};

use crate::http::Address;

/// Shorter texts would shred ordinary words and still be guessable from the holes.
const SHORTEST: usize = 4;

/// Everything that one service keeps secret, in the spellings in which an answer may repeat it.
#[derive(Clone, Default)]
pub(crate) struct Redactor {
    needles: Vec<String>,
}

impl Redactor {
    pub(crate) fn new(secrets: &[Secret]) -> Self {
        let mut redactor = Self::default();
        for secret in secrets {
            redactor.add(secret);
        }
        redactor
    }

    /// Adds a secret: the whole, its longer parts (an answer may repeat the token of `Bearer <token>` alone), and, where it is an
    /// address, everything in it that could be a token.
    pub(crate) fn add(&mut self, secret: &Secret) {
        let text = secret.expose();
        self.add_text(text.trim());
        if let Ok(address) = Address::parse(text) {
            address.secrets(true).iter().for_each(|part| self.add_text(part));
            return;
        }
        self.add_parts(text);
    }

    /// Adds a text that may hold a secret: what in it could be a token.
    pub(crate) fn add_suspect(&mut self, text: &Secret) {
        let text = text.expose();
        if !is_wordy(text) {
            self.add_text(text.trim());
        }
        self.add_parts(text);
    }

    fn add_parts(&mut self, text: &str) {
        let parts = text.split(|c: char| c.is_whitespace() || "=,;:\"".contains(c));
        for part in parts.filter(|part| part.len() >= 8 && !is_wordy(part)) {
            self.add_text(part);
        }
    }

    /// Adds the parts of an address that could be a token. Its host is no secret.
    pub(crate) fn add_address(&mut self, address: &Address) {
        for part in address.secrets(false) {
            self.add_text(&part);
        }
    }

    fn add_text(&mut self, text: &str) {
        if text.len() < SHORTEST {
            return;
        }
        let json = serde_json::Value::from(text).to_string();
        let form: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
        let plain = [text.to_owned(), json.trim_matches('"').to_owned(), form.replace('+', "%20"), form];
        for spelling in plain.into_iter().chain(encoded(text.as_bytes())) {
            if !self.needles.contains(&spelling) {
                self.needles.push(spelling);
            }
        }
        // A long one may hold a short one; its rest would show.
        self.needles.sort_by_key(|needle| std::cmp::Reverse(needle.len()));
    }

    /// `text` without any of the secrets.
    pub(crate) fn clean(&self, text: &str) -> String {
        self.needles.iter().fold(text.to_owned(), |text, needle| {
            if text.contains(needle.as_str()) { text.replace(needle.as_str(), "****") } else { text }
        })
    }

    /// The outcome of an attempt without any of the secrets.
    pub(crate) fn outcome(&self, outcome: Result<Receipt, SendError>) -> Result<Receipt, SendError> {
        match outcome {
            Ok(receipt) => Ok(Receipt { answer: self.clean(&receipt.answer) }),
            Err(error) => {
                Err(SendError { kind: error.kind, reason: self.clean(&error.reason), hint: self.clean(&error.hint) })
            }
        }
    }
}

/// What a server that encodes what it quotes makes of a secret: hexadecimal, every byte escaped, base64 wherever in a text it stood.
fn encoded(secret: &[u8]) -> Vec<String> {
    let lower = hex::encode(secret);
    let escaped = secret.iter().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let mut spellings = vec![lower.to_uppercase(), lower, escaped.to_lowercase(), escaped];
    // Three bytes become four characters, so there are three ways; the characters at the ends are shared with the neighbours.
    for before in 0..3_usize {
        let padded = [&vec![0; before][..], secret].concat();
        let whole = STANDARD_NO_PAD.encode(&padded);
        let (first, last) = ((before * 8).div_ceil(6), padded.len() * 8 / 6);
        if let Some(inner) = whole.get(first..last).filter(|inner| inner.len() >= 8) {
            spellings.extend([inner.to_owned(), inner.replace('+', "-").replace('/', "_")]);
        }
    }
    spellings
}

/// Whether a text is made of ordinary words, such as `statuses`, `SignedHeaders` or `argo-cd`: to blot them out would make answers unreadable, and
/// no vendor makes tokens like that. A secret that is one of them is known as a whole.
pub(crate) fn is_wordy(text: &str) -> bool {
    const WORD: std::ops::RangeInclusive<usize> = 1..=16;
    let word = |word: &str| {
        // An upper-case letter begins another word.
        let starts = word
            .char_indices()
            .skip(1)
            .filter(|(at, c)| c.is_ascii_uppercase() && !word[..*at].ends_with(|c: char| c.is_ascii_uppercase()));
        let starts: Vec<usize> = starts.map(|(at, _)| at).collect();
        let short =
            starts.windows(2).any(|pair| pair[1] - pair[0] < 3) || starts.first().is_some_and(|first| *first < 3);
        WORD.contains(&word.len()) && word.chars().all(|c| c.is_ascii_alphabetic()) && !short
    };
    text.split(['-', '_', '.', ' ', '/']).all(word)
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} secrets", self.needles.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_found_and_the_longest_first() {
        let redactor =
            Redactor::new(&[Secret::new("Bearer ab cd\"efgh+0123"), Secret::new("abc"), Secret::new("0123")]);
        for text in ["Bearer ab cd\"efgh+0123", r#"Bearer ab cd\"efgh+0123"#, "Bearer+ab+cd%22efgh%2B0123"] {
            assert_eq!(redactor.clean(&format!("<{text}>")), "<****>", "{text}");
        }
        assert_eq!(redactor.clean("efgh+0123 abc"), "**** abc");
        assert_eq!(format!("{redactor:?}").matches("secrets").count(), 1);
    }

    #[test]
    fn a_secret_is_found_however_it_is_encoded_and_wherever_it_stands() {
        let secret = "/bot12345:AAHk-t0ps+3cr3t/ü";
        let redactor = Redactor::new(&[Secret::new(secret)]);
        for around in ["", "a", "ab", "abc"] {
            let text = format!("{around}{secret}{around}");
            let standard = base64::engine::general_purpose::STANDARD.encode(&text);
            let url = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&text);
            let hexadecimal = hex::encode(&text);
            let escaped: String = text.bytes().map(|byte| format!("%{byte:02x}")).collect();
            for spelling in [standard, url, hexadecimal.to_uppercase(), hexadecimal, escaped.to_uppercase(), escaped] {
                let said = redactor.clean(&spelling);
                assert!(said.contains("****") && said.len() <= around.len() * 8 + 12, "{spelling}: {said}");
            }
        }
    }

    #[test]
    fn ordinary_words_are_left_alone() {
        for wordy in ["statuses", "production", "SignedHeaders", "powerautomate", "argo-cd", "com.amazon.coral.service"]
        {
            assert!(is_wordy(wordy), "{wordy}");
        }
        for token in
            ["AbCdEfGh", "0123456789", "xoxb-1-a", "abcdefghijklmnopqrstuvwxyz", "T0ken", "hunter22", "a--b", ""]
        {
            assert!(!is_wordy(token), "{token}");
        }
        let mut redactor =
            Redactor::new(&[Secret::new("production"), Secret::new("https://h.test/statuses/acme-shop/t0ken-0123")]);
        redactor.add_suspect(&Secret::new("AWS4-HMAC-SHA256 Credential=AKIA0123/x, Signature=0123abcdef"));
        let said = "the Signature of repos: statuses of acme-shop, t0ken-0123, 0123abcdef, production";
        assert_eq!(redactor.clean(said), "the Signature of repos: statuses of acme-shop, ****, ****, ****");
    }

    #[test]
    fn an_address_hides_its_path_and_query() {
        let redactor = Redactor::new(&[Secret::new("https://h.test/hook/0123456789?key=abcdefgh")]);
        assert_eq!(redactor.clean("h.test: no hook 0123456789, key abcdefgh"), "h.test: no hook ****, key ****");
    }
}
