//! One statement in every format.

use torv_bank::{
    BalanceCheck, BankLine, CreditorReference, CsvProfile, FileKind, Format, LineStatus, Record, Settings, sniff,
};

use crate::support::{
    CAMT_02, CAMT_08, DANISH, DANISH_PENDING, GERMAN, IBAN, MT940, PAYOUTS, US, csv, ends, exponent_of, heads, lines,
    read, samples, with,
};

/// Without what only some formats can say.
fn common(mut line: BankLine) -> BankLine {
    line.transaction_code = None;
    line.details.clear();
    line
}

#[test]
fn camt_02_camt_08_and_mt940_give_the_same_lines() {
    let camt_02 = lines(&read(Format::Camt053, CAMT_02));
    assert_eq!(camt_02.len(), 8);
    assert_eq!(camt_02, lines(&read(Format::Camt053, CAMT_08)));
    let mt940: Vec<_> = lines(&read(Format::Mt940, MT940)).into_iter().map(common).collect();
    assert_eq!(camt_02.into_iter().map(common).collect::<Vec<_>>(), mt940);
}

#[test]
fn csv_gives_the_same_lines_as_camt() {
    let by_key = |input: Vec<BankLine>| {
        let mut lines: Vec<_> = input.into_iter().map(common).collect();
        lines.iter_mut().for_each(|line| line.is_reversal = false);
        lines.sort_by(|a, b| a.key.cmp(&b.key));
        lines
    };
    let mut camt = lines(&read(Format::Camt053, CAMT_08));
    camt.retain(|line| line.account.as_str() == IBAN);
    let danish = lines(&read(csv(CsvProfile::danish_example()), DANISH));
    assert_eq!(by_key(camt), by_key(danish));
}

#[test]
fn every_field_of_a_line_is_read() {
    let records = read(Format::Camt053, CAMT_08);
    let lines = lines(&records);
    let line = &lines[1];
    assert_eq!(line.account.as_str(), IBAN);
    assert_eq!(line.amount_minor, -4000);
    assert_eq!(line.currency.code(), "EUR");
    assert_eq!(
        (line.booking_date.to_string(), line.value_date.map(|date| date.to_string())),
        ("2026-01-30".into(), Some("2026-01-31".into()))
    );
    assert_eq!(line.status, LineStatus::Booked);
    assert_eq!(line.bank_reference.as_deref(), Some("B2026-0002"));
    assert_eq!(line.party.counterparty_name.as_deref(), Some("Nordlicht Energie GmbH"));
    assert_eq!(line.party.counterparty_account.as_deref(), Some("NL84TORV0000012345"));
    assert_eq!(line.party.end_to_end_id.as_deref(), Some("DD-77"));
    assert_eq!(line.party.mandate_id.as_deref(), Some("MND-9"));
    assert_eq!(line.party.remittance.as_deref(), Some("Electricity January, contract 4711"));
    assert_eq!(line.transaction_code.as_deref(), Some("PMNT-RDDT-ESDD"));
    assert_eq!(lines[5].party.creditor_reference, Some(CreditorReference::Iso11649("RF442026ORD1006".into())));
    assert_eq!(lines[5].party.counterparty_name.as_deref(), Some("Müller & Söhne KG"));
    assert!(lines[6].is_reversal && lines[6].amount_minor == 4000);
    assert_eq!(lines[6].party.counterparty_name.as_deref(), Some("Nordlicht Energie GmbH"));
}

#[test]
fn the_reference_of_a_single_payment_may_stand_in_its_details() {
    let moved = with(CAMT_02, "<AcctSvcrRef>B2026-0001</AcctSvcrRef>", "");
    let moved =
        with(&moved, "<Refs><EndToEndId>ORD-1001", "<Refs><AcctSvcrRef>B2026-0001</AcctSvcrRef><EndToEndId>ORD-1001");
    assert_eq!(lines(&read(Format::Camt053, &moved)), lines(&read(Format::Camt053, CAMT_02)));
}

#[test]
fn a_batched_entry_is_one_line_with_its_payments() {
    for input in [CAMT_02, CAMT_08] {
        let lines = lines(&read(Format::Camt053, input));
        let batch = &lines[4];
        assert_eq!(batch.amount_minor, 30_000);
        let details: Vec<_> = batch
            .details
            .iter()
            .map(|detail| {
                (detail.amount_minor, detail.party.end_to_end_id.as_deref(), detail.party.remittance.as_deref())
            })
            .collect();
        assert_eq!(
            details,
            [
                (Some(10_000), Some("ORD-1002"), Some("Order 1002")),
                (Some(20_000), Some("ORD-1003"), Some("Order 1003"))
            ]
        );
    }
}

#[test]
fn equal_lines_of_a_day_keep_keys_of_their_own_on_every_reading() {
    for (format, input) in samples() {
        let first = lines(&read(format.clone(), input));
        let keys: std::collections::BTreeSet<_> = first.iter().map(|line| line.key.clone()).collect();
        assert_eq!(keys.len(), first.len());
        assert_eq!(first, lines(&read(format, input)));
    }
    let fees = lines(&read(Format::Mt940, MT940));
    assert_eq!(fees[2].key.as_str().trim_end_matches("-1"), fees[3].key.as_str().trim_end_matches("-2"));
}

#[test]
fn keys_do_not_depend_on_the_order_of_the_rows() {
    let header = "Posting Date,Description,Reference Number,Debit,Credit,Running Balance\n";
    let (first, second) = ("01/30/2026,FEE,,2.50,,\n", "01/30/2026,FEE,,3.00,,\n");
    let keys = |rows: [&str; 2]| {
        let file = format!("{header}{}", rows.concat());
        let lines = lines(&read(csv(CsvProfile::us_example()), file.as_bytes()));
        lines.into_iter().map(|line| (line.amount_minor, line.key)).collect::<std::collections::BTreeMap<_, _>>()
    };
    assert_eq!(keys([first, second]), keys([second, first]));
}

#[test]
fn of_daily_balances_the_first_opening_and_the_last_closing_count() {
    let balance = |code: &str, minor: &str, day: &str| {
        format!(
            "<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy=\"EUR\">{minor}</Amt>\
             <CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>{day}</Dt></Dt></Bal>"
        )
    };
    let daily = [
        balance("CLBD", "1080.00", "2026-01-30"),
        balance("OPBD", "1080.00", "2026-01-31"),
        balance("PRCD", "999.00", "2026-01-29"),
    ];
    let input = with(CAMT_02, "<TxsSummry>", &format!("{}<TxsSummry>", daily.concat()));
    assert_eq!(ends(&read(Format::Camt053, &input)), ends(&read(Format::Camt053, CAMT_02)));
}

#[test]
fn statements_begin_and_end_with_their_balances() {
    for (format, input, sequences) in
        [(Format::Camt053, CAMT_02, [21, 3]), (Format::Camt053, CAMT_08, [21, 3]), (Format::Mt940, MT940, [21, 3])]
    {
        let records = read(format, input);
        assert!(matches!(records.first(), Some(Record::Statement(_))));
        let heads = heads(&records);
        assert_eq!(heads.iter().filter_map(|head| head.sequence).collect::<Vec<_>>(), sequences);
        assert_eq!(heads[0].bic.as_deref(), Some("TORVDEFFXXX"));
        assert_eq!(heads[0].statement_id.as_deref(), Some("STMT-2026-21"));
        let ends = ends(&records);
        let totals: Vec<_> = ends
            .iter()
            .map(|end| (end.opening.map(|b| b.minor), end.booked_sum_minor, end.computed_closing_minor, end.line_count))
            .collect();
        assert_eq!(totals, [(Some(100_000), 50_001, Some(150_001), 7), (Some(-500), 1200, Some(700), 1)]);
        assert!(ends.iter().all(|end| end.check == BalanceCheck::Agrees && !end.is_intermediate));
    }
}

#[test]
fn running_balances_of_csv_become_opening_and_closing() {
    let ends = ends(&read(csv(CsvProfile::danish_example()), DANISH));
    assert_eq!(ends.len(), 1);
    assert_eq!(ends[0].opening.map(|balance| balance.minor), Some(100_000));
    assert_eq!(ends[0].closing.map(|balance| balance.minor), Some(150_001));
    assert_eq!(ends[0].check, BalanceCheck::Agrees);
}

#[test]
fn pending_rows_are_marked_and_change_no_balance() {
    let records = read(csv(CsvProfile::danish_example()), DANISH_PENDING);
    let lines = lines(&records);
    assert_eq!(lines[0].status, LineStatus::Pending);
    assert_eq!(lines.iter().filter(|line| line.status == LineStatus::Booked).count(), 7);
    assert_eq!(ends(&records)[0].booked_sum_minor, 50_001);
}

#[test]
fn the_german_layout_reads_direction_account_and_windows_1252() {
    let settings = Settings::new(exponent_of);
    let reader = torv_bank::Reader::new(csv(CsvProfile::german_example()), GERMAN, &settings).expect("a fitting file");
    let lines = lines(&reader.collect::<Result<Vec<_>, _>>().expect("a whole file"));
    let amounts: Vec<_> = lines.iter().map(|line| line.amount_minor).collect();
    assert_eq!(amounts, [12_500, -4000, -250, -250, 30_000, 8001, 4000]);
    assert_eq!(lines[5].party.counterparty_name.as_deref(), Some("Müller & Söhne KG"));
    assert_eq!(lines[5].party.creditor_reference, Some(CreditorReference::Iso11649("RF442026ORD1006".into())));
    assert_eq!(lines[0].account.as_str(), IBAN);
}

#[test]
fn the_us_layout_reads_debit_and_credit_columns() {
    let lines = lines(&read(csv(CsvProfile::us_example()), US));
    let amounts: Vec<_> = lines.iter().map(|line| (line.amount_minor, line.booking_date.to_string())).collect();
    assert_eq!(
        amounts,
        [(123_456, "2026-01-30".into()), (-1500, "2026-01-30".into()), (-100_000, "2026-02-02".into())]
    );
    assert_eq!(lines[0].party.remittance.as_deref(), Some("STRIPE PAYOUT, ST-X1Y2"));
}

#[test]
fn the_kind_of_every_file_is_guessed() {
    let kinds = [
        (CAMT_02, FileKind::Camt053),
        (CAMT_08, FileKind::Camt053),
        (MT940, FileKind::Mt940),
        (DANISH, FileKind::Csv),
        (GERMAN, FileKind::Csv),
        (US, FileKind::Csv),
        (PAYOUTS, FileKind::StripePayoutReport),
    ];
    for (input, kind) in kinds {
        assert_eq!(sniff(input), Some(kind));
    }
}
