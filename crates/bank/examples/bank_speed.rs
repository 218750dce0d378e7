//! Writes a long statement, or reads one and says how fast and in how much memory.
//!
//! ```text
//! cargo run --release -p torv-bank --example bank_speed -- write camt.053.001.08 1000000 statement.xml
//! cargo run --release -p torv-bank --example bank_speed -- read statement.xml
//! ```
//! Formats: `camt.053.001.02`, `camt.053.001.08`, `mt940`, `csv` and `payouts`.

#[path = "../tests/it/writers.rs"]
mod writers;

use std::{
    error::Error,
    fs::File,
    io::{BufRead, BufReader, BufWriter, Write},
    time::Instant,
};

use time::{Duration, macros::date};
use torv_bank::{AccountId, CsvProfile, FileKind, Format, PayoutReader, Reader, Record, Settings, limits, sniff};
use writers::{Account, Entry};

const ACCOUNT: Account =
    Account { iban: "DE88990000010000004711", currency: "EUR", exponent: 2, opening_minor: 1_000_000 };

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["write", format, rows, path] => write(format, rows.parse()?, path),
        ["read", path] => read(path),
        _ => Err("usage: bank_speed write FORMAT ROWS FILE | read FILE".into()),
    }
}

/// A year of payments: nine in ten with a reference of the bank, every 97th a fee like others of its day.
fn entry(row: i64, rows: i64) -> Entry {
    let day = date!(2025 - 01 - 01) + Duration::days(row * 365 / rows);
    let is_fee = row % 97 == 0;
    let text =
        if is_fee { "Fee".to_owned() } else { format!("Order {row} dataset licence, thank you for your purchase") };
    Entry {
        booking_date: day,
        value_date: day,
        amount_minor: if is_fee { -250 } else { 100 + row % 10_000 },
        reference: (!is_fee && row % 10 != 0).then(|| format!("B{row}")),
        end_to_end_id: (!is_fee).then(|| format!("ORD-{row}")),
        mandate_id: None,
        name: (!is_fee).then(|| format!("Buyer number {}", row % 5000)),
        account: (!is_fee).then(|| "NL84TORV0000012345".to_owned()),
        text: Some(text),
    }
}

fn write(format: &str, rows: i64, path: &str) -> Result<(), Box<dyn Error>> {
    let mut out = BufWriter::new(File::create(path)?);
    let entries = (0..rows).map(|row| entry(row, rows));
    match format {
        "mt940" => writers::mt940(&mut out, &ACCOUNT, entries)?,
        "csv" => writers::danish_csv(&mut out, &ACCOUNT, entries)?,
        "payouts" => write_payouts(&mut out, rows)?,
        _ => {
            let version = format.strip_prefix("camt.053.001.").ok_or("unknown format")?;
            writers::camt(&mut out, version, &ACCOUNT, entries)?;
        }
    }
    Ok(out.flush()?)
}

fn write_payouts(out: &mut impl Write, rows: i64) -> std::io::Result<()> {
    writeln!(
        out,
        "automatic_payout_id,automatic_payout_effective_at_utc,balance_transaction_id,created_utc,available_on_utc,\
         currency,gross,fee,net,reporting_category,source_id,charge_id,payment_intent_id,trace_id,payment_metadata[order_id]"
    )?;
    for row in 0..rows {
        writeln!(
            out,
            "po_{},2026-02-03 00:00:00,txn_{row},2026-01-30 12:34:56,2026-02-02 00:00:00,eur,100.01,3.20,96.81,charge,\
             ch_{row},ch_{row},pi_{row},TRACE-{},ord_{row}",
            row / 1000,
            row / 1000
        )?;
    }
    Ok(())
}

fn read(path: &str) -> Result<(), Box<dyn Error>> {
    let mut input = BufReader::with_capacity(limits::SNIFF_BYTES.max(1 << 16), File::open(path)?);
    let kind = sniff(input.fill_buf()?).ok_or("the file is of no known kind")?;
    let exponent_of = |code: &str| (code == "EUR").then_some(2);
    let settings = Settings { account: Some(AccountId::parse(ACCOUNT.iban)), ..Settings::new(exponent_of) };
    let start = Instant::now();
    let format = match kind {
        FileKind::Camt053 => Some(Format::Camt053),
        FileKind::Mt940 => Some(Format::Mt940),
        FileKind::Csv => Some(Format::Csv(Box::new(CsvProfile::danish_example()))),
        FileKind::StripePayoutReport => None,
    };
    let (mut rows, mut sum_minor) = (0_u64, 0_i128);
    match format {
        Some(format) => {
            for record in Reader::new(format, input, &settings)? {
                if let Record::Line(line) = record? {
                    rows += 1;
                    sum_minor += i128::from(line.amount_minor);
                }
            }
        }
        None => {
            for line in PayoutReader::new(input, "order_id", &settings)? {
                rows += 1;
                sum_minor += i128::from(line?.net_minor);
            }
        }
    }
    let milliseconds = start.elapsed().as_millis().max(1);
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("VmHWM: unknown");
    let bytes = std::fs::metadata(path)?.len();
    writeln!(
        std::io::stdout(),
        "{path}: {bytes} bytes, {rows} rows, sum {sum_minor}, {milliseconds} ms, {} rows/s, {peak}",
        u128::from(rows) * 1000 / milliseconds
    )?;
    Ok(())
}
