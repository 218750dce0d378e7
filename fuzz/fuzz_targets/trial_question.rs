//! Questions about a table that is not paid for: refused or answered, and one way of writing each.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::json;
use torv_trial::{Cell, Column, ColumnTerms, Kind, Noise, Plan, Question, Range, Row, Seed, Terms, Type};

const COLUMNS: [(&str, Type); 5] = [
    ("station", Type::Text),
    ("level", Type::Decimal(2)),
    ("count", Type::Integer),
    ("at", Type::Instant),
    ("ratio", Type::Float),
];

fn range(name: &str) -> Option<Range> {
    let (lower, upper) = match name {
        "level" => ("0", "12.5"),
        "count" => ("-1000", "1000"),
        "at" => ("2026-01-01T00:00:00Z", "2026-03-01T00:00:00Z"),
        "ratio" => ("0", "1"),
        _ => return None,
    };
    Some(Range { lower: lower.to_owned(), upper: upper.to_owned() })
}

fn terms() -> Terms {
    let columns = COLUMNS.iter().map(|(name, _)| ColumnTerms { name: (*name).to_owned(), range: range(name) });
    Terms { epsilon_milli: 100, min_group_size: 10, kinds: Kind::ALL.to_vec(), columns: columns.collect() }
}

/// A row made of the input: the ends of every type among it.
struct Invented<'a>(&'a [u8], &'a str);

impl Row for Invented<'_> {
    fn cell(&self, column: usize) -> Cell<'_> {
        let byte = self.0.get(column).copied().unwrap_or(0);
        let number = match byte % 5 {
            0 => return Cell::Null,
            1 => i128::MAX,
            2 => i128::MIN,
            3 => i128::from(byte),
            _ => 1_767_225_600_000_000_000 + i128::from(byte) * 3_600_000_000_000,
        };
        match COLUMNS[column].1 {
            Type::Text => Cell::Text(self.1),
            Type::Float => Cell::Float(f64::from_bits(u64::from(byte) << 55)),
            _ => Cell::Int(number),
        }
    }
}

fuzz_target!(|data: ([u8; 20], &str)| {
    let (bytes, text) = data;
    let question = serde_json::from_str(text).unwrap_or(Question::Aggregate { sql: text.to_owned() });
    let schema = COLUMNS.map(|(name, kind)| Column { name: name.to_owned(), kind });
    let terms = terms();
    let mut plan = match Plan::of(&question, &schema, &terms) {
        Ok(plan) => plan,
        Err(refusal) => return assert!(!refusal.detail.is_empty(), "a refusal says why"),
    };
    if let Ok(again) = serde_json::from_value::<Question>(plan.shown.clone()) {
        let again = Plan::of(&again, &schema, &terms).expect("what is shown can be asked");
        assert_eq!(plan.shown, again.shown, "a question has one way of writing");
    }
    for row in bytes.chunks(5) {
        plan.take(&Invented(row, text));
    }
    let answer = plan.answer(&Noise::Sticky(Seed([7; 32])), &terms);
    assert_eq!(json!(answer), json!(plan.answer(&Noise::Sticky(Seed([7; 32])), &terms)), "asking again tells nothing");
});
