//! Writes the rows and columns of a slice as Parquet.

use std::{
    collections::BTreeSet,
    fs::File,
    io::BufWriter,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use arrow_array::{BooleanArray, RecordBatch};
use arrow_schema::Schema;
use arrow_select::filter::filter_record_batch;

use super::{
    Filter,
    rows::{places, times},
};
use crate::convert::{
    ConvertError, Options, Watch, cells::bytes_of, parquet_in::ParquetIn, parquet_out::ParquetOut, watch::Bounded, wkb,
};

/// What to cut out of a table.
#[derive(Debug, Clone)]
pub struct Cut {
    /// Which rows.
    pub filter: Filter,
    /// The column that periods are cut by.
    pub time_column: Option<String>,
    /// Names of the columns to keep; they come in the order of the file.
    pub columns: Vec<String>,
    /// Metadata to be written into the file, key and value.
    pub notes: Vec<(String, String)>,
}

/// Writes the rows of `parquet`, a file of ours, that `what` takes as Parquet into `out`, in the order they have there;
/// returns how many.
///
/// # Errors
/// [`ConvertError::Unfit`] for columns that the file does not have, the others as conversions.
pub fn cut(parquet: &File, what: &Cut, out: File, options: &Options, watch: &Arc<Watch>) -> Result<u64, ConvertError> {
    // As for conversions: the reader asserts what it should check in places.
    catch_unwind(AssertUnwindSafe(|| write(parquet, what, out, options, watch)))
        .unwrap_or_else(|_| Err(ConvertError::unfit("The Parquet file is damaged: its parts contradict each other.")))
}

fn write(parquet: &File, what: &Cut, out: File, options: &Options, watch: &Watch) -> Result<u64, ConvertError> {
    let (file, _) = ParquetIn::open(parquet)?;
    let missing = || ConvertError::unfit("The file has no column of that name.");
    let place = |name: &str| file.schema.index_of(name).map_err(|_| missing());
    let kept = what.columns.iter().map(|name| place(name)).collect::<Result<BTreeSet<usize>, _>>()?;
    let geometry = file.geometry.as_ref().map(|geometry| place(&geometry.column)).transpose()?;
    let area_at = match &what.filter.area {
        Some(_) => Some(geometry.ok_or_else(|| ConvertError::unfit("The file has no geometry to cut areas by."))?),
        None => None,
    };
    let time_at = match (what.filter.period, &what.time_column) {
        (Some(_), Some(name)) => Some(place(name)?),
        (Some(_), None) => return Err(missing()),
        (None, _) => None,
    };
    let read: Vec<usize> =
        kept.iter().copied().chain(area_at).chain(time_at).collect::<BTreeSet<_>>().into_iter().collect();
    let among = |column: usize| read.iter().position(|at| *at == column);
    let fields: Vec<_> = kept.iter().filter_map(|at| file.schema.fields().get(*at).cloned()).collect();
    let schema = Arc::new(Schema::new(fields));
    let projection: Vec<usize> = kept.iter().filter_map(|at| among(*at)).collect();
    let shape_at = geometry.filter(|at| kept.contains(at)).and_then(among);
    let mut parquet = ParquetOut::new(Bounded::new(BufWriter::new(out), options.output_bytes_max), &schema)?;
    let (mut rows, mut done) = (0_u64, 0_u64);
    for batch in file.batches(Some(&read))? {
        let batch = batch?;
        if watch.is_stopped() {
            return Err(ConvertError::Stopped);
        }
        let taken = taken(&batch, &what.filter, area_at.and_then(among), time_at.and_then(among))?;
        let part = filter_record_batch(&batch, &taken)?;
        if let Some(at) = shape_at {
            let shapes = part.column(at);
            (0..part.num_rows())
                .filter_map(|row| bytes_of(shapes, row).and_then(wkb::read))
                .for_each(|shape| parquet.note_shape(&shape));
        }
        if part.num_rows() > 0 {
            let own = part.project(&projection)?;
            parquet.write(&RecordBatch::try_new(Arc::clone(&schema), own.columns().to_vec())?)?;
        }
        rows += part.num_rows() as u64;
        done += batch.num_rows() as u64;
        watch.tell(done.saturating_mul(990) / file.rows.max(1));
    }
    for (key, value) in &what.notes {
        parquet.note(key, value.clone());
    }
    let name = shape_at.and(file.geometry.as_ref()).map(|geometry| geometry.column.as_str());
    parquet.finish(name)?.into_inner()?;
    Ok(rows)
}

fn taken(
    batch: &RecordBatch,
    filter: &Filter,
    area_at: Option<usize>,
    time_at: Option<usize>,
) -> Result<BooleanArray, ConvertError> {
    let there = area_at.map(|at| places(batch.column(at)));
    let then = time_at.map(|at| times(batch.column(at))).transpose()?;
    let takes = (0..batch.num_rows()).map(|row| {
        let place = there.as_ref().and_then(|places| places.get(row).copied().flatten());
        let time = then.as_ref().and_then(|times| times.get(row).copied().flatten());
        filter.takes(place, time)
    });
    Ok(takes.collect::<Vec<bool>>().into())
}
