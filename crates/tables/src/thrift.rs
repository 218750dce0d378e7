//! Just enough of Thrift's compact protocol to look at a Parquet file's own description before trusting it.
//!
//! Source: thrift/doc/specs/thrift-compact-protocol.md of Apache Thrift.

/// Nesting of structures, lists and maps that is followed.
const MAX_DEPTH: u32 = 32;

const BOOL_TRUE: u8 = 1;
const BOOL_FALSE: u8 = 2;
pub(super) const LIST: u8 = 9;
const SET: u8 = 10;
const MAP: u8 = 11;
pub(super) const STRUCT: u8 = 12;

/// Reads values one after the other; every method gives nothing when the bytes end too early or make no sense.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'b> {
    bytes: &'b [u8],
    at: usize,
}

/// A field of a structure: its number and the type of its value, which comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) id: i64,
    pub(super) kind: u8,
}

impl<'b> Cursor<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bytes read so far.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn advance(&mut self, count: u64) -> Option<()> {
        let end = self.at.checked_add(usize::try_from(count).ok()?)?;
        (end <= self.bytes.len()).then(|| self.at = end)
    }

    fn unsigned(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..70).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7F).checked_shl(shift).unwrap_or(0);
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// A signed number of any width.
    pub(super) fn signed(&mut self) -> Option<i64> {
        let value = self.unsigned()?;
        let magnitude = i64::try_from(value >> 1).ok()?;
        Some(if value & 1 == 0 { magnitude } else { -magnitude - 1 })
    }

    /// The next field of a structure; `Some(None)` at its end. `previous` is the number of the field before, 0 at first.
    pub(super) fn field(&mut self, previous: i64) -> Option<Option<Field>> {
        let head = self.byte()?;
        if head == 0 {
            return Some(None);
        }
        let (delta, kind) = (i64::from(head >> 4), head & 0x0F);
        let id = if delta == 0 { self.signed()? } else { previous.checked_add(delta)? };
        Some(Some(Field { id, kind }))
    }

    /// The type and number of a list's elements.
    pub(super) fn list(&mut self) -> Option<(u8, u64)> {
        let head = self.byte()?;
        let short = u64::from(head >> 4);
        let count = if short == 15 { self.unsigned()? } else { short };
        // Each element takes a byte at least.
        (count <= self.bytes.len() as u64).then_some((head & 0x0F, count))
    }

    /// Passes over the value of a field.
    pub(super) fn skip(&mut self, kind: u8) -> Option<()> {
        if matches!(kind, BOOL_TRUE | BOOL_FALSE) {
            // The field's own type is the value.
            return Some(());
        }
        self.skip_value(kind, 0)
    }

    fn skip_value(&mut self, kind: u8, depth: u32) -> Option<()> {
        if depth > MAX_DEPTH {
            return None;
        }
        match kind {
            BOOL_TRUE | BOOL_FALSE | 3 => self.advance(1),
            4..=6 => self.unsigned().map(|_| ()),
            7 => self.advance(8),
            8 => {
                let length = self.unsigned()?;
                self.advance(length)
            }
            LIST | SET => {
                let (kind, count) = self.list()?;
                (0..count).try_for_each(|_| self.skip_value(kind, depth + 1))
            }
            MAP => {
                let count = self.unsigned()?;
                if count == 0 {
                    return Some(());
                }
                let kinds = self.byte()?;
                (0..count).try_for_each(|_| {
                    self.skip_value(kinds >> 4, depth + 1)?;
                    self.skip_value(kinds & 0x0F, depth + 1)
                })
            }
            STRUCT => {
                let mut previous = 0;
                while let Some(field) = self.field(previous)? {
                    previous = field.id;
                    if !matches!(field.kind, BOOL_TRUE | BOOL_FALSE) {
                        self.skip_value(field.kind, depth + 1)?;
                    }
                }
                Some(())
            }
            _ => None,
        }
    }
}
