//! How delimited text is written: what separates fields, what quotes them, whether the first row names them.

use csv::StringRecord;

use super::{
    CsvDialect,
    value::{Notation, Reading, Stamp, read},
};

/// Rows looked at.
const PROBE_ROWS: usize = 200;
/// In order of preference when two explain the text equally well: a comma inside of `1,5;2,5` is a decimal mark,
/// and blanks stand in any text.
const DELIMITERS: [u8; 5] = [b'\t', b';', b'|', b',', b' '];

/// A dialect, and how well it explains the beginning of the text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sniffed {
    pub(super) dialect: CsvDialect,
    /// Fields of most rows.
    pub(super) width: usize,
    /// Share of rows with that many fields, 0 to 1.
    pub(super) agreement: f64,
}

/// Guesses the dialect of `text`, the beginning of a file; `is_whole` when it is all of it.
pub(super) fn sniff(text: &str, is_whole: bool) -> Sniffed {
    let mut best =
        Sniffed { dialect: CsvDialect { delimiter: ',', quote: '"', has_header: true }, width: 1, agreement: 0.0 };
    let mut best_rows = Vec::new();
    for delimiter in DELIMITERS {
        let rows = probe(text, is_whole, delimiter, b'"');
        let (width, agreement) = agreement(&rows);
        // A blank must never be outdone by chance: names of two words are everywhere.
        let needed = if delimiter == b' ' { 0.98 } else { 0.5 };
        if width >= 2 && agreement >= needed && agreement > best.agreement + 0.02 {
            let dialect = CsvDialect { delimiter: delimiter.into(), quote: '"', has_header: true };
            best = Sniffed { dialect, width, agreement };
            best_rows = rows;
        }
    }
    if best_rows.is_empty() {
        best_rows = probe(text, is_whole, b',', b'"');
        best.agreement = agreement(&best_rows).1;
    }
    if uses_apostrophes(&best_rows) {
        best.dialect.quote = '\'';
        best_rows = probe(text, is_whole, delimiter_byte(best.dialect), b'\'');
        (best.width, best.agreement) = agreement(&best_rows);
    }
    best.dialect.has_header = has_header(&best_rows, notation_of(best.dialect));
    best
}

/// The delimiter as the byte it is.
pub(super) fn delimiter_byte(dialect: CsvDialect) -> u8 {
    u8::try_from(dialect.delimiter).unwrap_or(b',')
}

/// The quotation mark as the byte it is.
pub(super) fn quote_byte(dialect: CsvDialect) -> u8 {
    u8::try_from(dialect.quote).unwrap_or(b'"')
}

/// Where semicolons separate fields, commas are decimal marks.
pub(super) fn notation_of(dialect: CsvDialect) -> Notation {
    if dialect.delimiter == ';' { Notation::Comma } else { Notation::Point }
}

/// The delimiter a spreadsheet announces in a first line of its own, `sep=;`, and the bytes of that line.
pub(super) fn announced_delimiter(text: &str) -> Option<(u8, usize)> {
    let line = text.split_inclusive('\n').next()?;
    let delimiter = line.trim_end().strip_prefix("sep=")?.as_bytes();
    match delimiter {
        [delimiter] if delimiter.is_ascii() => Some((*delimiter, line.len())),
        _ => None,
    }
}

fn probe(text: &str, is_whole: bool, delimiter: u8, quote: u8) -> Vec<StringRecord> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .quote(quote)
        .flexible(true)
        .has_headers(false)
        .from_reader(text.as_bytes());
    let mut rows: Vec<_> = reader.records().take(PROBE_ROWS + 1).map_while(Result::ok).collect();
    if rows.len() > 1 && (!is_whole || rows.len() > PROBE_ROWS) {
        // The last one may have been cut.
        rows.pop();
    }
    rows
}

/// The commonest number of fields, and the share of rows that have it; half of it if the first row does not.
fn agreement(rows: &[StringRecord]) -> (usize, f64) {
    let mut widths: Vec<usize> = rows.iter().map(StringRecord::len).collect();
    let Some(first) = widths.first().copied() else { return (1, 0.0) };
    widths.sort_unstable();
    let commonest = widths.chunk_by(|a, b| a == b).max_by_key(|chunk| chunk.len()).unwrap_or_default();
    let count = |n: usize| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
    let share = count(commonest.len()) / count(widths.len());
    let width = commonest.first().copied().unwrap_or(1);
    (width, if first == width { share } else { share / 2.0 })
}

fn uses_apostrophes(rows: &[StringRecord]) -> bool {
    let is_quoted = |field: &&str| field.len() >= 2 && field.starts_with('\'') && field.ends_with('\'');
    let quoted = rows.iter().flatten().filter(is_quoted).count();
    let fields = rows.iter().map(StringRecord::len).sum::<usize>();
    quoted > 0 && quoted * 3 > fields
}

/// The first row names the columns unless it looks like the rows below it.
fn has_header(rows: &[StringRecord], notation: Notation) -> bool {
    let Some((first, body)) = rows.split_first() else { return true };
    if body.is_empty() {
        return first.iter().all(|field| matches!(kind(field, notation), Kind::Text));
    }
    let votes = first.iter().enumerate().map(|(index, field)| {
        let below = |row: &StringRecord| row.get(index).map(|field| kind(field, notation));
        let name = kind(field, notation);
        let same = body.iter().filter(|row| below(row) == Some(name)).count();
        let filled = body.iter().filter(|row| below(row).is_some_and(|kind| kind != Kind::Empty)).count();
        let repeated = body.iter().any(|row| row.get(index).is_some_and(|below| below.trim() == field.trim()));
        match name {
            Kind::Empty => 0,
            // A year over numbers that are none is a name.
            Kind::Year if !body.iter().any(|row| below(row) == Some(Kind::Year)) && filled > 0 => 2,
            Kind::Text if filled > 0 && same * 2 < filled => 2,
            Kind::Text => {
                if repeated {
                    -1
                } else {
                    1
                }
            }
            _ => -2,
        }
    });
    votes.sum::<i32>() >= 0
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Empty,
    Year,
    Number,
    Other,
    Text,
}

fn kind(field: &str, notation: Notation) -> Kind {
    let field = field.trim();
    if field.is_empty() {
        return Kind::Empty;
    }
    match read(field, notation) {
        Reading::Number(number) if number.is_integer && (1800.0..2200.0).contains(&number.approx) => Kind::Year,
        Reading::Number(_) if Stamp::parse_compact(field).is_some() => Kind::Other,
        Reading::Number(_) => Kind::Number,
        Reading::Placeholder(_) => Kind::Empty,
        Reading::Boolean | Reading::Stamp(_) => Kind::Other,
        Reading::Text => Kind::Text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> (char, bool) {
        let dialect = sniff(text, true).dialect;
        (dialect.delimiter, dialect.has_header)
    }

    #[test]
    fn the_delimiter_is_the_one_that_makes_the_rows_equal() {
        assert_eq!(of("a,b\n1,2\n3,4\n"), (',', true));
        assert_eq!(of("navn;pris\nÆble;1,5\nPære;2,5\n"), (';', true));
        assert_eq!(of("a\tb\n1, 2\t3\n"), ('\t', true));
        assert_eq!(of("a|b|c\n1|2|3\n"), ('|', true));
        assert_eq!(of("station area Latitude\n捷運 大安區 25.02\n公園 中山區 25.1\n"), (' ', true));
        assert_eq!(of("id,note\n1,\"a;b, c\"\n2,\"d;e\nf\"\n"), (',', true));
        assert_eq!(of("name\nNew York\nParis\n"), (',', true));
    }

    #[test]
    fn a_first_row_like_the_others_is_no_header() {
        assert_eq!(of("1,2\n3,4\n"), (',', false));
        assert_eq!(of("2021-08-14,91\n2021-08-15,92\n"), (',', false));
        assert_eq!(of("地區,2019,2020\n大安區,12.5,13.5\n"), (',', true));
        assert_eq!(of("a,b\nc,d\n"), (',', true));
    }

    #[test]
    fn apostrophes_can_quote() {
        assert_eq!(sniff("'a','b'\n'x, y','z'\n'1','2'\n", true).dialect.quote, '\'');
        assert_eq!(announced_delimiter("sep=;\r\na;b"), Some((b';', 7)));
    }
}
