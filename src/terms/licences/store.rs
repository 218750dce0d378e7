//! Licences in the database, and the documents they point at.

use entity::{
    Timestamp,
    ids::{LicenceId, OrgId},
    licence, licence_document,
    states::LicenceKind,
};
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait as _, PaginatorTrait as _, QueryFilter as _,
    QueryOrder as _, QuerySelect as _,
    sea_query::{Expr, ExprTrait as _, Func, FunctionCall, OnConflict},
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::LicenceDocument;
use crate::{
    base::{LangText, digest},
    error::{Error, Result},
};

/// Where a page of licences goes on: own ones come first as they were made, then open ones by code.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct After(LicenceKind, String, LicenceId);

impl After {
    pub(super) fn row(row: &licence::Model) -> Self {
        Self(row.kind, row.code.clone().unwrap_or_default(), row.id)
    }
}

/// What a licence row is made from.
#[derive(Debug, Clone)]
pub(super) struct NewLicence {
    pub id: LicenceId,
    /// None for an open licence, which belongs to everyone.
    pub owner: Option<OrgId>,
    /// SPDX identifier of an open licence.
    pub code: Option<String>,
    pub title: LangText,
    pub hash: String,
}

/// A document with the text it is kept as.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub hash: String,
    /// Canonical JSON, whose SHA-256 is the hash.
    pub text: String,
}

/// Keeps documents under their hashes; what is there already stays as it is.
pub(super) async fn keep_documents(conn: &impl ConnectionTrait, documents: Vec<Kept>, now: Timestamp) -> Result<()> {
    let rows = documents.into_iter().map(|kept| licence_document::ActiveModel {
        hash: Set(kept.hash),
        document: Set(kept.text),
        created_at: Set(now),
    });
    let unchanged = OnConflict::new().do_nothing().to_owned();
    licence_document::Entity::insert_many(rows).on_conflict(unchanged).exec_without_returning(conn).await?;
    Ok(())
}

/// Inserts licences; one whose id or code is there already is left alone.
pub(super) async fn insert(conn: &impl ConnectionTrait, new: Vec<NewLicence>, now: Timestamp) -> Result<()> {
    let mut rows = Vec::with_capacity(new.len());
    for licence in new {
        rows.push(licence::ActiveModel {
            id: Set(licence.id),
            organization_id: Set(licence.owner),
            kind: Set(if licence.owner.is_some() { LicenceKind::Commercial } else { LicenceKind::Open }),
            code: Set(licence.code),
            title: Set(serde_json::to_value(licence.title)?),
            hash: Set(licence.hash),
            created_at: Set(now),
            archived_at: Set(None),
        });
    }
    let unchanged = OnConflict::new().do_nothing().to_owned();
    licence::Entity::insert_many(rows).on_conflict(unchanged).exec_without_returning(conn).await?;
    Ok(())
}

/// How many of these open licences have a row.
pub(super) async fn count_coded(conn: &impl ConnectionTrait, codes: Vec<&'static str>) -> Result<u64> {
    Ok(licence::Entity::find().filter(licence::Column::Code.is_in(codes)).count(conn).await?)
}

/// Number of licences `owner` has not archived.
pub(super) async fn count_live(conn: &impl ConnectionTrait, owner: OrgId) -> Result<u64> {
    let own = licence::Entity::find().filter(licence::Column::OrganizationId.eq(owner));
    Ok(own.filter(licence::Column::ArchivedAt.is_null()).count(conn).await?)
}

/// An open licence, or one of `viewer`'s own.
pub(super) async fn find_shown(
    conn: &impl ConnectionTrait,
    id: LicenceId,
    viewer: Option<OrgId>,
) -> Result<Option<licence::Model>> {
    Ok(licence::Entity::find_by_id(id).filter(open_or_of(viewer)).one(conn).await?)
}

/// One row more than `limit` of the open licences and `viewer`'s own, archived ones left out.
pub(super) async fn page(
    conn: &impl ConnectionTrait,
    viewer: Option<OrgId>,
    after: Option<After>,
    limit: usize,
) -> Result<Vec<licence::Model>> {
    let rows = licence::Entity::find()
        .filter(open_or_of(viewer))
        .filter(licence::Column::ArchivedAt.is_null())
        .filter(after.map_or_else(Condition::all, beyond))
        .order_by_asc(licence::Column::Kind)
        .order_by_asc(code_or_empty())
        .order_by_asc(licence::Column::Id)
        .limit(u64::try_from(limit + 1).unwrap_or(u64::MAX));
    Ok(rows.all(conn).await?)
}

fn open_or_of(viewer: Option<OrgId>) -> Condition {
    let own = viewer.map(|org| licence::Column::OrganizationId.eq(org));
    Condition::any().add(licence::Column::OrganizationId.is_null()).add_option(own)
}

fn beyond(After(kind, code, id): After) -> Condition {
    let same_code = Condition::all().add(code_or_empty().eq(code.clone())).add(licence::Column::Id.gt(id));
    let same_kind = Condition::any().add(code_or_empty().gt(code)).add(same_code);
    let same_kind = Condition::all().add(licence::Column::Kind.eq(kind)).add(same_kind);
    Condition::any().add(licence::Column::Kind.gt(kind)).add(same_kind)
}

fn code_or_empty() -> Expr {
    let coalesce: FunctionCall = Func::coalesce([Expr::col(licence::Column::Code), Expr::val("")]);
    Expr::from(coalesce)
}

/// Marks a licence of `owner` as archived; false when it is not theirs or was archived before.
pub(super) async fn archive(conn: &impl ConnectionTrait, id: LicenceId, owner: OrgId, now: Timestamp) -> Result<bool> {
    let done = licence::Entity::update_many()
        .col_expr(licence::Column::ArchivedAt, Expr::value(Some(now)))
        .filter(licence::Column::Id.eq(id))
        .filter(licence::Column::OrganizationId.eq(owner))
        .filter(licence::Column::ArchivedAt.is_null())
        .exec(conn)
        .await?;
    Ok(done.rows_affected == 1)
}

/// A licence that `provider` may use in a new offer: open or its own, and not archived.
///
/// # Errors
/// Those of the database.
pub async fn find_usable(
    conn: &impl ConnectionTrait,
    id: LicenceId,
    provider: OrgId,
) -> Result<Option<licence::Model>> {
    Ok(find_shown(conn, id, Some(provider)).await?.filter(|row| row.archived_at.is_none()))
}

/// Licences by id, for those who were shown an offer with them.
///
/// # Errors
/// Those of the database.
pub async fn find_named(conn: &impl ConnectionTrait, ids: Vec<LicenceId>) -> Result<Vec<licence::Model>> {
    Ok(licence::Entity::find().filter(licence::Column::Id.is_in(ids)).all(conn).await?)
}

/// The document kept under `hash`, as the text that was hashed.
///
/// # Errors
/// `NotFound`, and `Internal` when the text is not the one that was kept: its SHA-256 is checked on every read.
pub async fn find_document_text(conn: &impl ConnectionTrait, hash: &str) -> Result<String> {
    let row = licence_document::Entity::find_by_id(hash.to_owned()).one(conn).await?;
    let row = row.ok_or_else(|| Error::not_found("licence document"))?;
    require_unchanged(hash, row.document)
}

/// As [`find_document_text`], read.
///
/// # Errors
/// As [`find_document_text`].
pub async fn find_document(conn: &impl ConnectionTrait, hash: &str) -> Result<LicenceDocument> {
    Ok(serde_json::from_str(&find_document_text(conn, hash).await?)?)
}

fn require_unchanged(hash: &str, text: String) -> Result<String> {
    let found = digest::sha256_hex(text.as_bytes());
    if found == hash {
        return Ok(text);
    }
    Err(Error::internal(format!("the licence document kept under {hash} was tampered with: its hash is {found}")))
}

/// Who agreed with whom on what, and when; the names are public ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parties {
    /// What the agreement is called: the order.
    pub agreement: String,
    /// What may be used: the listing.
    pub target: String,
    /// Who grants: the provider.
    pub assigner: String,
    /// Who is granted: the buyer.
    pub assignee: String,
    /// When the grant began; a fixed term is counted from here.
    pub agreed_at: OffsetDateTime,
}

/// A licence as a receipt repeats it.
#[derive(Debug, Clone, PartialEq)]
pub struct LicenceAgreement {
    /// The document as it was accepted.
    pub document: LicenceDocument,
    /// An ODRL policy of type `Agreement`.
    pub odrl: serde_json::Value,
}

/// What two parties agreed on when one accepted the document with this hash.
///
/// # Errors
/// As [`find_document_text`].
pub async fn licence_agreement(conn: &impl ConnectionTrait, hash: &str, parties: &Parties) -> Result<LicenceAgreement> {
    let document = find_document(conn, hash).await?;
    let Parties { agreement, target, assigner, assignee, agreed_at } = parties;
    let odrl = super::odrl::agreement(
        &document.terms,
        &format!("urn:torv:order:{agreement}"),
        &format!("urn:torv:listing:{target}"),
        &format!("urn:torv:organization:{assigner}"),
        &format!("urn:torv:organization:{assignee}"),
        *agreed_at,
    );
    Ok(LicenceAgreement { document, odrl })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Problem;

    #[test]
    fn a_changed_document_is_never_returned() {
        let hash = digest::sha256_hex(b"{\"months\":12}");
        assert_eq!(require_unchanged(&hash, "{\"months\":12}".to_owned()).expect("unchanged"), "{\"months\":12}");
        let refusal = require_unchanged(&hash, "{\"months\":24}".to_owned()).expect_err("tampered");
        assert_eq!(refusal.problem, Problem::Internal);
        assert!(refusal.cause.expect("for the log").to_string().contains(&hash));
    }
}
