//! Values as ClickHouse's `RowBinary` has them, one behind another, no names and no types.

/// Writes values at the end of a buffer.
pub(super) struct Cells<'a>(pub(super) &'a mut Vec<u8>);

impl Cells<'_> {
    pub(super) fn flag(&mut self, flag: bool) {
        self.0.push(flag.into());
    }

    pub(super) fn u16(&mut self, number: u16) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    pub(super) fn u32(&mut self, number: u32) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    pub(super) fn u64(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    pub(super) fn i64(&mut self, number: i64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    pub(super) fn f64(&mut self, number: f64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    pub(super) fn maybe_u16(&mut self, number: Option<u16>) {
        self.0.push(number.is_none().into());
        if let Some(number) = number {
            self.u16(number);
        }
    }

    pub(super) fn maybe_u64(&mut self, number: Option<u64>) {
        self.0.push(number.is_none().into());
        if let Some(number) = number {
            self.u64(number);
        }
    }

    pub(super) fn maybe_i64(&mut self, number: Option<i64>) {
        self.maybe_u64(number.map(|number| number as u64));
    }

    /// A text or body; also of limited kinds (`LowCardinality`), which are shipped alike.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// A text, or nothing, which is the empty text.
    pub(super) fn maybe(&mut self, text: Option<&str>) {
        self.text(text.unwrap_or_default());
    }

    pub(super) fn list(&mut self, texts: &[impl AsRef<str>]) {
        self.length(texts.len());
        for text in texts {
            self.text(text.as_ref());
        }
    }

    /// Bytes of a fixed number.
    pub(super) fn fixed<const N: usize>(&mut self, bytes: [u8; N]) {
        self.0.extend_from_slice(&bytes);
    }

    /// An id as a `UUID`: two halves, each with its last byte first.
    pub(super) fn uuid(&mut self, bytes: [u8; 16]) {
        let bits = u128::from_be_bytes(bytes);
        self.u64((bits >> 64) as u64);
        self.u64(bits as u64);
    }

    /// An id as text with its dashes, or the empty text.
    pub(super) fn id_text(&mut self, bytes: Option<[u8; 16]>) {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let Some(bytes) = bytes else { return self.length(0) };
        self.length(36);
        for (n, byte) in bytes.into_iter().enumerate() {
            if matches!(n, 4 | 6 | 8 | 10) {
                self.0.push(b'-');
            }
            self.0.push(DIGITS[usize::from(byte >> 4)]);
            self.0.push(DIGITS[usize::from(byte & 15)]);
        }
    }

    /// How long what follows is, seven bits at a time.
    pub(super) fn length(&mut self, mut length: usize) {
        while length >= 0x80 {
            self.0.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        self.0.push(length as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Cells<'_>)) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut Cells(&mut out));
        out
    }

    #[test]
    fn lengths_take_seven_bits_to_a_byte() {
        assert_eq!(written(|cells| cells.text("")), [0]);
        assert_eq!(written(|cells| cells.text("ö")), [2, 0xc3, 0xb6]);
        assert_eq!(written(|cells| cells.length(300)), [0xac, 2]);
        assert_eq!(written(|cells| cells.list(&["a", ""])), [2, 1, b'a', 0]);
    }

    #[test]
    fn what_is_unknown_is_null_and_what_is_absent_is_empty() {
        assert_eq!(written(|cells| cells.maybe_u16(None)), [1]);
        assert_eq!(written(|cells| cells.maybe_u16(Some(258))), [0, 2, 1]);
        assert_eq!(written(|cells| cells.maybe_i64(Some(-1))), [0, 255, 255, 255, 255, 255, 255, 255, 255]);
        assert_eq!(written(|cells| cells.maybe(None)), [0]);
        assert_eq!(written(|cells| cells.id_text(None)), [0]);
    }

    #[test]
    fn ids_are_two_halves_or_text_with_dashes() {
        let id: [u8; 16] = std::array::from_fn(|n| n as u8);
        assert_eq!(written(|cells| cells.uuid(id)), [7, 6, 5, 4, 3, 2, 1, 0, 15, 14, 13, 12, 11, 10, 9, 8]);
        assert_eq!(&written(|cells| cells.id_text(Some(id)))[1..], b"00010203-0405-0607-0809-0a0b0c0d0e0f");
    }
}
