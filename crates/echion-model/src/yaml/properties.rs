//! Tags and directives.

use super::YamlError;
use super::scanner::{Scanner, TokenKind, error};

impl Scanner<'_> {
    pub(super) fn scan_directive(&mut self) -> Result<TokenKind, YamlError> {
        let start = self.text.mark;
        self.text.skip();
        let name = self.text.read_word();
        if !self.text.at_space_or_end(0) {
            return Err(error(start, "a directive is `%YAML` or `%TAG`"));
        }
        self.text.skip_blanks();
        let directive = match name.as_str() {
            "YAML" => {
                let major = self.version_number()?;
                if self.text.byte(0) != b'.' {
                    return Err(error(start, "`%YAML` takes a version such as 1.1"));
                }
                self.text.skip();
                TokenKind::Version(major, self.version_number()?)
            }
            "TAG" => {
                let handle = self.tag_handle(true)?;
                if !self.text.at_blank(0) {
                    return Err(error(start, "`%TAG` takes a handle and a prefix"));
                }
                self.text.skip_blanks();
                let prefix = self.tag_text("")?;
                if !self.text.at_space_or_end(0) {
                    return Err(error(start, "`%TAG` takes a handle and a prefix"));
                }
                TokenKind::TagPrefix { handle, prefix }
            }
            _ => return Err(error(start, "a directive is `%YAML` or `%TAG`")),
        };
        self.text.skip_blanks();
        self.text.skip_comment();
        if !self.text.at_break_or_end(0) {
            return Err(error(start, "a directive ends with its line"));
        }
        self.text.skip_break();
        Ok(directive)
    }

    fn version_number(&mut self) -> Result<u32, YamlError> {
        let start = self.text.mark;
        let mut digits = String::new();
        while self.text.byte(0).is_ascii_digit() && digits.len() < 3 {
            self.text.read(&mut digits);
        }
        let number = if digits.len() < 3 { digits.parse().ok() } else { None };
        number.ok_or_else(|| error(start, "`%YAML` takes a version such as 1.1"))
    }

    pub(super) fn scan_tag(&mut self) -> Result<TokenKind, YamlError> {
        let start = self.text.mark;
        let (handle, suffix) = if self.text.byte(1) == b'<' {
            self.text.skip_many(2);
            let suffix = self.tag_text("")?;
            if self.text.byte(0) != b'>' {
                return Err(error(start, "a tag that begins with `!<` ends with `>`"));
            }
            self.text.skip();
            (String::new(), suffix)
        } else {
            let handle = self.tag_handle(false)?;
            if handle.len() > 1 && handle.ends_with('!') {
                let suffix = self.tag_text("")?;
                (handle, suffix)
            } else {
                match self.tag_text(&handle)? {
                    suffix if suffix.is_empty() => (String::new(), "!".to_owned()),
                    suffix => ("!".to_owned(), suffix),
                }
            }
        };
        if !self.text.at_space_or_end(0) {
            return Err(error(start, "a tag is followed by a blank"));
        }
        Ok(TokenKind::Tag { handle, suffix })
    }

    fn tag_handle(&mut self, directive: bool) -> Result<String, YamlError> {
        let start = self.text.mark;
        if self.text.byte(0) != b'!' {
            return Err(error(start, "a tag begins with `!`"));
        }
        self.text.skip();
        let mut handle = format!("!{}", self.text.read_word());
        if self.text.byte(0) == b'!' {
            self.text.read(&mut handle);
        } else if directive && handle != "!" {
            return Err(error(start, "the handle of a tag ends with `!`"));
        }
        Ok(handle)
    }

    /// What follows a handle. The handle itself may have been the beginning of it.
    fn tag_text(&mut self, head: &str) -> Result<String, YamlError> {
        let start = self.text.mark;
        let mut bytes = head.get(1..).unwrap_or_default().as_bytes().to_vec();
        let mut found = !head.is_empty();
        loop {
            match self.text.byte(0) {
                b'%' => self.escaped(&mut bytes)?,
                c if c.is_ascii_alphanumeric() || b"-_;/?:@&=+$,.!~*'()[]".contains(&c) => {
                    bytes.push(c);
                    self.text.skip();
                }
                _ => break,
            }
            found = true;
        }
        if !found {
            return Err(error(start, "a tag needs a name"));
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// A character that is written as `%C3%A4`.
    fn escaped(&mut self, bytes: &mut Vec<u8>) -> Result<(), YamlError> {
        let start = self.text.mark;
        let mut left = 0;
        loop {
            let digit = |c: u8| char::from(c).to_digit(16);
            let digits = digit(self.text.byte(1)).zip(digit(self.text.byte(2))).filter(|_| self.text.byte(0) == b'%');
            let Some((high, low)) = digits else { return Err(error(start, "`%` takes two hexadecimal digits")) };
            let octet = (high << 4 | low) as u8;
            left = match (left, octet) {
                (0, 0..=0x7F) => 0,
                (0, 0xC0..=0xDF) => 1,
                (0, 0xE0..=0xEF) => 2,
                (0, 0xF0..=0xF7) => 3,
                (1.., 0x80..=0xBF) => left - 1,
                _ => return Err(error(start, "`%` takes the bytes of UTF-8")),
            };
            bytes.push(octet);
            self.text.skip_many(3);
            if left == 0 {
                return Ok(());
            }
        }
    }
}
