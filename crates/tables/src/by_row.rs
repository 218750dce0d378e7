//! The rows of a file whose profile is known, one after the other, as they stand.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
};

use csv::StringRecord;
use encoding_rs::Encoding;
use serde_json::{Map, Value, value::RawValue};

use super::{
    CsvDialect, Format, Profile, ProfileError, ProfileLimits,
    csv_file::{csv_error, read_probe},
    dialect::{announced_delimiter, delimiter_byte, quote_byte},
    text::{TextEncoding, TextReader},
    unparsable,
};

/// A value of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RowValue<'a> {
    /// A field of delimited text, as it is written.
    Text(&'a str),
    /// A value of JSON, never `null`.
    Json(&'a Value),
}

/// Takes one row: its values by column name, in the order of the names; columns without a value are left out.
pub type TakeRow<'t> = dyn FnMut(&[(&str, RowValue<'_>)]) -> Result<(), ProfileError> + 't;

/// True when [`read_rows`] can read what `profile` describes, all of it.
pub fn has_readable_rows(profile: &Profile) -> bool {
    let all_columns = profile.columns.len() < ProfileLimits::default().max_columns;
    all_columns && !profile.truncated && matches!(profile.format, Format::Csv | Format::JsonLines)
}

/// Reads the rows of delimited text or of JSON lines, with the columns named as in `profile`. Memory is bounded by the
/// longest row, never by the file.
///
/// # Errors
/// [`ProfileError::Unparsable`] for a format without rows, or a file that is not the profiled one; those of `take`.
pub fn read_rows(
    path: &Path,
    profile: &Profile,
    limits: &ProfileLimits,
    take: &mut TakeRow<'_>,
) -> Result<(), ProfileError> {
    let mut file = File::open(path)?;
    let encoding = encoding_of(&mut file, profile)?;
    match (profile.format, profile.csv) {
        (Format::Csv, Some(dialect)) => read_csv(&file, encoding, dialect, profile, limits, take),
        (Format::JsonLines, _) => read_lines(&file, encoding, limits, take),
        _ => Err(unparsable("rows are read of delimited text and of JSON lines only")),
    }
}

fn encoding_of(file: &mut File, profile: &Profile) -> Result<TextEncoding, ProfileError> {
    let name = profile.encoding.as_deref().unwrap_or("UTF-8");
    let encoding = Encoding::for_label(name.as_bytes()).ok_or_else(|| unparsable("the encoding is not known here"))?;
    let mut head = Vec::new();
    file.by_ref().take(4).read_to_end(&mut head)?;
    let bom_bytes = Encoding::for_bom(&head).filter(|_| profile.had_bom).map_or(0, |(_, bytes)| bytes as u64);
    Ok(TextEncoding { encoding, bom_bytes })
}

fn read_csv(
    file: &File,
    encoding: TextEncoding,
    dialect: CsvDialect,
    profile: &Profile,
    limits: &ProfileLimits,
    take: &mut TakeRow<'_>,
) -> Result<(), ProfileError> {
    let (probe, _) = read_probe(file, encoding)?;
    let mut source = TextReader::new(file, encoding, limits.max_row_bytes)?;
    let allowance = source.allowance();
    if let Some((_, skipped)) = announced_delimiter(&probe) {
        io::copy(&mut source.by_ref().take(skipped as u64), &mut io::sink())?;
    }
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter_byte(dialect))
        .quote(quote_byte(dialect))
        .flexible(true)
        .has_headers(false)
        .from_reader(source);
    let mut order: Vec<(usize, &str)> = profile.columns.iter().map(|column| column.name.as_str()).enumerate().collect();
    order.sort_unstable_by_key(|(_, name)| *name);
    let mut record = StringRecord::new();
    let mut is_header = dialect.has_header;
    loop {
        allowance.renew();
        if !reader.read_record(&mut record).map_err(csv_error)? {
            return Ok(());
        }
        if std::mem::take(&mut is_header) {
            continue;
        }
        let row: Vec<_> =
            order.iter().filter_map(|(at, name)| Some((*name, RowValue::Text(record.get(*at)?)))).collect();
        take(&row)?;
    }
}

fn read_lines(
    file: &File,
    encoding: TextEncoding,
    limits: &ProfileLimits,
    take: &mut TakeRow<'_>,
) -> Result<(), ProfileError> {
    let text = TextReader::new(file, encoding, limits.max_row_bytes)?;
    let allowance = text.allowance();
    let broken = |_| unparsable("a line is no JSON object, or is too long");
    let lines = serde_json::Deserializer::from_reader(BufReader::new(text)).into_iter::<Box<RawValue>>();
    for line in lines {
        let object: Map<String, Value> = serde_json::from_str(line.map_err(broken)?.get()).map_err(broken)?;
        let mut row: Vec<_> = object
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.as_str(), RowValue::Json(value)))
            .collect();
        row.sort_unstable_by_key(|(name, _)| *name);
        take(&row)?;
        allowance.renew();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::profile_file;

    fn rows_of(name: &str, bytes: &[u8]) -> Vec<String> {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(bytes).expect("written");
        let limits = ProfileLimits::default();
        let profile = profile_file(file.path(), name, &limits).expect("a profile");
        assert!(has_readable_rows(&profile));
        let mut rows = Vec::new();
        read_rows(file.path(), &profile, &limits, &mut |row| {
            let cells = row.iter().map(|(name, value)| match value {
                RowValue::Text(text) => format!("{name}={text}"),
                RowValue::Json(value) => format!("{name}={value}"),
            });
            rows.push(cells.collect::<Vec<_>>().join(" "));
            Ok(())
        })
        .expect("rows");
        assert_eq!(rows.len() as u64, profile.row_count);
        rows
    }

    #[test]
    fn delimited_text_is_read_as_it_is_profiled() {
        assert_eq!(rows_of("a.csv", b"b,a\n1,x\n2\n"), ["a=x b=1", "b=2"]);
        assert_eq!(rows_of("a.csv", "\u{feff}b;a\n\"1;5\";x\n2;\n".as_bytes()), ["a=x b=1;5", "a= b=2"]);
        assert_eq!(rows_of("a.csv", b"sep=;\nb;a\n1;x\n"), ["a=x b=1"]);
        assert_eq!(rows_of("a.csv", b"a,a\n1,x\n"), ["a=1 a_2=x"], "a repeated name is numbered");
        assert_eq!(rows_of("a.csv", b"\xC5rhus,n\nK\xF8benhavn,1\n"), ["n=1 Århus=København"]);
    }

    #[test]
    fn lines_of_json_are_read_by_name_without_nulls() {
        let lines = b"{\"b\": 1, \"a\": \"x\"}\n{\"a\": null, \"b\": [1, {\"c\": null}]}\n";
        assert_eq!(rows_of("a.jsonl", lines), ["a=\"x\" b=1", "b=[1,{\"c\":null}]"]);
    }
}
