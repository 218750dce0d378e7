//! XML events with their place, without DTDs and entities, and with bounds on depth and size.

use std::io::BufRead;

use encoding_rs::Encoding;
use quick_xml::{
    NsReader,
    escape::resolve_predefined_entity,
    events::{BytesRef, BytesStart, Event},
    name::ResolveResult,
};

use super::tree::Tree;
use crate::{
    error::{BankFileError, Fault, FaultKind, Position, excerpt},
    input::Input,
    limits::{ELEMENT_DEPTH_MAX, SUBTREE_BYTES_MAX},
};

/// The XML declaration must fit in here.
const DECLARATION_BYTES_MAX: usize = 256;

/// What the reader stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token {
    /// An element begins: see [`Xml::name`].
    Start,
    /// Text of the innermost element.
    Text,
    /// The innermost element ends.
    End,
    /// The file ends and every element is closed.
    EndOfFile,
}

/// A pull reader that keeps the path and hides what ISO 20022 does not use.
pub(crate) struct Xml<R> {
    reader: NsReader<Input<R>>,
    buffer: Vec<u8>,
    path: Vec<Level>,
    /// Levels of `path` in use; the rest keep their buffers.
    depth: usize,
    namespace: String,
    text: String,
    currency: String,
    start: Position,
}

#[derive(Debug, Default)]
struct Level {
    name: String,
    /// Elements called `Stmt` or `Ntry` so far below this one: they are numbered in the path.
    numbered_children: u64,
    number: Option<u64>,
}

impl<R: BufRead> Xml<R> {
    pub(crate) fn new(mut input: Input<R>) -> Result<Self, BankFileError> {
        let start = input.peek(DECLARATION_BYTES_MAX)?;
        match charset(start).map_err(|fault| fault.at(Position { line: 1, byte: 0 }, ""))? {
            Some(encoding) => input.transcode_from(encoding),
            None => input.skip_bom()?,
        }
        let mut reader = NsReader::from_reader(input);
        reader.config_mut().expand_empty_elements = true;
        Ok(Self {
            reader,
            buffer: Vec::new(),
            path: Vec::new(),
            depth: 0,
            namespace: String::new(),
            text: String::new(),
            currency: String::new(),
            start: Position::default(),
        })
    }

    /// Elements around the reader, with the one that just began.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    /// Local name of the innermost element; empty when it is of another namespace than the message.
    pub(crate) fn name(&self) -> &str {
        self.path[..self.depth].last().map_or("", |level| level.name.as_str())
    }

    pub(crate) fn position(&self) -> Position {
        self.reader.get_ref().position()
    }

    /// Namespace of the element that just began; from `Document` on, of the message.
    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// An error at the place of the reader.
    pub(crate) fn fail(&self, fault: Fault) -> BankFileError {
        fault.at(self.start, self.path())
    }

    /// The elements around the reader, numbered where they repeat.
    pub(crate) fn path(&self) -> String {
        let names = self.path[..self.depth].iter().map(|level| match (level.name.as_str(), level.number) {
            ("", _) => "*".to_owned(),
            (name, Some(number)) => format!("{name}[{number}]"),
            (name, None) => name.to_owned(),
        });
        names.collect::<Vec<_>>().join("/")
    }

    pub(crate) fn next(&mut self) -> Result<Token, BankFileError> {
        loop {
            self.reader.get_mut().start_token();
            self.buffer.clear();
            self.start = self.position();
            if let Some(token) = self.next_event()? {
                return Ok(token);
            }
        }
    }

    fn next_event(&mut self) -> Result<Option<Token>, BankFileError> {
        let Self { reader, buffer, path, depth, namespace, text, currency, .. } = self;
        let outcome = match reader.read_resolved_event_into(buffer) {
            Ok((resolved, Event::Start(tag))) => {
                start_element(path, depth, namespace, &resolved, &tag).and_then(|()| {
                    read_currency(&tag, currency)?;
                    Ok(Some(Token::Start))
                })
            }
            Ok((_, Event::End(_))) => {
                *depth = depth.saturating_sub(1);
                Ok(Some(Token::End))
            }
            Ok((_, Event::Text(part))) => keep_text(text, &part),
            Ok((_, Event::CData(part))) => keep_text(text, &part),
            Ok((_, Event::GeneralRef(reference))) => resolve(&reference, text).map(|()| Some(Token::Text)),
            Ok((_, Event::DocType(_))) => Err(Fault::new(
                FaultKind::Unsupported,
                "the file has a document type declaration",
                "Remove <!DOCTYPE …>; entities are not expanded.",
            )),
            Ok((_, Event::Eof)) if *depth > 0 => Err(Fault::new(
                FaultKind::Truncated,
                "the file ends before its elements are closed",
                "Send the complete file.",
            )),
            Ok((_, Event::Eof)) => Ok(Some(Token::EndOfFile)),
            Ok((_, Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_))) => Ok(None),
            Err(quick_xml::Error::Io(error)) => return Err(reader.get_mut().io_error(&error)),
            Err(quick_xml::Error::Encoding(error)) => Err(Fault::new(
                FaultKind::Encoding,
                error.to_string(),
                "Send the file in UTF-8, or declare its character set in the first line.",
            )),
            Err(error) => Err(Fault::new(FaultKind::Syntax, error.to_string(), "Send well-formed XML.")),
        };
        outcome.map_err(|fault| self.fail(fault))
    }

    /// Reads the element that just began with everything below it.
    pub(crate) fn load(&mut self, tree: &mut Tree) -> Result<(), BankFileError> {
        tree.clear();
        tree.start(self.name(), &self.currency, self.start);
        while !tree.is_complete() {
            match self.next()? {
                Token::Start => tree.start(self.name(), &self.currency, self.start),
                Token::Text => tree.push_text(&self.text),
                Token::End => tree.end(),
                Token::EndOfFile => break,
            }
            if tree.size_bytes() > SUBTREE_BYTES_MAX {
                return Err(self.fail(Fault::new(
                    FaultKind::Limit,
                    format!("the element has more than {SUBTREE_BYTES_MAX} bytes"),
                    "Ask the bank to split large batches.",
                )));
            }
        }
        Ok(())
    }
}

/// The character set to transcode from, `None` for UTF-8.
fn charset(start: &[u8]) -> Result<Option<&'static Encoding>, Fault> {
    let unsupported = |name: &str| {
        let problem = format!("the character set {} is not read here", excerpt(name));
        Fault::new(FaultKind::Unsupported, problem, "Send the file in UTF-8 or ISO-8859-1.")
    };
    if start.starts_with(b"\xFF\xFE") || start.starts_with(b"\xFE\xFF") || start.starts_with(b"\0") {
        return Err(unsupported("UTF-16"));
    }
    let Some(declaration) = start.strip_prefix(b"<?xml") else { return Ok(None) };
    let declaration = String::from_utf8_lossy(declaration);
    let declaration = declaration.split_once("?>").map_or("", |(declaration, _)| declaration);
    let Some((_, value)) = declaration.split_once("encoding") else { return Ok(None) };
    let value = value.trim_start().trim_start_matches('=').trim_start();
    let label = value.split(['"', '\'']).nth(1).unwrap_or_default();
    match Encoding::for_label(label.as_bytes()) {
        Some(encoding) if encoding == encoding_rs::UTF_8 => Ok(None),
        Some(encoding) if encoding.is_ascii_compatible() && encoding.is_single_byte() => Ok(Some(encoding)),
        _ => Err(unsupported(label)),
    }
}

fn start_element(
    path: &mut Vec<Level>,
    depth: &mut usize,
    namespace: &mut String,
    resolved: &ResolveResult<'_>,
    tag: &BytesStart<'_>,
) -> Result<(), Fault> {
    if *depth == ELEMENT_DEPTH_MAX {
        let problem = format!("elements are nested more than {ELEMENT_DEPTH_MAX} deep");
        return Err(Fault::new(FaultKind::Limit, problem, "Send a camt.053 message."));
    }
    let found = match resolved {
        ResolveResult::Bound(found) => found.as_ref(),
        ResolveResult::Unbound => "",
        ResolveResult::Unknown(prefix) => {
            let problem = format!("the namespace prefix {} is not declared", excerpt(prefix));
            return Err(Fault::new(FaultKind::Syntax, problem, "Send well-formed XML."));
        }
    };
    let qualified = tag.name();
    let local = qualified.local_name();
    let local: &str = local.as_ref();
    // Around the message an envelope may have namespaces of its own; within Document only its own counts.
    if !path[..*depth].iter().any(|level| level.name == "Document") {
        namespace.clear();
        namespace.push_str(found);
    }
    let name = if found == namespace { local } else { "" };
    let number = matches!(name, "Stmt" | "Ntry").then(|| {
        let siblings = depth.checked_sub(1).and_then(|parent| path.get_mut(parent));
        siblings.map_or(1, |parent| {
            parent.numbered_children += 1;
            parent.numbered_children
        })
    });
    if path.len() == *depth {
        path.push(Level::default());
    }
    let level = &mut path[*depth];
    level.name.clear();
    level.name.push_str(name);
    level.numbered_children = 0;
    level.number = number;
    *depth += 1;
    Ok(())
}

fn read_currency(tag: &BytesStart<'_>, currency: &mut String) -> Result<(), Fault> {
    currency.clear();
    for attribute in tag.attributes() {
        let attribute =
            attribute.map_err(|error| Fault::new(FaultKind::Syntax, error.to_string(), "Send well-formed XML."))?;
        if attribute.key.as_ref() == "Ccy" {
            currency.push_str(&attribute.value);
        }
    }
    Ok(())
}

fn keep_text(text: &mut String, part: &str) -> Result<Option<Token>, Fault> {
    text.clear();
    text.push_str(part);
    match text.chars().find(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{80}'..='\u{9F}')) {
        None => Ok(Some(Token::Text)),
        Some(control) => Err(forbidden_character(control)),
    }
}

fn forbidden_character(character: char) -> Fault {
    let problem = format!("the character U+{:04X} is not allowed in XML", u32::from(character));
    Fault::new(FaultKind::Syntax, problem, "Remove control characters.")
}

/// Predefined entities and characters by number; there are no others without a DTD.
fn resolve(reference: &BytesRef<'_>, text: &mut String) -> Result<(), Fault> {
    text.clear();
    let resolved = reference
        .resolve_char_ref()
        .map_err(|error| Fault::new(FaultKind::Syntax, error.to_string(), "Send well-formed XML."))?;
    match resolved {
        Some(character) if character.is_control() && !matches!(character, '\t' | '\n' | '\r') => {
            Err(forbidden_character(character))
        }
        Some(character) => {
            text.push(character);
            Ok(())
        }
        None => match resolve_predefined_entity(reference) {
            Some(value) => {
                text.push_str(value);
                Ok(())
            }
            None => Err(Fault::new(
                FaultKind::Syntax,
                format!("the entity {} is not defined", excerpt(reference)),
                "Write the character itself; entities are not expanded.",
            )),
        },
    }
}
