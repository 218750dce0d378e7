//! Parquet files, and grants that open them.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryArray, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow_schema::Schema;
use entity::{
    Timestamp, file,
    ids::{FileId, ListingId, RenditionId},
    rendition,
    states::{RenditionFormat, RenditionState, RevisionState},
};
use parquet::{
    arrow::ArrowWriter,
    file::{metadata::KeyValue, properties::WriterProperties},
};
use sea_orm::{ActiveValue::Set, EntityTrait as _};

use super::TestApp;

/// What tables are served as.
pub const PARQUET: &str = "application/vnd.apache.parquet";

/// A Parquet file of these columns, some rows to a row group, with `geo` as its metadata of geometry.
pub fn parquet(columns: Vec<(&str, ArrayRef)>, group_rows: usize, geo: Option<&str>) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter(columns).expect("columns of one length");
    let geo = geo.map(|geo| vec![KeyValue::new("geo".to_owned(), geo.to_owned())]);
    let properties =
        WriterProperties::builder().set_max_row_group_row_count(Some(group_rows)).set_key_value_metadata(geo).build();
    let mut bytes = Vec::new();
    let schema = Arc::new(Schema::new(batch.schema().fields().clone()));
    let mut writer = ArrowWriter::try_new(&mut bytes, schema, Some(properties)).expect("a writer");
    writer.write(&batch).expect("written");
    writer.close().expect("closed");
    bytes
}

/// Gauges along a river: `rows` of them, one degree apart to the east, ten minutes apart in time.
pub fn gauges(rows: i64, group_rows: usize) -> Vec<u8> {
    let each = 0..rows;
    let names = each.clone().map(|n| Some(format!("gauge {}", n % 7))).collect::<StringArray>();
    let levels = each.clone().map(|n| (n % 5 != 4).then(|| i128::from(n * 25 - 50))).collect::<Decimal128Array>();
    let levels = levels.with_precision_and_scale(10, 2).expect("a decimal");
    let flow = each.clone().map(|n| f64::from(u32::try_from(n).expect("small")) / 4.0).collect::<Vec<_>>();
    let start = 1_763_712_000_000_000_i64;
    let times = TimestampMicrosecondArray::from_iter_values(each.clone().map(|n| start + n * 600_000_000));
    let points: Vec<Vec<u8>> = each.clone().map(|n| point(n % 180, 36)).collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("number", Arc::new(Int64Array::from_iter_values(each))),
        ("station", Arc::new(names)),
        ("level", Arc::new(levels)),
        ("PM2.5 (µg/m³)", Arc::new(Float64Array::from(flow))),
        ("at", Arc::new(times.with_timezone("UTC"))),
        ("geometry", Arc::new(BinaryArray::from_iter_values(points))),
    ];
    let geo = r#"{"version":"1.1.0","primary_column":"geometry","columns":{"geometry":{"encoding":"WKB","geometry_types":["Point"],"bbox":[0,36,179,36]}}}"#;
    parquet(columns, group_rows, Some(geo))
}

/// A point as WKB.
pub fn point(longitude: i64, latitude: i64) -> Vec<u8> {
    let mut wkb = vec![1, 1, 0, 0, 0];
    for degrees in [longitude, latitude] {
        let degrees = f64::from(i32::try_from(degrees).expect("degrees"));
        wkb.extend_from_slice(&degrees.to_le_bytes());
    }
    wkb
}

impl TestApp {
    /// A published revision of `listing` with one table, as if it had been rendered.
    pub async fn table(&self, listing: ListingId, number: i32, name: &str, bytes: &[u8]) -> FileId {
        let id = self.bare_file(listing, number, RevisionState::Published, (name, PARQUET), bytes).await;
        let stored = file::Entity::find_by_id(id).one(self.app.db.read()).await.expect("readable").expect("there");
        let now = Timestamp(self.clock.now());
        let row = rendition::ActiveModel {
            id: Set(RenditionId::at(now.0)),
            file_id: Set(id),
            format: Set(RenditionFormat::Parquet),
            state: Set(RenditionState::Made),
            attempts: Set(1),
            run_at: Set(now),
            lease_until: Set(None),
            progress_permille: Set(1_000),
            blob_key: Set(Some(stored.blob_key)),
            size_bytes: Set(Some(stored.size_bytes)),
            sha256: Set(Some(stored.sha256)),
            row_count: Set(None),
            columns: Set(None),
            crs: Set(None),
            error: Set(None),
            created_at: Set(now),
            made_at: Set(Some(now)),
        };
        self.app
            .db
            .write("test.table", move |tx| {
                let row = row.clone();
                async move {
                    rendition::Entity::insert(row).exec_without_returning(tx.conn()).await?;
                    Ok(((), tx))
                }
            })
            .await
            .expect("the table is there");
        id
    }
}
