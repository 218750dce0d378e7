//! Coupons over HTTP.

#![expect(clippy::missing_errors_doc, reason = "a handler's failures are its OpenAPI responses")]

use axum::{extract::State, http::StatusCode};
use entity::{
    Timestamp, coupon,
    ids::{CouponId, ListingId, OfferId},
    states::CouponScope,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{model::Draft, service, store};
use crate::{
    auth::actor::{Acting, CanEdit, CanRead},
    base::{Money, page::Page},
    error::{Error, Result},
    http::{
        Id, Json, Query,
        extract::{page_cursor, page_limit},
    },
    state::AppState,
};

/// The routes of coupons.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(create_coupon, list_coupons)).routes(routes!(end_coupon))
}

/// A coupon to be made. It is for all your offers, unless you name listings or offers.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "code": "SPRING-26-HARBOUR", "percent_bps": 2000, "redemptions_max": 100, "per_buyer_max": 1,
    "valid_until": "2027-06-01T00:00:00Z"
}))]
pub struct CouponIn {
    /// What buyers type: letters, digits and hyphens; capitals and small letters are the same. Make it hard to guess.
    #[schema(min_length = 8, max_length = 40)]
    pub code: String,
    /// A part of the price in basis points, or a sum in `off`.
    #[schema(minimum = 1, maximum = 10_000)]
    pub percent_bps: Option<u32>,
    /// A sum, off prices in its currency; what exceeds the price is lost.
    pub off: Option<Money>,
    /// Only for offers of these listings of yours.
    pub listings: Option<Vec<ListingId>>,
    /// Only for these offers of yours.
    pub offers: Option<Vec<OfferId>>,
    /// From when it holds; now without it.
    pub valid_from: Option<Timestamp>,
    /// From when it does not hold any more.
    pub valid_until: Option<Timestamp>,
    /// How many orders may use it.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub redemptions_max: Option<i32>,
    /// How many orders of one buyer may use it.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub per_buyer_max: Option<i32>,
}

/// A coupon.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "id": "cpn_019352f0a1b27c3d8e4f5061728394a5", "code": "SPRING-26-HARBOUR", "percent_bps": 2000, "scope": "all",
    "targets": [], "valid_from": "2026-11-21T10:00:00Z", "redemptions_max": 100, "redeemed": 3,
    "created_at": "2026-11-21T10:00:00Z"
}))]
pub struct CouponView {
    /// Its id.
    pub id: CouponId,
    /// What buyers type.
    pub code: String,
    /// The part of the price that it takes off, in basis points.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent_bps: Option<i32>,
    /// The sum that it takes off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub off: Option<Money>,
    /// What it is for.
    pub scope: CouponScope,
    /// The listings or offers it is for.
    #[schema(value_type = Vec<String>)]
    pub targets: serde_json::Value,
    /// From when it holds.
    pub valid_from: Timestamp,
    /// From when it does not hold any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Timestamp>,
    /// How many orders may use it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redemptions_max: Option<i32>,
    /// How many orders of one buyer may use it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_buyer_max: Option<i32>,
    /// How many orders use it; those closed unpaid gave it back.
    pub redeemed: i32,
    /// When it was made.
    pub created_at: Timestamp,
    /// When you ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}

impl TryFrom<coupon::Model> for CouponView {
    type Error = Error;

    fn try_from(row: coupon::Model) -> Result<Self> {
        let currency = row.currency.as_deref().map(str::parse).transpose();
        let currency = currency.map_err(|error: crate::base::currency::UnknownCurrency| Error::internal(error))?;
        Ok(Self {
            id: row.id,
            code: row.code,
            percent_bps: row.off_bps,
            off: row.off_minor.zip(currency).map(|(minor, currency)| Money::new(minor, currency)),
            scope: row.scope,
            targets: row.targets,
            valid_from: row.valid_from,
            valid_until: row.valid_until,
            redemptions_max: row.redemptions_max,
            per_buyer_max: row.per_buyer_max,
            redeemed: row.redeemed,
            created_at: row.created_at,
            ended_at: row.ended_at,
        })
    }
}

/// Makes a coupon for offers of your own. It never changes: end it and make another.
#[utoipa::path(post, path = "/coupons", tag = "trade", security(("bearer" = [])), request_body = CouponIn,
    responses(
        (status = 201, description = "The coupon", body = CouponView),
        (status = 409, description = "You have, or had, a coupon with this code, or too many")))]
pub async fn create_coupon(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanEdit>,
    Json(input): Json<CouponIn>,
) -> Result<(StatusCode, Json<CouponView>)> {
    let draft = Draft {
        code: input.code,
        percent_bps: input.percent_bps,
        off: input.off,
        listings: input.listings,
        offers: input.offers,
        valid_from: input.valid_from.map(|at| at.0),
        valid_until: input.valid_until.map(|at| at.0),
        redemptions_max: input.redemptions_max,
        per_buyer_max: input.per_buyer_max,
    };
    let row = service::create(&app, actor, draft).await?;
    Ok((StatusCode::CREATED, Json(row.try_into()?)))
}

/// Which coupons to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct CouponQuery {
    /// Rows of the page, 1 to 100.
    #[param(minimum = 1, maximum = 100)]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// Lists your coupons, newest first.
#[utoipa::path(get, path = "/coupons", tag = "trade", security(("bearer" = [])), params(CouponQuery),
    responses((status = 200, description = "A page of coupons", body = Page<CouponView>)))]
pub async fn list_coupons(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanRead>,
    Query(query): Query<CouponQuery>,
) -> Result<Json<Page<CouponView>>> {
    let (limit, before) = (page_limit(query.limit)?, page_cursor(query.cursor.as_deref())?);
    let rows = store::page(app.db.read(), actor.org_id(), before, limit).await?;
    let Page { items, next_cursor } = Page::from_rows(rows, limit, |row| row.id);
    let items = items.into_iter().map(CouponView::try_from).collect::<Result<_>>()?;
    Ok(Json(Page { items, next_cursor }))
}

/// Ends a coupon of your own. Orders that use it stay as they are.
#[utoipa::path(post, path = "/coupons/{id}/end", tag = "trade", params(("id" = CouponId, Path)), security(("bearer" = [])),
    responses((status = 200, description = "The coupon, ended", body = CouponView), (status = 409, description = "It was ended before")))]
pub async fn end_coupon(
    State(app): State<AppState>,
    Acting(actor, _): Acting<CanEdit>,
    Id(id): Id<CouponId>,
) -> Result<Json<CouponView>> {
    Ok(Json(service::end(&app, actor, id).await?.try_into()?))
}
