//! Profiles to start from. The banks are invented; the layouts are common in their countries.

use super::profile::{CsvColumns, CsvProfile, SignConvention, TextEncoding};

impl CsvColumns {
    fn only_date(name: &str) -> Self {
        Self {
            booking_date: name.into(),
            value_date: None,
            amount: None,
            debit: None,
            credit: None,
            direction: None,
            currency: None,
            account: None,
            text: Vec::new(),
            reference: None,
            end_to_end_id: None,
            mandate_id: None,
            creditor_reference: None,
            counterparty_name: None,
            counterparty_account: None,
            balance: None,
            status: None,
        }
    }
}

impl CsvProfile {
    /// A profile for each of three layouts: Danish, German, American.
    pub fn examples() -> Vec<Self> {
        vec![Self::danish_example(), Self::german_example(), Self::us_example()]
    }

    /// Semicolons, `31-01-2026`, `1.234,50`, newest row first, with the balance after each row.
    pub fn danish_example() -> Self {
        let columns = CsvColumns {
            value_date: Some("Valørdato".into()),
            amount: Some("Beløb".into()),
            currency: Some("Valuta".into()),
            text: vec!["Tekst".into()],
            reference: Some("Reference".into()),
            end_to_end_id: Some("End-to-end".into()),
            mandate_id: Some("Mandat".into()),
            creditor_reference: Some("FIK/RF".into()),
            counterparty_name: Some("Modpart".into()),
            counterparty_account: Some("Modpartskonto".into()),
            balance: Some("Saldo".into()),
            status: Some("Status".into()),
            ..CsvColumns::only_date("Bogføringsdato")
        };
        Self {
            name: "Danish layout".into(),
            delimiter: ';',
            quote: Some('"'),
            encoding: TextEncoding::Utf8,
            skip_lines: 0,
            has_header: true,
            columns,
            date_format: "DD-MM-YYYY".into(),
            decimal_separator: ',',
            thousands_separator: Some('.'),
            sign: SignConvention::CreditPositive,
            currency: None,
            debit_marks: Vec::new(),
            credit_marks: Vec::new(),
            pending_marks: vec!["Venter".into()],
        }
    }

    /// Semicolons, `31.01.2026`, Windows-1252, four lines about the account before the header.
    pub fn german_example() -> Self {
        let columns = CsvColumns {
            value_date: Some("Valutadatum".into()),
            amount: Some("Betrag".into()),
            direction: Some("Soll/Haben".into()),
            currency: Some("Währung".into()),
            account: Some("Auftragskonto".into()),
            text: vec!["Verwendungszweck".into()],
            end_to_end_id: Some("Kundenreferenz (End-to-End)".into()),
            mandate_id: Some("Mandatsreferenz".into()),
            counterparty_name: Some("Begünstigter/Zahlungspflichtiger".into()),
            counterparty_account: Some("IBAN".into()),
            ..CsvColumns::only_date("Buchungstag")
        };
        Self {
            name: "German layout".into(),
            encoding: TextEncoding::Windows1252,
            skip_lines: 4,
            columns,
            date_format: "DD.MM.YYYY".into(),
            debit_marks: vec!["S".into()],
            credit_marks: vec!["H".into()],
            pending_marks: Vec::new(),
            ..Self::danish_example()
        }
    }

    /// Commas, `01/31/2026`, `1,234.50`, one column for money paid and one for money received.
    pub fn us_example() -> Self {
        let columns = CsvColumns {
            debit: Some("Debit".into()),
            credit: Some("Credit".into()),
            text: vec!["Description".into()],
            reference: Some("Reference Number".into()),
            balance: Some("Running Balance".into()),
            ..CsvColumns::only_date("Posting Date")
        };
        Self {
            name: "US layout".into(),
            delimiter: ',',
            columns,
            date_format: "MM/DD/YYYY".into(),
            decimal_separator: '.',
            thousands_separator: Some(','),
            currency: Some("USD".into()),
            pending_marks: Vec::new(),
            ..Self::danish_example()
        }
    }
}
