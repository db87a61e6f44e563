//! A walk over the fields of one protobuf message, without decoding what they hold.

use prost::bytes::Buf as _;
use prost::encoding::{self, WireType};

use super::wire::Malformed;

/// A field's number, and what it holds when that is a message or a text.
type Field<'a> = (u32, Option<&'a [u8]>);

/// The fields of one message, in order. Ends after the first error.
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) const fn of(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    /// Only the messages (or texts) in field `number`; everything else is passed over.
    pub(super) fn messages(self, number: u32) -> impl Iterator<Item = Result<&'a [u8], Malformed>> {
        self.filter_map(move |field| match field {
            Ok((tag, Some(bytes))) => (tag == number).then_some(Ok(bytes)),
            Ok((_, None)) => None,
            Err(error) => Some(Err(error)),
        })
    }

    fn field(&mut self) -> Result<Field<'a>, Malformed> {
        let (tag, kind) = encoding::decode_key(&mut self.rest)?;
        let bytes = match kind {
            WireType::Varint => {
                encoding::decode_varint(&mut self.rest)?;
                return Ok((tag, None));
            }
            WireType::SixtyFourBit => 8,
            WireType::ThirtyTwoBit => 4,
            WireType::LengthDelimited => encoding::decode_varint(&mut self.rest)?,
            WireType::StartGroup | WireType::EndGroup => {
                return Err(Malformed("groups are not part of it".to_owned()));
            }
        };
        let length = usize::try_from(bytes).unwrap_or(usize::MAX);
        let Some(field) = self.rest.get(..length) else {
            return Err(Malformed("it ends in the middle of a field".to_owned()));
        };
        self.rest.advance(length);
        Ok((tag, (kind == WireType::LengthDelimited).then_some(field)))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}
