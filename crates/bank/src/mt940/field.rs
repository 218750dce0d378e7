//! MT940 as fields: `:61:` with everything up to the next tag.

use std::io::BufRead;

use crate::{
    error::{BankFileError, Fault, FaultKind, Position, excerpt},
    input::Input,
    limits::FIELD_LINES_MAX,
};

/// A field with its continuation lines.
#[derive(Debug)]
pub(crate) struct Field {
    /// `61`, `60F`, `NS`.
    pub(crate) tag: String,
    /// Content without the tag; lines are joined with a line feed.
    pub(crate) text: String,
    pub(crate) position: Position,
}

/// Cuts lines into fields and drops the SWIFT envelope around them.
pub(crate) struct Fields<R> {
    input: Input<R>,
    line: Vec<u8>,
    /// The first line of the next field, read to find the end of the one before.
    next: Option<Field>,
    is_at_end: bool,
}

impl<R: BufRead> Fields<R> {
    pub(crate) fn new(mut input: Input<R>) -> Result<Self, BankFileError> {
        input.skip_bom()?;
        Ok(Self { input, line: Vec::new(), next: None, is_at_end: false })
    }

    pub(crate) fn position(&self) -> Position {
        self.input.position()
    }

    /// The next field, once the line that ends it was seen; `None` at the end of the file.
    ///
    /// A field that the end of the file cuts off is refused: its amount or text may be incomplete. Only a closing
    /// balance may be last, because the statement is checked against it.
    pub(crate) fn next(&mut self) -> Result<Option<Field>, BankFileError> {
        let mut field = self.next.take();
        let mut line_count = 1;
        loop {
            let position = self.input.position();
            if self.is_at_end || !self.input.read_line(&mut self.line)? {
                self.is_at_end = true;
                return Ok(field);
            }
            let line = decode(&self.line).map_err(|fault| fault.at(position, ""))?;
            let content = without_envelope(&line).map_err(|fault| fault.at(position, ""))?;
            let is_boundary = content.is_none();
            let line = content.unwrap_or_default();
            match (split_tag(line), &mut field) {
                (Some((tag, text)), field) => {
                    let begun = Field { tag: tag.to_owned(), text: text.to_owned(), position };
                    match field.take() {
                        Some(complete) => {
                            self.next = Some(begun);
                            return Ok(Some(complete));
                        }
                        None => *field = Some(begun),
                    }
                }
                (None, None) if is_boundary || line.trim().is_empty() => {}
                (None, None) => {
                    let problem = format!("{} stands before the first tag", excerpt(line));
                    let advice = "Send an MT940 statement that begins with :20:.";
                    return Err(Fault::new(FaultKind::Syntax, problem, advice).at(position, ""));
                }
                (None, Some(_)) if is_boundary => return Ok(field),
                (None, Some(_)) if line.trim().is_empty() => {}
                (None, Some(field)) => {
                    line_count += 1;
                    if line_count > FIELD_LINES_MAX {
                        let problem = format!("the field has more than {FIELD_LINES_MAX} lines");
                        let fault = Fault::new(FaultKind::Limit, problem, "Check that every field has its tag.");
                        return Err(fault.at(position, format!(":{}:", field.tag)));
                    }
                    field.text.push('\n');
                    field.text.push_str(line);
                }
            }
        }
    }
}

/// SWIFT's own character set is ASCII; banks send UTF-8 or, in older systems, Windows-1252.
fn decode(line: &[u8]) -> Result<std::borrow::Cow<'_, str>, Fault> {
    let text = match std::str::from_utf8(line) {
        Ok(text) => text.into(),
        Err(_) => encoding_rs::WINDOWS_1252.decode_without_bom_handling(line).0,
    };
    match text.chars().find(|c| c.is_ascii_control() && !matches!(c, '\t' | '\x01' | '\x03')) {
        None => Ok(text),
        Some(control) => {
            let problem = format!("the line holds the character U+{:04X}", u32::from(control));
            Err(Fault::new(FaultKind::Encoding, problem, "Send a text file without control characters."))
        }
    }
}

/// Takes `{1:…}{2:…}{4:` from the front; `None` for a line that only begins or ends a message.
///
/// Source: SWIFT user header blocks; block 2 names the message type.
fn without_envelope(line: &str) -> Result<Option<&str>, Fault> {
    let line = line.trim_start_matches(['\x01', '\x03']);
    if line.starts_with("-}") || line.trim_end() == "-" {
        return Ok(None);
    }
    if !line.starts_with('{') {
        return Ok(Some(line));
    }
    if let Some((_, header)) = line.split_once("{2:") {
        let message_type: String = header.chars().skip(1).take(3).collect();
        if message_type != "940" {
            let problem = format!("the message is an MT{message_type}");
            return Err(Fault::new(FaultKind::Unsupported, problem, "Send the customer statement, MT940."));
        }
    }
    Ok(line.split_once("{4:").map(|(_, text)| text).filter(|text| !text.is_empty()))
}

/// `:61:…` to `("61", …)`: two letters or digits, and an optional letter.
fn split_tag(line: &str) -> Option<(&str, &str)> {
    let (tag, text) = line.strip_prefix(':')?.split_once(':')?;
    let bytes = tag.as_bytes();
    let shaped = matches!(bytes.len(), 2 | 3) && bytes.iter().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase());
    shaped.then_some((tag, text))
}
