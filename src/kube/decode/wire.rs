//! The protobuf wire format (Protocol Buffers documentation, "Encoding").

/// The value of one field as it stands on the wire.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(&'a [u8]),
}

impl Value<'_> {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Value::Varint(_) => "a varint",
            Value::Fixed64(_) => "a 64-bit value",
            Value::Fixed32(_) => "a 32-bit value",
            Value::Bytes(_) => "a length-delimited value",
        }
    }
}

/// Reads a message field by field.
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    /// The next field's number and value, or `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<(u32, Value<'a>)>, String> {
        let Some(tag) = self.varint()? else { return Ok(None) };
        let number = u32::try_from(tag >> 3).ok().filter(|number| *number > 0).ok_or("a field number out of range")?;
        let value = match tag & 7 {
            0 => Value::Varint(self.varint()?.ok_or(TRUNCATED)?),
            1 => Value::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = self.varint()?.ok_or(TRUNCATED)?;
                Value::Bytes(self.take(usize::try_from(length).map_err(|_| TRUNCATED)?)?)
            }
            5 => Value::Fixed32(u32::from_le_bytes(self.array()?)),
            other => return Err(format!("wire type {other} of field {number}")),
        };
        Ok(Some((number, value)))
    }

    /// The next varint, or `None` at the end.
    pub(super) fn varint(&mut self) -> Result<Option<u64>, String> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let mut value = 0;
        for shift in (0..70).step_by(7) {
            let (byte, rest) = self.rest.split_first().ok_or(TRUNCATED)?;
            self.rest = rest;
            // The tenth byte has room for one bit; more is cut off, as every decoder does.
            value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or_default();
            if byte & 0x80 == 0 {
                return Ok(Some(value));
            }
        }
        Err("a varint of more than ten bytes".into())
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(TRUNCATED)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        self.take(N)?.try_into().map_err(|_| TRUNCATED.into())
    }
}

const TRUNCATED: &str = "unexpected end of the message";

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fields_of_every_wire_type() {
        // Protocol Buffers documentation, "Encoding": 08 96 01 is field 1 = 150; 12 07 testing is field 2.
        let mut reader = Reader::new(b"\x08\x96\x01\x12\x07testing\x1d\x01\0\0\0\x21\x02\0\0\0\0\0\0\0");
        assert_eq!(reader.next(), Ok(Some((1, Value::Varint(150)))));
        assert_eq!(reader.next(), Ok(Some((2, Value::Bytes(b"testing")))));
        assert_eq!(reader.next(), Ok(Some((3, Value::Fixed32(1)))));
        assert_eq!(reader.next(), Ok(Some((4, Value::Fixed64(2)))));
        assert_eq!(reader.next(), Ok(None));
    }

    #[test]
    fn a_negative_number_takes_ten_bytes() {
        let mut reader = Reader::new(b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
        assert_eq!(reader.next(), Ok(Some((1, Value::Varint(u64::MAX)))));
    }

    #[test]
    fn what_is_cut_off_is_an_error() {
        for bytes in [
            &b"\x08"[..],
            b"\x08\x80",
            b"\x12\x07test",
            b"\x1d\x01",
            b"\x0b",
            b"\x00\x01",
            b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        ] {
            assert!(Reader::new(bytes).next().is_err(), "{bytes:x?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let mut reader = Reader::new(&bytes);
            while let Ok(Some(_)) = reader.next() {}
        }
    }
}
