//! A file cut anywhere gives the lines before the cut, each once and unchanged, and then an error.

use torv_bank::{CsvProfile, Format};

use crate::support::{CAMT_02, CAMT_08, DANISH, MT940, csv, lines, read, read_until_error};

#[test]
fn a_cut_camt_or_mt940_file_gives_a_prefix_and_an_error() {
    for (format, input) in [(Format::Camt053, CAMT_02), (Format::Camt053, CAMT_08), (Format::Mt940, MT940)] {
        let whole = lines(&read(format.clone(), input));
        for end in 0..input.len() {
            let (records, error) = read_until_error(format.clone(), &input[..end]);
            let found = lines(&records);
            assert_eq!(found[..], whole[..found.len()], "cut at {end}");
            // A cut between two whole statements or pages of MT940 can't be seen.
            let is_between = matches!(records.last(), Some(torv_bank::Record::EndOfStatement(_)));
            assert!(error.is_some() || is_between, "cut at {end} was not noticed");
        }
    }
}

#[test]
fn a_cut_csv_file_changes_at_most_its_last_line() {
    let profile = CsvProfile::danish_example;
    let whole = lines(&read(csv(profile()), DANISH));
    for end in 0..DANISH.len() {
        let found = lines(&read_until_error(csv(profile()), &DANISH[..end]).0);
        let complete = found.len().saturating_sub(1);
        assert_eq!(found[..complete], whole[..complete], "cut at {end}");
    }
}
