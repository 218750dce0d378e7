//! Guesses what a file is from its first bytes.

use crate::{camt::NAMESPACE, limits::SNIFF_BYTES, payout::REQUIRED_COLUMNS};

/// What a file looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// Read with [`crate::Format::Camt053`].
    Camt053,
    /// Read with [`crate::Format::Mt940`].
    Mt940,
    /// Read with [`crate::PayoutReader`].
    StripePayoutReport,
    /// A table; which profile fits has to be chosen.
    Csv,
}

/// Says what the file is by its first bytes, of which at most [`SNIFF_BYTES`] are looked at.
///
/// `None` when it is none of these, also for other ISO 20022 messages. A guess: the reader decides.
pub fn sniff(start: &[u8]) -> Option<FileKind> {
    let start = &start[..start.len().min(SNIFF_BYTES)];
    let text = String::from_utf8_lossy(start.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(start));
    let text = text.trim_start();
    if text.contains('\0') {
        return None;
    }
    if text.starts_with('<') {
        let is_statement = text.split(NAMESPACE).skip(1).any(|message| message.starts_with("camt.053."));
        return is_statement.then_some(FileKind::Camt053);
    }
    if text.starts_with("{1:") || text.starts_with(":20:") || (text.contains("\n:20:") && text.contains(":60")) {
        return Some(FileKind::Mt940);
    }
    let header = text.lines().next().unwrap_or_default();
    if REQUIRED_COLUMNS.iter().all(|column| header.contains(column)) {
        return Some(FileKind::StripePayoutReport);
    }
    [';', ',', '\t'].iter().any(|delimiter| header.matches(*delimiter).count() >= 2).then_some(FileKind::Csv)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bytes_tell_the_kind() {
        let camt = format!("<?xml version='1.0'?>\n<x:Document xmlns:x='{NAMESPACE}camt.053.001.08'>");
        assert_eq!(sniff(camt.as_bytes()), Some(FileKind::Camt053));
        assert_eq!(sniff(format!("<Document xmlns='{NAMESPACE}camt.054.001.08'>").as_bytes()), None);
        assert_eq!(sniff(b"\r\n:20:STARTUMS\r\n:25:1"), Some(FileKind::Mt940));
        assert_eq!(sniff(b"{1:F01BANKDEFFXXXX0000000000}"), Some(FileKind::Mt940));
        assert_eq!(sniff(REQUIRED_COLUMNS.join(",").as_bytes()), Some(FileKind::StripePayoutReport));
        assert_eq!(sniff(b"Dato;Tekst;Beloeb;Saldo\n"), Some(FileKind::Csv));
        for nothing in [&b""[..], b"%PDF-1.7", b"PK\x03\x04", b"hello", b"\xFF\xFE<\0"] {
            assert_eq!(sniff(nothing), None);
        }
    }
}
