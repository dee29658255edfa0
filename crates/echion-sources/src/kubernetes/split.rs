//! Takes lists and watches apart as they arrive, so that memory never holds more than one object.

use serde::Deserialize;

/// The largest object that is read. What etcd stores is a tenth of it.
pub(crate) const LARGEST: usize = 16 << 20;

/// A buffer that once held a large object is not kept larger than this.
const KEPT: usize = 1 << 20;

/// Received bytes that are not consumed yet.
#[derive(Default)]
struct Buffer {
    bytes: Vec<u8>,
    /// Where the token begins that is being scanned; everything before it is consumed.
    start: usize,
    /// Everything before it is scanned.
    at: usize,
}

impl Buffer {
    fn push(&mut self, chunk: &[u8]) {
        self.bytes.drain(..self.start);
        self.at -= self.start;
        self.start = 0;
        if self.bytes.capacity() > KEPT && self.bytes.len() < KEPT / 2 {
            self.bytes.shrink_to(KEPT / 2);
        }
        self.bytes.extend_from_slice(chunk);
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// What was scanned since `start`; it is consumed.
    fn take(&mut self) -> &[u8] {
        let token = self.bytes.get(self.start..self.at).unwrap_or_default();
        self.start = self.at;
        token
    }

    fn scanned(&self) -> usize {
        self.at - self.start
    }
}

/// The fields of a list other than its items.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    /// The kind of the list, such as `PodList`; empty as long as it has not been read.
    pub(crate) kind: String,
    /// The version from which a watch continues.
    pub(crate) version: String,
    /// Where the next page begins; empty on the last one.
    pub(crate) next: String,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(rename = "resourceVersion", default)]
    version: String,
    #[serde(rename = "continue", default)]
    next: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the opening brace.
    Start,
    /// Before a key, or the closing brace.
    Key,
    /// Inside a key.
    InKey,
    /// Before the colon.
    Colon,
    /// Before a value.
    Value,
    /// Inside a value.
    InValue,
    /// Between items.
    Items,
    /// Inside an item.
    InItem,
    /// Behind the closing brace.
    End,
}

/// Reads `{"metadata": …, "items": [ … ]}` item by item, whatever comes first.
pub(crate) struct ListReader {
    buffer: Buffer,
    state: State,
    key: String,
    depth: usize,
    string: bool,
    escaped: bool,
    items: bool,
    head: Head,
    largest: usize,
}

impl ListReader {
    pub(crate) fn new(largest: usize) -> Self {
        Self {
            buffer: Buffer::default(),
            state: State::Start,
            key: String::new(),
            depth: 0,
            string: false,
            escaped: false,
            items: false,
            head: Head::default(),
            largest,
        }
    }

    pub(crate) fn push(&mut self, chunk: &[u8]) {
        self.buffer.push(chunk);
    }

    /// The fields other than the items, as far as they have been read.
    pub(crate) fn head(&self) -> &Head {
        &self.head
    }

    /// The text of the next item; `None` when more bytes are needed.
    pub(crate) fn next(&mut self) -> Result<Option<&[u8]>, String> {
        while self.state != State::InItem || !self.scan()? {
            if self.state == State::InItem || !self.advance()? {
                return Ok(None);
            }
        }
        self.state = State::Items;
        Ok(Some(self.buffer.take()))
    }

    /// The fields other than the items, once all bytes have been pushed and all items taken.
    pub(crate) fn finish(self) -> Result<Head, String> {
        if self.state != State::End {
            return Err("the list ended in the middle".to_owned());
        }
        if !self.items {
            return Err("the answer has no `items`".to_owned());
        }
        if self.head.version.is_empty() {
            return Err("the list has no `resourceVersion`".to_owned());
        }
        Ok(self.head)
    }

    /// One step outside of items; `false` when more bytes are needed.
    fn advance(&mut self) -> Result<bool, String> {
        if matches!(self.state, State::InKey | State::InValue) {
            if !self.scan()? {
                return Ok(false);
            }
            let garbage = |error: serde_json::Error| format!("the list is not valid JSON: {error}");
            let token = self.buffer.take();
            if self.state == State::InKey {
                self.key = serde_json::from_slice(token).map_err(garbage)?;
                self.state = State::Colon;
                return Ok(true);
            }
            match self.key.as_str() {
                "kind" => self.head.kind = serde_json::from_slice(token).map_err(garbage)?,
                "metadata" => {
                    let metadata: Metadata = serde_json::from_slice(token).map_err(garbage)?;
                    self.head.version = metadata.version;
                    self.head.next = metadata.next.unwrap_or_default();
                }
                // A list of nothing may be written as null.
                "items" if token == b"null" => self.items = true,
                "items" => return Err("`items` is not a list".to_owned()),
                _ => {}
            }
            self.state = State::Key;
            return Ok(true);
        }
        while self.buffer.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.buffer.at += 1;
        }
        let Some(byte) = self.buffer.peek() else {
            self.buffer.take();
            return Ok(false);
        };
        // The bytes of values and of opening quotes belong to the token that begins with them.
        self.state = match (self.state, byte) {
            (State::Value, b'[') if self.key == "items" => {
                self.items = true;
                self.buffer.at += 1;
                State::Items
            }
            (State::Key, b'"') => State::InKey,
            (State::Value, _) => State::InValue,
            (State::Items, b'{') => State::InItem,
            (State::Start, b'{') | (State::Key, b',') | (State::Items, b']') => {
                self.buffer.at += 1;
                State::Key
            }
            (State::Items, b',') => {
                self.buffer.at += 1;
                State::Items
            }
            (State::Colon, b':') => {
                self.buffer.at += 1;
                State::Value
            }
            (State::Key, b'}') => {
                self.buffer.at += 1;
                State::End
            }
            _ => {
                let rest = self.buffer.bytes.get(self.buffer.at..).unwrap_or_default();
                let rest = String::from_utf8_lossy(rest.get(..60).unwrap_or(rest));
                return Err(format!("the answer is not a list of objects, at `{}`", rest.trim_end()));
            }
        };
        self.buffer.take();
        Ok(true)
    }

    /// Scans a value to its end; `false` when more bytes are needed. What is in it is not judged here.
    fn scan(&mut self) -> Result<bool, String> {
        while let Some(byte) = self.buffer.peek() {
            if self.string {
                self.buffer.at += 1;
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.string = false,
                    _ => {}
                }
                if !self.string && self.depth == 0 {
                    return Ok(true);
                }
                continue;
            }
            match byte {
                b'"' => self.string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' if self.depth > 0 => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        self.buffer.at += 1;
                        return Ok(true);
                    }
                }
                // A number, `true`, `false` or `null` ends where something else begins.
                b'}' | b']' | b',' | b' ' | b'\t' | b'\r' | b'\n' if self.depth == 0 => return Ok(true),
                _ => {}
            }
            self.buffer.at += 1;
        }
        if self.buffer.scanned() > self.largest {
            return Err(format!("an object in the list is larger than {} bytes", self.largest));
        }
        Ok(false)
    }
}

/// Reads lines.
#[derive(Default)]
pub(crate) struct LineReader(Buffer);

impl LineReader {
    pub(crate) fn push(&mut self, chunk: &[u8]) {
        self.0.push(chunk);
    }

    /// The next line that is not empty; `None` when more bytes are needed.
    pub(crate) fn next(&mut self, largest: usize) -> Result<Option<&[u8]>, String> {
        loop {
            let rest = self.0.bytes.get(self.0.at..).unwrap_or_default();
            let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
                self.0.at = self.0.bytes.len();
                if self.0.scanned() > largest {
                    return Err(format!("an event is larger than {largest} bytes"));
                }
                return Ok(None);
            };
            self.0.at += end + 1;
            if self.0.scanned() > 1 {
                return Ok(Some(self.0.take()));
            }
            self.0.take();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> Result<(Vec<String>, Head), String> {
        let (mut reader, mut items) = (ListReader::new(1 << 10), Vec::new());
        for chunk in chunks {
            reader.push(chunk);
            while let Some(item) = reader.next()? {
                items.push(String::from_utf8(item.to_vec()).unwrap());
            }
        }
        Ok((items, reader.finish()?))
    }

    const ITEMS: [&str; 3] = [r#"{"a":"}]\"\\","b":[{"c":[]},"{"]}"#, r"{}", r#"{"items":[{"x":1}],"metadata":{}}"#];

    #[test]
    fn a_list_is_the_same_whatever_comes_first_and_wherever_it_is_split() {
        let items = ITEMS.join(" , \n");
        let metadata = r#""metadata":{"resourceVersion":"7","continue":"to\"ken","remainingItemCount":2}"#;
        for text in [
            format!(r#"{{"kind":"PodList","apiVersion":"v1",{metadata},"items":[{items}]}}"#),
            format!("{{\"items\" : [ {items} ] , \"x\":12,\"y\":null, {metadata},\"kind\":\"PodList\"}}\n"),
        ] {
            for at in 0..=text.len() {
                let (left, right) = text.as_bytes().split_at(at);
                let (items, head) = read([left, right].into_iter()).unwrap_or_else(|e| panic!("{at}: {e}"));
                assert_eq!(items, ITEMS);
                assert_eq!(head, Head { kind: "PodList".into(), version: "7".into(), next: "to\"ken".into() });
            }
            assert_eq!(read(text.as_bytes().chunks(1)).unwrap().0, ITEMS);
            for at in 0..text.trim_end().len() {
                assert!(read([&text.as_bytes()[..at]].into_iter()).is_err(), "{at}");
            }
        }
    }

    #[test]
    fn a_list_of_nothing_is_a_list_and_other_answers_are_none() {
        for items in ["[]", "null", "[ ]"] {
            let text = format!(r#"{{"metadata":{{"resourceVersion":"1"}},"items":{items}}}"#);
            assert_eq!(read([text.as_bytes()].into_iter()).unwrap().0.len(), 0, "{items}");
        }
        for (text, expected) in [
            ("<html>no</html>", "the answer is not a list of objects, at `<html>no</html>`"),
            (r#"{"kind":"Status","metadata":{}}"#, "the answer has no `items`"),
            (r#"{"items":[]}"#, "the list has no `resourceVersion`"),
            (r#"{"items":[1]}"#, "the answer is not a list of objects, at `1]}`"),
            (r#"{"items":{}}"#, "`items` is not a list"),
            (r#"{"items":[]} x"#, "the answer is not a list of objects, at `x`"),
            (r#"{"metadata":{]}"#, "the list is not valid JSON: key must be a string at line 1 column 2"),
            ("", "the list ended in the middle"),
        ] {
            assert_eq!(read([text.as_bytes()].into_iter()).map(|_| ()).unwrap_err(), expected, "{text}");
        }
    }

    #[test]
    fn of_a_large_list_no_more_is_held_than_one_item_and_one_chunk() {
        let item = format!(r#"{{"name":"{}"}},"#, "x".repeat(1000));
        let mut reader = ListReader::new(LARGEST);
        reader.push(br#"{"items":["#);
        let mut count = 0;
        for _ in 0..10_000 {
            reader.push(item.as_bytes());
            while let Some(item) = reader.next().unwrap() {
                assert_eq!(item.len(), 1011);
                count += 1;
            }
            assert!(reader.buffer.bytes.capacity() < 8192);
        }
        assert_eq!(count, 10_000);
    }

    #[test]
    fn an_item_that_is_too_large_ends_the_list_and_a_large_one_does_not_keep_its_memory() {
        let mut reader = ListReader::new(100);
        reader.push(br#"{"items":[{"a":""#);
        assert_eq!(reader.next(), Ok(None));
        reader.push(&[b'x'; 100]);
        assert_eq!(reader.next(), Err("an object in the list is larger than 100 bytes".to_owned()));

        let mut reader = ListReader::new(LARGEST);
        reader.push(br#"{"items":[{"a":""#);
        reader.push(&vec![b'x'; LARGEST - 100]);
        reader.push(br#""},{}"#);
        assert!(reader.next().unwrap().unwrap().len() > LARGEST - 100);
        assert_eq!(reader.next().unwrap().unwrap(), b"{}");
        reader.push(b"]");
        assert!(reader.buffer.bytes.capacity() <= KEPT);
    }

    #[test]
    fn lines_are_the_same_wherever_they_are_split() {
        let text = b"{\"a\":1}\n\n{\"b\":2}\r\n{\"cut";
        for at in 0..=text.len() {
            let (mut reader, mut lines) = (LineReader::default(), Vec::new());
            for chunk in [&text[..at], &text[at..]] {
                reader.push(chunk);
                while let Some(line) = reader.next(20).unwrap() {
                    lines.push(String::from_utf8_lossy(line).trim().to_owned());
                }
            }
            assert_eq!(lines, ["{\"a\":1}", "{\"b\":2}"]);
        }
        let mut reader = LineReader::default();
        reader.push(&[b'x'; 21]);
        assert!(reader.next(20).is_err());
    }
}
