//! CSV profiles as people write them.

use torv_bank::{CsvProfile, FaultKind, Format, SignConvention};

use crate::support::{DANISH, US, csv, lines, read, refusal, with};

#[test]
fn examples_pass_their_check_and_survive_serialization() {
    for profile in CsvProfile::examples() {
        assert_eq!(profile.check(), Ok(()), "{}", profile.name);
        let json = serde_json::to_string(&profile).expect("a profile is JSON");
        assert_eq!(serde_json::from_str::<CsvProfile>(&json).expect("the same profile"), profile);
    }
}

#[test]
fn a_short_profile_takes_defaults_and_unknown_settings_are_refused() {
    let text = r#"
        name = "plain"
        delimiter = ","
        date_format = "YYYY-MM-DD"
        decimal_separator = "."
        currency = "EUR"
        has_header = false
        sign = "debit_positive"
        [columns]
        booking_date = 0
        amount = 1
        text = [2, 3]
    "#;
    let profile: CsvProfile = toml::from_str(text).expect("a profile");
    assert_eq!(profile.sign, SignConvention::DebitPositive);
    let lines = lines(&read(csv(profile), b"2026-01-31,12.50,a,b\n2026-01-31,-1,c,\n"));
    assert_eq!((lines[0].amount_minor, lines[1].amount_minor), (-1250, 100));
    assert_eq!(lines[0].party.remittance.as_deref(), Some("a b"));
    for wrong in [text.replace("sign =", "signs ="), text.replace("text =", "texts =")] {
        let error = toml::from_str::<CsvProfile>(&wrong).expect_err("an unknown setting").to_string();
        assert!(error.contains("unknown field"), "{error}");
    }
}

#[test]
fn profiles_that_contradict_themselves_are_refused() {
    let wrong: [fn(&mut CsvProfile); 11] = [
        |profile| profile.delimiter = 'ø',
        |profile| profile.quote = Some(profile.delimiter),
        |profile| profile.decimal_separator = ';',
        |profile| profile.thousands_separator = Some(profile.decimal_separator),
        |profile| profile.columns.amount = None,
        |profile| profile.columns.debit = Some("Debet".into()),
        |profile| profile.columns.direction = Some("S/H".into()),
        |profile| profile.pending_marks.clear(),
        |profile| profile.columns.currency = None,
        |profile| profile.has_header = false,
        |profile| profile.date_format = "DD-MM".into(),
    ];
    for change in wrong {
        let mut profile = CsvProfile::danish_example();
        change(&mut profile);
        assert!(profile.check().is_err(), "{profile:?}");
        assert_eq!(refusal(csv(profile), DANISH).kind, FaultKind::Profile);
    }
}

#[test]
fn wrong_rows_are_refused_with_line_and_column() {
    let danish = || csv(CsvProfile::danish_example());
    let us = || csv(CsvProfile::us_example());
    let cases: Vec<(Format, Vec<u8>, FaultKind, u64, &str)> = vec![
        (danish(), with(DANISH, "1.460,01", "1.461,01"), FaultKind::Balance, 3, "column Saldo"),
        (danish(), with(DANISH, "30-01-2026", "30-13-2026"), FaultKind::Invalid, 5, "column Bogføringsdato"),
        (danish(), with(DANISH, ";80,01;", ";80.01;"), FaultKind::Amount, 3, "column Beløb"),
        (danish(), with(DANISH, "EUR", "ZZZ"), FaultKind::Currency, 2, "column Valuta"),
        (danish(), with(DANISH, "Beløb", "Belob"), FaultKind::Missing, 1, "column Beløb"),
        (danish(), with(DANISH, "Saldo", "Beløb"), FaultKind::Invalid, 1, ""),
        (danish(), with(DANISH, ";Udført", ""), FaultKind::Syntax, 2, ""),
        (us(), with(US, ",,\"1,234.56\"", ",1.00,\"1,234.56\""), FaultKind::Amount, 2, "column Credit"),
        (us(), with(US, ",,\"1,234.56\"", ",,"), FaultKind::Amount, 2, "column Credit"),
        (us(), with(US, "\"1,234.56\"", "-1"), FaultKind::Amount, 2, "column Credit"),
    ];
    for (format, input, kind, line, path) in cases {
        let error = refusal(format, &input);
        assert_eq!((error.kind, error.position.line, error.path.as_str()), (kind, line, path), "{error}");
        assert!(error.advice.ends_with('.'), "{error}");
    }
}

#[test]
fn rows_of_another_currency_are_another_statement() {
    let profile = CsvProfile {
        columns: torv_bank::CsvColumns { balance: None, ..CsvProfile::danish_example().columns },
        ..CsvProfile::danish_example()
    };
    let records = read(csv(profile), &with(DANISH, ";EUR;B2026-0007", ";DKK;B2026-0007"));
    let ends = crate::support::ends(&records);
    let sums: Vec<_> = ends.iter().map(|end| (end.currency.code(), end.booked_sum_minor)).collect();
    assert_eq!(sums, [("DKK", 4000), ("EUR", 46_001)]);
}
