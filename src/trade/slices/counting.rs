//! Quoting a slice: its rows from the index, its price by the owner's rule.

use std::{fs::File, sync::Arc};

use entity::{ids::SliceId, states::RenditionState};
use quick_cache::sync::Cache;
use tokio::{sync::Semaphore, task::spawn_blocking};
use torv_tables::slices::{Filter, Index};

use super::{
    model::{Slice, SliceFile, SliceIn, area_json, columns_of, filter_of, measure},
    store::{self, IndexRow},
};
use crate::{
    delivery::LocalCopy,
    error::{Error, Result},
    limits,
    state::AppState,
    terms::offers::SaleOffer,
    trade::prices::slice_price,
};

/// The indexes that are open, and places to count.
#[derive(Debug)]
pub struct Counting {
    open: Cache<SliceId, Arc<Opened>>,
    places: Semaphore,
}

impl Default for Counting {
    fn default() -> Self {
        Self { open: Cache::new(limits::SLICE_INDEXES_OPEN_MAX), places: Semaphore::new(limits::SLICE_COUNTS_AT_ONCE) }
    }
}

/// An index that never changes. Of a bucket the file is a copy, which is gone with it.
#[derive(Debug)]
struct Opened {
    index: Index,
    _copy: LocalCopy,
}

/// A slice, counted and priced.
#[derive(Debug, Clone, PartialEq)]
pub struct Quoted {
    /// What would be frozen.
    pub slice: Slice,
    /// What it costs, in minor units before tax and coupons.
    pub price_minor: i64,
}

/// Counts what `wish` would be cut out of a revision, and prices it by the rule of the offer.
///
/// # Errors
/// `Invalid` for an offer without slices, what it does not let be cut, and what is not there; `Conflict` while the rows of
/// the revision are being counted, or where they can't be.
pub async fn quote(app: &AppState, offer: &SaleOffer, revision_number: i32, wish: &SliceIn) -> Result<Quoted> {
    let rule = offer.plan.as_ref().and_then(|plan| plan.slice.as_ref());
    let rule = rule.ok_or_else(|| Error::invalid("/slice", "Leave it out: this offer is for the whole alone."))?;
    let filter = filter_of(wish, rule)?;
    let time_column = rule.time_column.as_deref().unwrap_or_default();
    let tables = store::find_indexes(app.db.read(), offer.listing_id, revision_number, time_column).await?;
    let table = chosen(tables, wish.file.as_deref())?;
    let opened = open(app, &table).await?;
    let columns = columns_of(wish, rule, opened.index.columns())?;
    if filter.area.is_some() && !opened.index.columns().iter().any(|column| column.is_geometry) {
        return Err(Error::invalid("/slice/area", "Leave it out: no geometry was recognised in this file."));
    }
    let (area, period) = (filter.area.as_ref().map(area_json), wish.period);
    let rows = count(app, opened, filter).await?;
    let least = u64::try_from(rule.rows_min).unwrap_or(1).max(1);
    if rows < least {
        let detail = match least {
            1 => "Nothing is in there: choose a larger area, or another period.".to_owned(),
            // How many fewer is not told: rows that are not sold are not counted for anybody.
            _ => format!("Fewer than {least} rows are in there, and this offer sells no fewer: choose more."),
        };
        return Err(Error::invalid("/slice", detail));
    }
    let (cells, bytes, units) = measure(rows, &columns, rule.per)?;
    let step = app.payments.charge_rules(offer.price.currency);
    let price_minor = slice_price(rule, units, offer.price.minor, &step)?;
    let slice = Slice {
        file_id: table.file_id,
        file: table.name,
        revision_number,
        area,
        period,
        time_column: rule.time_column.clone(),
        columns: columns.into_iter().map(|column| column.name).collect(),
        rows,
        cells,
        bytes,
        per: rule.per,
        units,
    };
    Ok(Quoted { slice, price_minor })
}

/// The table that is meant: the one named, or the only one.
fn chosen(tables: Vec<IndexRow>, name: Option<&str>) -> Result<IndexRow> {
    let names = tables.iter().map(|table| table.name.clone()).collect::<Vec<_>>().join(", ");
    let mut meant: Vec<IndexRow> =
        tables.into_iter().filter(|table| name.is_none_or(|name| table.name == name)).collect();
    match (meant.pop(), meant.is_empty()) {
        (Some(table), true) => Ok(table),
        (None, _) if names.is_empty() => Err(Error::conflict(
            "The newest revision has no table that slices could be cut from, or it is being read. Try later.",
        )),
        _ => Err(Error::invalid("/slice/file", format!("Name one of the tables of the newest revision: {names}."))),
    }
}

async fn open(app: &AppState, table: &IndexRow) -> Result<Arc<Opened>> {
    let Some((id, state)) = table.index else {
        return Err(Error::conflict("The rows of the newest revision are being counted. Ask again in a minute."));
    };
    let file = match (state, &table.files) {
        (RenditionState::Made, Some(files)) => files.first(),
        (RenditionState::Failed | RenditionState::NotApplicable, _) => {
            let why = table.error.as_deref().unwrap_or_default();
            return Err(Error::conflict(format!("The rows of the newest revision can't be counted for slices. {why}")));
        }
        _ => return Err(Error::conflict("The rows of the newest revision are being counted. Ask again in a minute.")),
    };
    let file = file.ok_or_else(|| Error::internal(format!("the index {id} has no file")))?;
    let opening = async {
        let opened = open_file(app, id, file).await?;
        Ok::<_, Error>(Arc::new(opened))
    };
    app.slices.open.get_or_insert_async(&id, opening).await
}

async fn open_file(app: &AppState, id: SliceId, file: &SliceFile) -> Result<Opened> {
    // Several processes may share the folder.
    let name = format!("{id}-{}", SliceId::at(app.clock.now()).0.simple());
    let copy = app.files.local_copy(&file.blob_key, file.size_bytes, &file.sha256, &name).await?;
    let opening = spawn_blocking(move || {
        let index = Index::open(File::open(copy.path())?)?;
        Ok::<_, std::io::Error>(Opened { index, _copy: copy })
    });
    opening.await.map_err(Error::internal)?.map_err(Error::internal)
}

/// Counts off the async threads, a few at a time.
async fn count(app: &AppState, opened: Arc<Opened>, filter: Filter) -> Result<u64> {
    let _place = app.slices.places.acquire().await.map_err(Error::internal)?;
    let counting = spawn_blocking(move || opened.index.count(&filter));
    counting.await.map_err(Error::internal)?.map_err(Error::internal)
}
