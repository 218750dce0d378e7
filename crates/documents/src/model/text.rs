//! Texts that have room on a page and are allowed in XML.

use super::DocumentError;

/// A text: its field, what it says, how long it may be, whether it may be empty.
pub(crate) struct Text<'a> {
    field: String,
    text: &'a str,
    limit_chars: usize,
    required: bool,
}

impl<'a> Text<'a> {
    pub(crate) fn required(field: impl Into<String>, text: &'a str, limit_chars: usize) -> Self {
        Self { field: field.into(), text, limit_chars, required: true }
    }

    pub(crate) fn optional(field: impl Into<String>, text: &'a str, limit_chars: usize) -> Self {
        Self { field: field.into(), text, limit_chars, required: false }
    }

    pub(crate) fn check(self) -> Result<(), DocumentError> {
        let Self { field, text, limit_chars, required } = self;
        if required && text.trim().is_empty() {
            return Err(DocumentError::Empty { field });
        }
        if text.chars().count() > limit_chars {
            return Err(DocumentError::TooLong { field, limit_chars });
        }
        // Control characters are not allowed in XML and have no glyph.
        if text.chars().any(|c| (c.is_control() && c != '\n') || matches!(c, '\u{FFFE}' | '\u{FFFF}')) {
            return Err(DocumentError::ControlCharacter { field });
        }
        Ok(())
    }
}
