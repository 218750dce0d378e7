//! Licence documents against the hash they are kept under.

use entity::licence_document;
use sea_orm::{
    ColumnTrait as _, ConnectionTrait, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};

use super::VerifyReport;
use crate::{base::digest, error::Result};

/// Documents are whole texts, so few are read in one go.
const PAGE_DOCUMENTS: u64 = 50;

pub async fn check(
    conn: &impl ConnectionTrait,
    report: &mut VerifyReport,
    progress: &mut impl FnMut(&str, u64),
) -> Result<()> {
    let mut after: Option<String> = None;
    loop {
        let mut query =
            licence_document::Entity::find().order_by_asc(licence_document::Column::Hash).limit(PAGE_DOCUMENTS);
        if let Some(after) = after {
            query = query.filter(licence_document::Column::Hash.gt(after));
        }
        let page = query.all(conn).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.hash.clone());
        for row in &page {
            report.licence_documents += 1;
            let same = digest::sha256_hex(row.document.as_bytes()) == row.hash;
            report.require(same, || format!("the licence document {} was changed", row.hash));
        }
        progress("licence documents", report.licence_documents);
    }
}
