//! The one error of this crate: where in the file, what is wrong, what to change.

use std::fmt;

/// A place in the file. Both count from the start of the file as it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position {
    /// Line number, from 1.
    pub line: u64,
    /// Bytes before this place.
    pub byte: u64,
}

/// What sort of fault it is: stable, for callers that group or translate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// The input could not be read.
    Io,
    /// The bytes are not text in the file's character set.
    Encoding,
    /// The file breaks the grammar of its format.
    Syntax,
    /// The file ends too early.
    Truncated,
    /// Another message, version or report than the ones read here.
    Unsupported,
    /// Something required is not there.
    Missing,
    /// A value is not of its type: date, indicator, IBAN.
    Invalid,
    /// An amount is not a number, too large, or finer than its currency.
    Amount,
    /// The currency is unknown or not the account's.
    Currency,
    /// Opening balance and lines do not give the closing balance.
    Balance,
    /// A stated count, sum or net does not agree with its parts.
    Total,
    /// A bound of [`crate::limits`] is exceeded.
    Limit,
    /// The lines are in an order that cannot be read as a stream.
    Order,
    /// The CSV profile cannot be used.
    Profile,
}

/// Why a file could not be read any further. Nothing after it is yielded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BankFileError {
    /// What sort of fault it is.
    pub kind: FaultKind,
    /// Where it was found.
    pub position: Position,
    /// The element, tag or column, such as `Stmt[1]/Ntry[17]/Amt`, `:61:` or `column Amount`; empty for the whole file.
    pub path: String,
    /// What is wrong, without a full stop.
    pub problem: String,
    /// What to change, as a sentence.
    pub advice: String,
}

impl fmt::Display for BankFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { line, byte } = self.position;
        write!(f, "line {line}, byte {byte}")?;
        if !self.path.is_empty() {
            write!(f, ", {}", self.path)?;
        }
        write!(f, ": {}. {}", self.problem, self.advice)
    }
}

impl std::error::Error for BankFileError {}

/// A fault whose place is not known yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) kind: FaultKind,
    pub(crate) problem: String,
    pub(crate) advice: String,
}

impl Fault {
    pub(crate) fn new(kind: FaultKind, problem: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { kind, problem: problem.into(), advice: advice.into() }
    }

    pub(crate) fn at(self, position: Position, path: impl Into<String>) -> BankFileError {
        BankFileError { kind: self.kind, position, path: path.into(), problem: self.problem, advice: self.advice }
    }
}

/// The start of a foreign value, quoted, for a message.
pub(crate) fn excerpt(text: &str) -> String {
    const EXCERPT_CHARS_MAX: usize = 40;
    let mut chars = text.chars();
    let start: String = chars.by_ref().take(EXCERPT_CHARS_MAX).collect();
    if chars.next().is_some() { format!("{start:?}…") } else { format!("{start:?}") }
}
