//! A thin layer over quick-xml, which does the escaping.

use std::io;

use quick_xml::{
    Writer,
    events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event},
};

use crate::Currency;

const INDENT_SPACES: usize = 2;

/// An XML document being written, by qualified names such as `cbc:ID`.
pub(super) struct Xml {
    writer: Writer<Vec<u8>>,
}

impl Xml {
    pub(super) fn new() -> io::Result<Self> {
        let mut writer = Writer::new_with_indent(Vec::new(), b' ', INDENT_SPACES);
        writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
        Ok(Self { writer })
    }

    /// Writes an element whose content `inside` writes.
    pub(super) fn element(
        &mut self,
        name: &str,
        attributes: &[(&str, &str)],
        inside: impl FnOnce(&mut Self) -> io::Result<()>,
    ) -> io::Result<()> {
        let start = BytesStart::new(name).with_attributes(attributes.iter().copied());
        self.writer.write_event(Event::Start(start))?;
        inside(self)?;
        self.writer.write_event(Event::End(BytesEnd::new(name)))
    }

    /// Writes an element without attributes.
    pub(super) fn group(&mut self, name: &str, inside: impl FnOnce(&mut Self) -> io::Result<()>) -> io::Result<()> {
        self.element(name, &[], inside)
    }

    pub(super) fn text(&mut self, name: &str, value: &str) -> io::Result<()> {
        self.text_with(name, &[], value)
    }

    pub(super) fn text_with(&mut self, name: &str, attributes: &[(&str, &str)], value: &str) -> io::Result<()> {
        self.element(name, attributes, |xml| xml.writer.write_event(Event::Text(BytesText::new(value))))
    }

    /// Writes the element where there is a value; EN 16931 has no empty elements.
    pub(super) fn optional(&mut self, name: &str, value: Option<&str>) -> io::Result<()> {
        match value.filter(|value| !value.trim().is_empty()) {
            Some(value) => self.text(name, value),
            None => Ok(()),
        }
    }

    pub(super) fn amount(&mut self, name: &str, amount_minor: i64, currency: Currency) -> io::Result<()> {
        self.text_with(name, &[("currencyID", currency.code())], &currency.plain(amount_minor))
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.writer.into_inner()
    }
}
