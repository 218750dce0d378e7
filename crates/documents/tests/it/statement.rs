//! A statement re-adds, in its fields, its CSV and its PDF.

use proptest::prelude::*;
use torv_documents::{
    pdf::{self, Language},
    statement::{Statement, StatementError},
};

use crate::samples;

#[test]
fn a_closing_balance_that_is_off_by_one_is_refused() {
    let parts = samples::statement(7).unwrap().parts().clone();
    for step in [-1, 1] {
        for field in 0..3 {
            let mut wrong = parts.clone();
            match field {
                0 => wrong.opening_minor += step,
                1 => wrong.closing_minor += step,
                _ => wrong.lines[3].amount_minor += step,
            }
            assert!(matches!(Statement::new(wrong), Err(StatementError::Closing { .. })));
        }
    }
}

#[test]
fn lines_out_of_order_and_a_period_that_ends_before_it_begins_are_refused() {
    let parts = samples::statement(7).unwrap().parts().clone();
    let mut swapped = parts.clone();
    swapped.lines.reverse();
    assert!(matches!(Statement::new(swapped), Err(StatementError::Order { .. })));
    let mut backwards = parts.clone();
    std::mem::swap(&mut backwards.period.from, &mut backwards.period.to);
    assert!(matches!(Statement::new(backwards), Err(StatementError::Period { .. })));
    let mut silent = parts.clone();
    silent.lines[2].description.clear();
    assert_eq!(Statement::new(silent).unwrap_err().to_string(), "line 3 description is empty");
    let mut large = parts;
    (large.opening_minor, large.lines[0].amount_minor) = (i64::MAX, 1);
    assert!(matches!(Statement::new(large), Err(StatementError::Overflow { line: 1 })));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn the_csv_adds_up_to_the_closing_balance(opening in -1_000_000_i64..1_000_000, amounts in prop::collection::vec(-500_000_i64..500_000, 0..40)) {
        let mut parts = samples::statement(u16::try_from(amounts.len()).unwrap()).unwrap().parts().clone();
        parts.opening_minor = opening;
        parts.closing_minor = opening + amounts.iter().sum::<i64>();
        parts.lines.iter_mut().zip(&amounts).for_each(|(line, amount)| line.amount_minor = *amount);
        let closing = parts.closing_minor;
        let csv = Statement::new(parts).unwrap().to_csv().unwrap();
        let mut reader = csv::Reader::from_reader(csv.as_slice());
        let minor = |text: &str| text.replace('.', "").parse::<i64>().unwrap();
        let records: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        let moved: i64 = records.iter().map(|record| &record[4]).filter(|text| !text.is_empty()).map(minor).sum();
        prop_assert_eq!(records.len(), amounts.len() + 2);
        prop_assert_eq!(minor(&records[0][5]) + moved, closing);
        prop_assert_eq!(minor(&records[records.len() - 1][5]), closing);
    }
}

#[test]
fn a_statement_of_no_lines_and_one_of_many_render_in_every_language() {
    for language in Language::ALL {
        for movements in [0, 1, 300] {
            let bytes = pdf::render_statement(&samples::statement(movements).unwrap(), language).unwrap();
            assert!(bytes.starts_with(b"%PDF-"));
        }
    }
}
