//! Hostile files end with an error, in bounded memory.

use std::io::{BufReader, Cursor, Read};

use torv_bank::{CsvProfile, FaultKind, Format, Reader, Settings, limits};

use crate::support::{CAMT_08, MT940, csv, refusal, samples, settings, with};

/// A reader over a start and an endless rest that is made while it is read.
fn endless(start: &[u8], byte: u8, count: u64) -> BufReader<impl Read> {
    BufReader::new(Cursor::new(start.to_vec()).chain(std::io::repeat(byte).take(count)))
}

fn first_error(format: Format, input: impl std::io::BufRead, settings: &Settings) -> FaultKind {
    match Reader::new(format, input, settings) {
        Err(error) => error.kind,
        Ok(mut reader) => reader.find_map(Result::err).expect("the file is refused").kind,
    }
}

#[test]
fn a_line_of_a_gigabyte_is_refused_early() {
    const GIGABYTE: u64 = 1 << 30;
    let camt = &CAMT_08[..CAMT_08.windows(5).position(|window| window == b"Order").expect("a text")];
    let cases: [(Format, &[u8]); 8] = [
        (Format::Camt053, b""),
        (Format::Camt053, b"<Document a='"),
        (Format::Camt053, b"<!--"),
        (Format::Camt053, b"<![CDATA["),
        (Format::Camt053, camt),
        (Format::Mt940, b":20:"),
        (csv(CsvProfile::us_example()), b""),
        (csv(CsvProfile::us_example()), b"Posting Date,\""),
    ];
    for (format, start) in cases {
        assert_eq!(first_error(format, endless(start, b'A', GIGABYTE), &settings()), FaultKind::Limit);
    }
}

#[test]
fn a_field_of_endless_lines_is_refused() {
    let start = b":20:X\n:25:1\n:60F:C260101EUR0,\n:61:260101C1,NTRFX\n:86:";
    let lines = "text\n".repeat(limits::FIELD_LINES_MAX + 1);
    assert_eq!(refusal(Format::Mt940, &[start, lines.as_bytes()].concat()).kind, FaultKind::Limit);
}

#[test]
fn deep_nesting_is_refused() {
    let deep = "<a>".repeat(limits::ELEMENT_DEPTH_MAX + 1);
    assert_eq!(refusal(Format::Camt053, deep.as_bytes()).kind, FaultKind::Limit);
    let inside = with(CAMT_08, "<n:NtryRef>", &format!("{deep}<n:NtryRef>"));
    assert_eq!(refusal(Format::Camt053, &inside).kind, FaultKind::Limit);
}

#[test]
fn entities_are_never_expanded() {
    let laughs =
        b"<?xml version='1.0'?><!DOCTYPE l [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;'>]><Document>&b;</Document>";
    assert_eq!(refusal(Format::Camt053, laughs).kind, FaultKind::Unsupported);
    let external = b"<!DOCTYPE l SYSTEM 'file:///etc/passwd'><Document/>";
    assert_eq!(refusal(Format::Camt053, external).kind, FaultKind::Unsupported);
}

#[test]
fn an_entry_of_endless_children_is_refused() {
    let entry = CAMT_08.windows(8).position(|window| window == b"<n:Ntry>").expect("an entry");
    let many = format!("<n:Ntry>{}", "<n:a></n:a>".repeat(limits::SUBTREE_BYTES_MAX / 50));
    let input = [&CAMT_08[..entry], many.as_bytes()].concat();
    assert_eq!(refusal(Format::Camt053, &input).kind, FaultKind::Limit);
}

#[test]
fn files_and_rows_beyond_the_limit_are_refused() {
    for (format, input) in samples() {
        let mut small = settings();
        small.limits.rows = 2;
        assert_eq!(first_error(format.clone(), input, &small), FaultKind::Limit);
        small = settings();
        small.limits.file_bytes = 100;
        assert_eq!(first_error(format, input, &small), FaultKind::Limit);
    }
}

#[test]
fn huge_numbers_are_refused() {
    let huge = "9".repeat(1000);
    for (format, input) in [
        (Format::Camt053, with(CAMT_08, ">125.00<", &format!(">{huge}.00<"))),
        (Format::Mt940, with(MT940, "CR125,00", &format!("CR{huge},00"))),
    ] {
        assert_eq!(refusal(format, &input).kind, FaultKind::Amount);
    }
}

#[test]
fn a_sum_beyond_the_integers_is_refused() {
    let big = "92233720368547758.07";
    let entry = format!(
        "<Ntry><Amt Ccy='EUR'>{big}</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts>BOOK</Sts>\
         <BookgDt><Dt>2026-01-31</Dt></BookgDt></Ntry>"
    );
    let input = format!(
        "<Document xmlns='urn:iso:std:iso:20022:tech:xsd:camt.053.001.02'><BkToCstmrStmt><Stmt>\
         <Acct><Id><Othr><Id>1</Id></Othr></Id></Acct>{entry}{entry}</Stmt></BkToCstmrStmt></Document>"
    );
    assert_eq!(refusal(Format::Camt053, input.as_bytes()).kind, FaultKind::Amount);
}

#[test]
fn lines_that_come_back_to_a_forgotten_day_are_refused() {
    let day = |number: usize| format!("{:02}/{:02}/2026,x,,,1.00,", number / 28 + 1, number % 28 + 1);
    let header = "Posting Date,Description,Reference Number,Debit,Credit,Running Balance";
    let mut rows: Vec<String> = (0..=limits::OPEN_DAYS_MAX).map(day).collect();
    let read = |rows: &[String]| format!("{header}\n{}\n", rows.join("\n"));
    crate::support::read(csv(CsvProfile::us_example()), read(&rows).as_bytes());
    rows.push(day(0));
    assert_eq!(refusal(csv(CsvProfile::us_example()), read(&rows).as_bytes()).kind, FaultKind::Order);
}
