//! Reading a file, twice: to see that it holds, and to hand its rows on. Both block.

use std::{collections::BTreeSet, path::Path};

use entity::{bank_line, bank_statement, ids::BankStatementId, payout_report_line};
use sea_orm::DbBackend;
use tokio::sync::mpsc;
use torv_bank::{LineStatus, PayoutReader, Reader, Record};

use super::{
    files::{self, Plan},
    model::{self, Span},
};
use crate::{
    db::bulk::{self, Rows},
    error::{Error, Result},
};

/// Rows handed on together, and written in one statement.
pub const ROWS_PER_BATCH: usize = 2_000;
/// Rows after which progress is told.
const ROWS_PER_PROGRESS: u64 = 1_000;
/// Under this key our own id is put into the metadata of the processor's objects.
const METADATA_KEY: &str = "order_id";

/// What a whole file holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checked {
    /// Short names of the accounts whose lines are in it.
    pub accounts: BTreeSet<String>,
    /// Booked lines, or rows of a report.
    pub lines: u64,
    /// Lines that are announced only; they are left out.
    pub pending: u64,
}

/// Rows of a file, in order.
#[derive(Debug)]
pub enum Piece {
    /// Booked lines, ready to be stored, and how many.
    Lines(Rows, u64),
    /// Rows of a payout report.
    Report(Vec<payout_report_line::ActiveModel>),
    /// A statement that has ended.
    Statement(bank_statement::ActiveModel),
}

/// Reads the whole file and keeps nothing of it; `progress` is told the bytes read.
///
/// # Errors
/// `Invalid`, naming place and advice, for a file that does not hold or is of an account that is not ours.
pub fn check(path: &Path, plan: &Plan, progress: &dyn Fn(u64)) -> Result<Checked> {
    let mut checked = Checked::default();
    let Some(format) = plan.statement_format() else {
        let mut reader =
            PayoutReader::new(files::open(path)?, METADATA_KEY, &plan.settings()).map_err(model::refused)?;
        while let Some(line) = reader.next() {
            line.map_err(model::refused)?;
            checked.lines += 1;
            tell(checked.lines, reader.read_position().byte, progress);
        }
        return Ok(checked);
    };
    let mut reader = Reader::new(format, files::open(path)?, &plan.settings()).map_err(model::refused)?;
    while let Some(record) = reader.next() {
        match record.map_err(model::refused)? {
            Record::Statement(head) => {
                let place = reader.read_position();
                let refused = |sentence| {
                    Error::invalid(
                        "body",
                        format!("Nothing was imported. At line {}, byte {}: {sentence}", place.line, place.byte),
                    )
                };
                checked.accounts.insert(plan.account_of(&head).map_err(refused)?.to_owned());
            }
            Record::Line(line) if line.status == LineStatus::Booked => {
                checked.lines += 1;
                tell(checked.lines, reader.read_position().byte, progress);
            }
            Record::Line(_) => checked.pending += 1,
            Record::EndOfStatement(_) => {}
        }
    }
    Ok(checked)
}

fn tell(rows: u64, bytes: u64, progress: &dyn Fn(u64)) {
    if rows.is_multiple_of(ROWS_PER_PROGRESS) {
        progress(bytes);
    }
}

/// Reads the file again and hands its rows on, until it ends or nobody takes them any more.
///
/// # Errors
/// As [`check`]: the file may have changed in between.
pub fn hand_on(
    path: &Path,
    plan: &Plan,
    import: BankStatementId,
    backend: DbBackend,
    out: &mpsc::Sender<Piece>,
) -> Result<()> {
    let Some(format) = plan.statement_format() else { return hand_on_report(path, plan, import, out) };
    let lines = |batch: &mut Vec<bank_line::ActiveModel>| -> Result<Piece> {
        let count = batch.len() as u64;
        Ok(Piece::Lines(bulk::rows_of(backend, std::mem::take(batch))?, count))
    };
    let mut batch = Vec::with_capacity(ROWS_PER_BATCH);
    let (mut account, mut span, mut seq) = (String::new(), Span::default(), 0_i32);
    for record in Reader::new(format, files::open(path)?, &plan.settings()).map_err(model::refused)? {
        match record.map_err(model::refused)? {
            Record::Statement(head) => {
                plan.account_of(&head).map_err(|sentence| Error::invalid("body", sentence))?.clone_into(&mut account);
                span = Span::default();
            }
            Record::Line(line) if line.status == LineStatus::Booked => {
                span.add(line.booking_date);
                batch.push(model::line_row(import, &account, &line));
                if batch.len() == ROWS_PER_BATCH && !hand(out, lines(&mut batch)?) {
                    return Ok(());
                }
            }
            Record::Line(_) => {}
            Record::EndOfStatement(end) => {
                seq = seq.saturating_add(1);
                let statement = model::statement_row(import, seq, &account, span, &end);
                if !(hand(out, lines(&mut batch)?) && hand(out, Piece::Statement(statement))) {
                    return Ok(());
                }
            }
        }
    }
    hand(out, lines(&mut batch)?);
    Ok(())
}

fn hand_on_report(path: &Path, plan: &Plan, import: BankStatementId, out: &mpsc::Sender<Piece>) -> Result<()> {
    let mut batch = Vec::with_capacity(ROWS_PER_BATCH);
    for line in PayoutReader::new(files::open(path)?, METADATA_KEY, &plan.settings()).map_err(model::refused)? {
        batch.push(model::report_row(import, &line.map_err(model::refused)?));
        if batch.len() == ROWS_PER_BATCH && !hand(out, Piece::Report(std::mem::take(&mut batch))) {
            return Ok(());
        }
    }
    hand(out, Piece::Report(batch));
    Ok(())
}

/// False when nobody takes pieces any more.
fn hand(out: &mpsc::Sender<Piece>, piece: Piece) -> bool {
    let is_empty = matches!(&piece, Piece::Lines(_, 0)) || matches!(&piece, Piece::Report(rows) if rows.is_empty());
    is_empty || out.blocking_send(piece).is_ok()
}
