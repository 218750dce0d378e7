//! Statements with a fault: each is refused where it is, by what is wrong.

use torv_bank::{FaultKind, Format};

use crate::support::{CAMT_02, CAMT_08, MT940, lines, read, refusal, with};

#[test]
fn wrong_camt_statements_are_refused_at_their_element() {
    let cases: Vec<(&str, &str, FaultKind, &str)> = vec![
        ("1500.01", "1500.02", FaultKind::Balance, "Document/BkToCstmrStmt/Stmt"),
        ("<NbOfNtries>7<", "<NbOfNtries>8<", FaultKind::Total, "Document/BkToCstmrStmt/Stmt"),
        ("<Sum>", "<Sum>1", FaultKind::Total, "Document/BkToCstmrStmt/Stmt"),
        ("Ccy=\"EUR\">125.00", "Ccy=\"EUR\">125,00", FaultKind::Amount, "Document/BkToCstmrStmt/Stmt[1]/Ntry[1]/Amt"),
        ("Ccy=\"EUR\">40.00", "Ccy=\"EUR\">-40.00", FaultKind::Amount, "Document/BkToCstmrStmt/Stmt[1]/Ntry[2]/Amt"),
        ("Ccy=\"EUR\">125.00", "Ccy=\"USD\">125.00", FaultKind::Currency, "Document/BkToCstmrStmt/Stmt[1]/Ntry[1]/Amt"),
        ("Ccy=\"EUR\">125.00", ">125.00", FaultKind::Currency, "Document/BkToCstmrStmt/Stmt[1]/Ntry[1]/Amt"),
        ("Ccy=\"JPY\">1200", "Ccy=\"JPY\">1200.5", FaultKind::Amount, "Document/BkToCstmrStmt/Stmt[2]/Ntry[1]/Amt"),
        ("<Ccy>EUR", "<Ccy>XYZ", FaultKind::Currency, "Document/BkToCstmrStmt/Stmt[1]/Acct/Ccy"),
        ("<Sts>BOOK", "<Sts>INFO", FaultKind::Invalid, "Document/BkToCstmrStmt/Stmt[1]/Ntry[1]/Sts"),
        (
            "<BookgDt><Dt>2026-01-30",
            "<BookgDt><Dt>2026-02-30",
            FaultKind::Invalid,
            "Document/BkToCstmrStmt/Stmt[1]/Ntry[1]/BookgDt",
        ),
        ("<RvslInd>true", "<RvslInd>yes", FaultKind::Invalid, "Document/BkToCstmrStmt/Stmt[1]/Ntry[7]/RvslInd"),
        ("camt.053.001.02", "camt.052.001.02", FaultKind::Unsupported, "Document"),
        ("camt.053.001.02", "camt.053.001.99", FaultKind::Unsupported, "Document"),
        ("urn:iso:std:iso:20022:tech:xsd:", "urn:example:", FaultKind::Unsupported, "Document"),
        ("<BkToCstmrStmt>", "<BkToCstmrDbtCdtNtfctn>", FaultKind::Unsupported, "Document/BkToCstmrDbtCdtNtfctn"),
        ("Anna", "&anna;", FaultKind::Syntax, ""),
        ("Ccy=\"EUR\">125.00", "Ccy=\"EUR\" Ccy=\"EUR\">125.00", FaultKind::Syntax, ""),
        ("Anna", "&#0;", FaultKind::Syntax, ""),
        ("Anna", "\0", FaultKind::Syntax, ""),
        ("<Document", "<!DOCTYPE Document><Document", FaultKind::Unsupported, ""),
        ("ISO-8859-1", "UTF-8", FaultKind::Encoding, ""),
        ("ISO-8859-1", "UTF-16", FaultKind::Unsupported, ""),
        ("ISO-8859-1", "EBCDIC", FaultKind::Unsupported, ""),
    ];
    for (from, to, kind, path) in cases {
        let error = refusal(Format::Camt053, &with(CAMT_02, from, to));
        assert_eq!(error.kind, kind, "{from} -> {to}: {error}");
        assert!(path.is_empty() || error.path == path, "{from} -> {to}: {error}");
        assert!(error.advice.ends_with('.'), "{error}");
    }
}

#[test]
fn a_wrong_balance_names_both_balances() {
    for (format, input) in [
        (Format::Camt053, with(CAMT_02, "1500.01", "1500.02")),
        (Format::Mt940, with(MT940, "EUR1500,01", "EUR1500,02")),
    ] {
        let text = refusal(format, &input).to_string();
        assert!(text.contains("1500.01 EUR") && text.contains("1500.02 EUR"), "{text}");
    }
}

#[test]
fn positions_are_of_the_file_as_sent() {
    let input = with(CAMT_02, "Ccy=\"JPY\">1200", "Ccy=\"JPY\">12x0");
    let error = refusal(Format::Camt053, &input);
    let start = usize::try_from(error.position.byte).expect("a short file");
    // A character of ISO-8859-1 before it is one byte in the file and two in UTF-8.
    assert!(input[start..].starts_with(b"<Amt Ccy=\"JPY\">12x0"), "{error}");
    let lines_before = input[..start].iter().filter(|byte| **byte == b'\n').count();
    assert_eq!(error.position.line, lines_before as u64 + 1);
}

#[test]
fn elements_of_other_namespaces_are_not_the_bank_s() {
    let foreign = "<x:Amt xmlns:x=\"urn:example\" Ccy=\"EUR\">999.00</x:Amt><NtryRef>1</NtryRef>";
    let input = with(CAMT_02, "<NtryRef>1</NtryRef>", foreign);
    assert_eq!(lines(&read(Format::Camt053, &input)), lines(&read(Format::Camt053, CAMT_02)));
}

#[test]
fn an_envelope_around_the_message_is_skipped() {
    let text = String::from_utf8(CAMT_08.to_vec()).expect("UTF-8");
    let (declaration, message) = text.split_once("?>").expect("a declaration");
    let wrapped = format!("{declaration}?><Envelope xmlns=\"urn:example\"><Header/>{message}</Envelope>");
    assert_eq!(read(Format::Camt053, wrapped.as_bytes()), read(Format::Camt053, CAMT_08));
}

#[test]
fn versions_between_are_read() {
    for version in ["03", "04", "06", "09", "10"] {
        let input = with(CAMT_08, "camt.053.001.08", &format!("camt.053.001.{version}"));
        assert_eq!(lines(&read(Format::Camt053, &input)).len(), 8);
    }
}

#[test]
fn wrong_mt940_statements_are_refused_at_their_field() {
    let cases = [
        ("EUR1500,01", "EUR1500,02", FaultKind::Balance, ":62F:"),
        (":62M:C260130EUR1080,00", ":62M:C260130EUR1080,01", FaultKind::Balance, ":62M:"),
        (":60M:C260130EUR1080,00", ":60M:C260130EUR1081,00", FaultKind::Balance, ":60M:"),
        ("CR125,00", "CR125.00", FaultKind::Amount, ":61:"),
        ("CR125,00", "CR99999999999999,00", FaultKind::Amount, ":61:"),
        ("2601300130CR125", "2602300130CR125", FaultKind::Syntax, ":61:"),
        ("2601300130CR125", "2601300130XR125", FaultKind::Syntax, ":61:"),
        ("CR1200,", "CR1200,5", FaultKind::Amount, ":61:"),
        ("260129EUR", "260129XYZ", FaultKind::Currency, ":60F:"),
        (":62F:C260131EUR", ":62F:C260131USD", FaultKind::Currency, ":62F:"),
        (":25:TORVDEFFXXX/DE88990000010000004711\r\n", "", FaultKind::Missing, ":60F:"),
        (":60F:C260129EUR1000,00\r\n", "", FaultKind::Missing, ":61:"),
        (":62F:C260131EUR1500,01\r\n", "", FaultKind::Truncated, ":20:"),
        ("{2:O940", "{2:O942", FaultKind::Unsupported, ""),
        (":20:STMT-2026-21", "STMT-2026-21", FaultKind::Syntax, ""),
        ("Account fee", "Account\0fee", FaultKind::Encoding, ""),
        ("-}\r\n", "-}\r\nbetween messages\r\n", FaultKind::Syntax, ""),
    ];
    for (from, to, kind, path) in cases {
        let error = refusal(Format::Mt940, &with(MT940, from, to));
        assert_eq!((error.kind, error.path.as_str()), (kind, path), "{from} -> {to}: {error}");
    }
}

#[test]
fn a_page_without_its_successor_ends_as_intermediate() {
    let text = String::from_utf8_lossy(MT940).into_owned();
    let page: String = text.split_inclusive("-}").take(1).collect();
    let records = read(Format::Mt940, page.as_bytes());
    let ends = crate::support::ends(&records);
    assert_eq!(lines(&records).len(), 4);
    assert!(ends[0].is_intermediate && ends[0].computed_closing_minor == Some(108_000));
}
