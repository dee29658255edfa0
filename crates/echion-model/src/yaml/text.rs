//! The characters of a YAML text, and where one is in it.

/// A place in a text: bytes, characters, line and column, all from 0.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mark {
    offset: usize,
    pub(super) index: usize,
    pub(super) line: usize,
    pub(super) column: usize,
}

/// A text that is read from its beginning to its end.
pub(super) struct Text<'a> {
    bytes: &'a [u8],
    pub(super) mark: Mark,
}

impl<'a> Text<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { bytes: text.as_bytes(), mark: Mark::default() }
    }

    /// The byte that is so many bytes ahead; 0 at the end, which no text holds.
    pub(super) fn byte(&self, ahead: usize) -> u8 {
        self.bytes.get(self.mark.offset + ahead).copied().unwrap_or(0)
    }

    pub(super) fn at(&self, word: &str) -> bool {
        self.bytes.get(self.mark.offset..).is_some_and(|rest| rest.starts_with(word.as_bytes()))
    }

    pub(super) fn at_end(&self, ahead: usize) -> bool {
        self.mark.offset + ahead >= self.bytes.len()
    }

    /// A blank or a tab.
    pub(super) fn at_blank(&self, ahead: usize) -> bool {
        matches!(self.byte(ahead), b' ' | b'\t')
    }

    /// YAML 1.1 has more line breaks than 1.2: NEL, LS and PS.
    pub(super) fn at_break(&self, ahead: usize) -> bool {
        match self.byte(ahead) {
            b'\r' | b'\n' => true,
            0xC2 => self.byte(ahead + 1) == 0x85,
            0xE2 => self.byte(ahead + 1) == 0x80 && matches!(self.byte(ahead + 2), 0xA8 | 0xA9),
            _ => false,
        }
    }

    pub(super) fn at_break_or_end(&self, ahead: usize) -> bool {
        self.at_end(ahead) || self.at_break(ahead)
    }

    pub(super) fn at_space_or_end(&self, ahead: usize) -> bool {
        self.at_blank(ahead) || self.at_break_or_end(ahead)
    }

    /// `---` or `...` in a line of its own.
    pub(super) fn at_document_marker(&self) -> bool {
        self.mark.column == 0 && (self.at("---") || self.at("...")) && self.at_space_or_end(3)
    }

    /// Skips a character.
    pub(super) fn skip(&mut self) {
        let width = match self.byte(0) {
            0..=0x7F => 1,
            0x80..=0xDF => 2,
            0xE0..=0xEF => 3,
            _ => 4,
        };
        self.mark.offset = (self.mark.offset + width).min(self.bytes.len());
        self.mark.index += 1;
        self.mark.column += 1;
    }

    pub(super) fn skip_many(&mut self, count: usize) {
        (0..count).for_each(|_| self.skip());
    }

    /// Moves a character into `out`.
    pub(super) fn read(&mut self, out: &mut String) {
        let start = self.mark.offset;
        self.skip();
        let read = self.bytes.get(start..self.mark.offset).unwrap_or_default();
        out.push_str(std::str::from_utf8(read).unwrap_or_default());
    }

    /// Moves a line break into `out`, if there is one. Most become a line feed; LS and PS stay what they are.
    pub(super) fn read_break(&mut self, out: &mut String) {
        if !self.at_break(0) {
            return;
        }
        if self.byte(0) == 0xE2 {
            self.read(out);
        } else {
            if self.at("\r\n") {
                self.skip();
            }
            self.skip();
            out.push('\n');
        }
        self.mark.line += 1;
        self.mark.column = 0;
    }

    pub(super) fn skip_break(&mut self) {
        self.read_break(&mut String::new());
    }

    pub(super) fn skip_blanks(&mut self) {
        while self.at_blank(0) {
            self.skip();
        }
    }

    /// Skips a comment, up to the end of its line.
    pub(super) fn skip_comment(&mut self) {
        if self.byte(0) == b'#' {
            while !self.at_break_or_end(0) {
                self.skip();
            }
        }
    }

    /// Moves letters, digits, `-` and `_` into a name.
    pub(super) fn read_word(&mut self) -> String {
        let mut word = String::new();
        while self.byte(0).is_ascii_alphanumeric() || matches!(self.byte(0), b'-' | b'_') {
            self.read(&mut word);
        }
        word
    }
}
