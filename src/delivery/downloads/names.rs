//! File names on their way into headers and addresses, where some characters would do harm.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What stays as it is in `filename*`. Source: RFC 8187, section 3.2.1 (`attr-char`).
const EXTENDED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// What stays as it is in a path segment. Source: RFC 3986, section 2.3 (`unreserved`).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What a file is called when nothing of its name can be kept.
const NAMELESS: &str = "download";

/// The value of `Content-Disposition`: save it under this name, don't show it.
///
/// A name beyond plain ASCII goes into `filename*`, with a plain stand-in beside it for old clients.
/// Source: RFC 6266, section 4.3 and appendix D.
pub(in crate::delivery) fn content_disposition(name: &str) -> String {
    let name = harmless(name);
    let plain = stand_in(&name);
    if plain == name {
        return format!("attachment; filename=\"{plain}\"");
    }
    format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{}", utf8_percent_encode(&name, EXTENDED))
}

/// The name as the last segment of an address.
pub(super) fn in_path(name: &str) -> String {
    utf8_percent_encode(&harmless(name), SEGMENT).to_string()
}

/// Without what leads out of a folder, hides a file, or makes a name look like another one.
fn harmless(name: &str) -> String {
    let kept: String = name.chars().map(|c| if is_harmful(c) { '_' } else { c }).collect();
    let kept = kept.trim_start_matches(|c: char| c == '.' || c.is_whitespace()).trim_end();
    if kept.is_empty() { NAMELESS.to_owned() } else { kept.to_owned() }
}

/// Separators of folders, control characters, and those that turn the direction of writing.
fn is_harmful(c: char) -> bool {
    matches!(c, '/' | '\\' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        || c.is_control()
}

/// The name in characters that a quoted text can hold and every client reads alike.
fn stand_in(name: &str) -> String {
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '%') || c == ' ';
    let plain: String = name.chars().map(|c| if plain(c) { c } else { '_' }).collect();
    let (stem, ending) = plain.rsplit_once('.').map_or((plain.as_str(), None), |(stem, ending)| (stem, Some(ending)));
    if stem.chars().any(|c| c.is_ascii_alphanumeric()) {
        return plain;
    }
    ending.map_or_else(|| NAMELESS.to_owned(), |ending| format!("{NAMELESS}.{ending}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_name_is_quoted_and_nothing_else() {
        assert_eq!(content_disposition("river levels 2026.csv"), "attachment; filename=\"river levels 2026.csv\"");
    }

    #[test]
    fn a_name_in_another_script_comes_whole_with_a_plain_stand_in() {
        assert_eq!(
            content_disposition("九十九橋.csv"),
            "attachment; filename=\"download.csv\"; filename*=UTF-8''%E4%B9%9D%E5%8D%81%E4%B9%9D%E6%A9%8B.csv"
        );
        let half = content_disposition("Kjøbenhavn.csv");
        assert_eq!(half, "attachment; filename=\"Kj_benhavn.csv\"; filename*=UTF-8''Kj%C3%B8benhavn.csv");
    }

    #[test]
    fn hostile_names_neither_break_out_of_the_header_nor_of_a_folder() {
        for name in
            ["a\"; filename=evil.exe", "a\r\nSet-Cookie: x=1", "../../etc/passwd", "..\\x", "%2e%2e", "\u{202e}vsc.exe"]
        {
            let header = content_disposition(name);
            assert!(header.is_ascii() && !header.contains(['\r', '\n', '/', '\\']), "{header}");
            assert_eq!(header.matches('"').count(), 2, "{header}");
            assert!(!header.contains("=\".."), "{header}");
            assert!(!in_path(name).starts_with('.') && !in_path(name).contains('/'), "{}", in_path(name));
        }
        for nothing in ["", ".", "..", "   "] {
            assert_eq!(content_disposition(nothing), "attachment; filename=\"download\"");
        }
    }
}
