//! One element with everything below it, in buffers that are used again for the next element.

use std::ops::Range;

use crate::error::Position;

/// Elements in document order; the children of an element follow it one level deeper.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    text: String,
    nodes: Vec<Node>,
    open: Vec<usize>,
}

#[derive(Debug)]
struct Node {
    name: Range<usize>,
    currency: Range<usize>,
    value: Range<usize>,
    depth: usize,
    position: Position,
}

impl Tree {
    pub(crate) fn clear(&mut self) {
        self.text.clear();
        self.nodes.clear();
        self.open.clear();
    }

    /// Bytes held: what a limit is compared with.
    pub(crate) fn size_bytes(&self) -> usize {
        self.text.len() + self.nodes.len() * size_of::<Node>()
    }

    pub(crate) fn start(&mut self, name: &str, currency: &str, position: Position) {
        let name = self.append(name);
        let currency = self.append(currency);
        let value = self.text.len()..self.text.len();
        self.nodes.push(Node { name, currency, value, depth: self.open.len(), position });
        self.open.push(self.nodes.len() - 1);
    }

    /// Text of the innermost element. Text behind a child is dropped: ISO 20022 has no mixed content.
    pub(crate) fn push_text(&mut self, text: &str) {
        let Some(&innermost) = self.open.last() else { return };
        if innermost + 1 == self.nodes.len() {
            self.text.push_str(text);
            self.nodes[innermost].value.end = self.text.len();
        }
    }

    pub(crate) fn end(&mut self) {
        self.open.pop();
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.open.is_empty()
    }

    /// The first element.
    pub(crate) fn root(&self) -> Option<Element<'_>> {
        (!self.nodes.is_empty()).then_some(Element { tree: self, index: 0 })
    }

    fn append(&mut self, text: &str) -> Range<usize> {
        let start = self.text.len();
        self.text.push_str(text);
        start..self.text.len()
    }
}

/// An element of a [`Tree`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Element<'a> {
    tree: &'a Tree,
    index: usize,
}

impl<'a> Element<'a> {
    fn node(self) -> &'a Node {
        &self.tree.nodes[self.index]
    }

    /// Local name; empty when the element is of another namespace than the message.
    pub(crate) fn name(self) -> &'a str {
        &self.tree.text[self.node().name.clone()]
    }

    /// Value of the `Ccy` attribute; empty when there is none.
    pub(crate) fn currency(self) -> &'a str {
        &self.tree.text[self.node().currency.clone()]
    }

    /// Text without surrounding space.
    pub(crate) fn text(self) -> &'a str {
        self.tree.text[self.node().value.clone()].trim()
    }

    pub(crate) fn position(self) -> Position {
        self.node().position
    }

    pub(crate) fn children(self) -> impl Iterator<Item = Element<'a>> {
        let depth = self.node().depth;
        let tree = self.tree;
        (self.index + 1..tree.nodes.len())
            .take_while(move |&index| tree.nodes[index].depth > depth)
            .filter(move |&index| tree.nodes[index].depth == depth + 1)
            .map(move |index| Element { tree, index })
    }

    pub(crate) fn children_named(self, name: &'a str) -> impl Iterator<Item = Element<'a>> {
        self.children().filter(move |child| child.name() == name)
    }

    /// The first element along a path of names such as `["Refs", "EndToEndId"]`.
    pub(crate) fn find(self, path: &[&str]) -> Option<Element<'a>> {
        path.iter().try_fold(self, |element, name| element.children().find(|child| child.name() == *name))
    }

    /// The text at the end of the path, when it is not empty.
    pub(crate) fn find_text(self, path: &[&str]) -> Option<&'a str> {
        self.find(path).map(Element::text).filter(|text| !text.is_empty())
    }

    /// The same as an own string.
    pub(crate) fn find_string(self, path: &[&str]) -> Option<String> {
        self.find_text(path).map(str::to_owned)
    }
}
