//! Reading the feed: a page of it, or all of a range into a file.

use super::{
    model::{COLUMNS, FeedRow, FileFormat, Wanted, cells},
    parquet_file::ParquetWriter,
};
use crate::{
    error::{Error, Result},
    ledger::{self, Place},
    state::AppState,
};

/// Rows read, and written, in one go; memory holds no more of a download.
const ROWS_PER_PIECE: u64 = 2_000;

/// Rows after a place, at most `limit`.
///
/// # Errors
/// Those of the database.
pub async fn page(app: &AppState, wanted: &Wanted, after: Option<Place>, limit: u64) -> Result<Vec<FeedRow>> {
    let rows = ledger::sealed_postings(app.db.read(), after, &wanted.filter(), limit).await?;
    rows.into_iter().map(FeedRow::try_from).collect()
}

impl FeedRow {
    /// Where it stands in the feed.
    pub fn place(&self) -> Place {
        Place(self.seal_number, self.seal_index, self.seq)
    }
}

/// A download on its way: it hands out one piece after the other, and holds one at a time.
pub struct Download {
    wanted: Wanted,
    after: Option<Place>,
    writer: Option<Writer>,
}

enum Writer {
    Csv { begun: bool },
    Parquet(Box<ParquetWriter>),
}

impl Download {
    /// A download of everything that is wanted.
    ///
    /// # Errors
    /// Internal, when the Parquet writer refuses its schema.
    pub fn new(format: FileFormat, wanted: Wanted) -> Result<Self> {
        let writer = match format {
            FileFormat::Csv => Writer::Csv { begun: false },
            FileFormat::Parquet => Writer::Parquet(Box::new(ParquetWriter::new()?)),
        };
        Ok(Self { wanted, after: None, writer: Some(writer) })
    }

    /// The next bytes, never none of them; nothing at the end.
    ///
    /// # Errors
    /// Those of the database and of the writer.
    pub async fn next(&mut self, app: &AppState) -> Result<Option<Vec<u8>>> {
        while let Some(writer) = &mut self.writer {
            let rows = page(app, &self.wanted, self.after, ROWS_PER_PIECE).await?;
            self.after = rows.last().map(FeedRow::place).or(self.after);
            let bytes = match writer {
                Writer::Csv { begun } => csv(&rows, !std::mem::replace(begun, true))?,
                Writer::Parquet(parquet) => parquet.write(&rows)?,
            };
            let bytes = if rows.is_empty() { [bytes, self.finish()?].concat() } else { bytes };
            if !bytes.is_empty() {
                return Ok(Some(bytes));
            }
        }
        Ok(None)
    }

    fn finish(&mut self) -> Result<Vec<u8>> {
        match self.writer.take() {
            Some(Writer::Parquet(parquet)) => parquet.finish(),
            _ => Ok(Vec::new()),
        }
    }
}

fn csv(rows: &[FeedRow], with_header: bool) -> Result<Vec<u8>> {
    let mut writer = ::csv::WriterBuilder::new().terminator(::csv::Terminator::CRLF).from_writer(Vec::new());
    if with_header {
        writer.write_record(COLUMNS).map_err(Error::internal)?;
    }
    for row in rows {
        writer.write_record(cells(row)?).map_err(Error::internal)?;
    }
    writer.into_inner().map_err(|error| Error::internal(error.to_string()))
}
