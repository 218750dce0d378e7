//! Statements of banks: the same records whether a file comes at once or byte by byte, and balances that add up.
#![no_main]

use std::io::{BufReader, Cursor};

use libfuzzer_sys::fuzz_target;
use torv_bank::{CsvProfile, Format, PayoutReader, Reader, Record, Settings, sniff};

fn settings() -> Settings {
    Settings::new(|code| match code {
        "EUR" | "DKK" | "USD" => Some(2),
        "JPY" => Some(0),
        "KWD" => Some(3),
        _ => None,
    })
}

fn read(format: &Format, input: impl std::io::BufRead) -> Result<Vec<Record>, String> {
    let reader = Reader::new(format.clone(), input, &settings()).map_err(|error| error.to_string())?;
    reader.map(|record| record.map_err(|error| error.to_string())).collect()
}

fn add_up(records: &[Record]) {
    let (mut sum, mut opening) = (0_i128, None);
    for record in records {
        match record {
            Record::Statement(head) => (sum, opening) = (0, head.opening.as_ref().map(|balance| balance.minor)),
            Record::Line(line) => sum += i128::from(line.amount_minor),
            Record::EndOfStatement(end) => {
                if let (Some(opening), Some(closing)) = (opening, end.computed_closing_minor) {
                    assert_eq!(i128::from(opening) + sum, i128::from(closing), "the lines lead to the balance");
                }
            }
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((first, content)) = data.split_first() else { return };
    let _ = sniff(content);
    let format = match first % 6 {
        0 => Format::Camt053,
        1 => Format::Mt940,
        2 => {
            let Ok(reader) = PayoutReader::new(Cursor::new(content), "order_id", &settings()) else { return };
            reader.take_while(Result::is_ok).for_each(drop);
            return;
        }
        profile => Format::Csv(Box::new(CsvProfile::examples().swap_remove(usize::from(profile - 3)))),
    };
    let whole = read(&format, Cursor::new(content));
    let dripping = read(&format, BufReader::with_capacity(1, content));
    assert_eq!(format!("{whole:?}"), format!("{dripping:?}"), "it does not matter how a file arrives");
    if let Ok(records) = whole {
        add_up(&records);
    }
});
