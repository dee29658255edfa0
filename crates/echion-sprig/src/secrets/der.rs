//! As much of DER as keys and certificates need.

pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OID: u8 = 0x06;
pub(super) const UTF8: u8 = 0x0c;
pub(super) const PRINTABLE: u8 = 0x13;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;
/// `[n]` of parts, and `[n]` of bytes.
pub(super) const CONTEXT: u8 = 0xa0;
pub(super) const CONTEXT_BYTES: u8 = 0x80;

/// A value with its tag and length.
pub(super) fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let length = content.len().to_be_bytes();
    if let (true, Ok(short)) = (content.len() < 0x80, u8::try_from(content.len())) {
        out.push(short);
    } else {
        let digits: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
        out.push(0x80 | u8::try_from(digits.len()).unwrap_or_default());
        out.extend(digits);
    }
    out.extend_from_slice(content);
    out
}

/// Parts in a row under one tag.
pub(super) fn of(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    tagged(tag, &parts.concat())
}

/// A whole number that is not negative, from its bytes.
pub(super) fn integer(bytes: &[u8]) -> Vec<u8> {
    let mut digits: Vec<u8> = bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
    if digits.first().is_none_or(|byte| *byte >= 0x80) {
        digits.insert(0, 0);
    }
    tagged(INTEGER, &digits)
}

/// Whole bytes as a bit string.
pub(super) fn bits(bytes: &[u8]) -> Vec<u8> {
    let mut content = vec![0];
    content.extend_from_slice(bytes);
    tagged(BIT_STRING, &content)
}

/// One value of a text in DER.
#[derive(Clone, Copy)]
pub(super) struct Element<'a> {
    pub(super) tag: u8,
    pub(super) content: &'a [u8],
    /// With tag and length.
    pub(super) whole: &'a [u8],
}

/// Takes the first value off.
pub(super) fn take<'a>(input: &mut &'a [u8]) -> Option<Element<'a>> {
    let [tag, first, rest @ ..] = *input else { return None };
    let (length, rest) = if *first < 0x80 {
        (usize::from(*first), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        if digits.is_empty() || digits.len() > 4 {
            return None;
        }
        (digits.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
    };
    let (content, after) = rest.split_at_checked(length)?;
    let whole = input.get(..input.len() - after.len())?;
    *input = after;
    Some(Element { tag: *tag, content, whole })
}

/// Takes the first value off, which must have that tag.
pub(super) fn expect<'a>(input: &mut &'a [u8], tag: u8) -> Option<Element<'a>> {
    take(input).filter(|element| element.tag == tag)
}
