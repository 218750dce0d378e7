//! The operator's rules over HTTP.

#![expect(clippy::missing_errors_doc, reason = "a handler's failures are its OpenAPI responses")]

use axum::{extract::State, http::StatusCode};
use entity::{
    Timestamp, fee_rule,
    ids::{FeeRuleId, ListingId, OfferId, OrgId},
    states::{DisputeBearer, FeeBearer, OfferKind},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::store;
use crate::{
    auth::actor::{Actor, CanFinance, Operating},
    base::{Currency, money::FULL_BPS, page::Page},
    error::{Check, Error, Result},
    http::{IdempotencyHeader, Json, PageQuery, Query, extract::page_cursor},
    people::audit,
    state::AppState,
};

/// The routes of fee rules.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(create_fee_rule, list_fee_rules))
}

/// A rule to be made.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"operator_bps": 1500, "organization_id": "org_019352f0a1b27c3d8e4f5061728394a5", "from_at": "2027-01-01T00:00:00Z"}))]
pub struct FeeRuleIn {
    /// The operator's share in basis points: 2000 is 20 %.
    #[schema(minimum = 0, maximum = 10000)]
    pub operator_bps: u32,
    /// Only sales of this provider.
    pub organization_id: Option<OrgId>,
    /// Only sales of this listing.
    pub listing_id: Option<ListingId>,
    /// Only sales at this offer.
    pub offer_id: Option<OfferId>,
    /// Only sales at offers of this kind.
    pub offer_kind: Option<OfferKind>,
    /// Only sales in this currency; a price band needs it.
    pub currency: Option<Currency>,
    /// Only sales at this price or above, in minor units.
    #[schema(minimum = 0)]
    pub price_min_minor: Option<i64>,
    /// Only sales at this price or below, in minor units.
    #[schema(minimum = 0)]
    pub price_max_minor: Option<i64>,
    /// Who bears what the processor charges; the operator, if absent.
    pub fee_bearer: Option<FeeBearer>,
    /// Who bears a dispute that the buyer's bank decides against the sale, with the processor's fee for it: the
    /// `operator` alone, the `provider` alone, or both (`split`: each loses its share, the operator bears the fee);
    /// what the exchange has configured, if absent. Frozen with each order.
    pub dispute_bearer: Option<DisputeBearer>,
    /// From when on; orders placed before keep their rule. Now, if absent; never in the past.
    pub from_at: Option<Timestamp>,
}

/// A rule.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(example = json!({"id": "fee_019352f0a1b27c3d8e4f5061728394a5", "operator_bps": 1500, "fee_bearer": "operator", "from_at": "2027-01-01T00:00:00Z", "created_at": "2026-11-21T10:00:00Z"}))]
pub struct FeeRuleView {
    /// Its id.
    pub id: FeeRuleId,
    /// The operator's share in basis points.
    pub operator_bps: i32,
    /// Only sales of this provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization_id: Option<OrgId>,
    /// Only sales of this listing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listing_id: Option<ListingId>,
    /// Only sales at this offer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offer_id: Option<OfferId>,
    /// Only sales at offers of this kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offer_kind: Option<OfferKind>,
    /// Only sales in this currency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    /// Only sales at this price or above, in minor units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_min_minor: Option<i64>,
    /// Only sales at this price or below, in minor units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_max_minor: Option<i64>,
    /// Who bears what the processor charges.
    pub fee_bearer: FeeBearer,
    /// Who bears lost disputes; what is configured, if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dispute_bearer: Option<DisputeBearer>,
    /// From when on.
    pub from_at: Timestamp,
    /// When it was made.
    pub created_at: Timestamp,
}

impl From<fee_rule::Model> for FeeRuleView {
    fn from(row: fee_rule::Model) -> Self {
        Self {
            id: row.id,
            operator_bps: row.operator_bps,
            organization_id: row.organization_id,
            listing_id: row.listing_id,
            offer_id: row.offer_id,
            offer_kind: row.offer_kind,
            currency: row.currency,
            price_min_minor: row.price_min_minor,
            price_max_minor: row.price_max_minor,
            fee_bearer: row.fee_bearer,
            dispute_bearer: row.dispute_bearer,
            from_at: row.from_at,
            created_at: row.created_at,
        }
    }
}

impl FeeRuleIn {
    fn check(&self) -> Result<()> {
        let mut check = Check::new();
        check.require(self.operator_bps <= FULL_BPS, "/operator_bps", "A share is at most 10000 basis points (100 %).");
        let (min, max) = (self.price_min_minor, self.price_max_minor);
        for (bound, pointer) in [(min, "/price_min_minor"), (max, "/price_max_minor")] {
            check.require(bound.is_none_or(|minor| minor >= 0), pointer, "A price is not below zero.");
        }
        let in_order = min.zip(max).is_none_or(|(min, max)| min <= max);
        check.require(in_order, "/price_max_minor", "The highest price is at least the lowest one.");
        let named = self.currency.is_some() || (min.is_none() && max.is_none());
        check.require(named, "/currency", "Name the currency of the price band.");
        check.done()
    }
}

/// Makes a dated rule for the operator's share, and for who bears what the processor charges and lost disputes.
///
/// Of the rules in force the most specific one wins: about the offer, the listing, the provider, a price
/// band, a currency, a kind of offer, in this order; among equals the last one. Rules are never changed or
/// removed: a later one takes over from its date, for orders placed from then on.
#[utoipa::path(post, path = "/fee-rules", tag = "settlement", security(("bearer" = [])),
    params(("Idempotency-Key" = String, Header, description = "Fresh for each new rule")),
    request_body = FeeRuleIn,
    responses((status = 201, description = "Made", body = FeeRuleView), (status = 409, description = "The key was used for another request")))]
pub async fn create_fee_rule(
    State(app): State<AppState>,
    Operating(actor, _): Operating<CanFinance>,
    key: IdempotencyHeader,
    Json(input): Json<FeeRuleIn>,
) -> Result<(StatusCode, Json<FeeRuleView>)> {
    let now = app.clock.now();
    let from_at = input.from_at.map_or(now, |at| at.0);
    input.check()?;
    let key = key.for_request(&format!("fee-rules:{}", actor.org_id()), &input)?;
    let rule = fee_rule::Model {
        id: FeeRuleId::at(now),
        organization_id: input.organization_id,
        listing_id: input.listing_id,
        offer_id: input.offer_id,
        operator_bps: i32::try_from(input.operator_bps).unwrap_or(0),
        from_at: Timestamp(from_at),
        created_by: actor.account_id,
        created_at: Timestamp(now),
        offer_kind: input.offer_kind,
        currency: input.currency.map(|currency| currency.code().to_owned()),
        price_min_minor: input.price_min_minor,
        price_max_minor: input.price_max_minor,
        fee_bearer: input.fee_bearer.unwrap_or(FeeBearer::Operator),
        dispute_bearer: input.dispute_bearer,
    };
    let made = write_rule(&app, actor, key, rule).await?;
    Ok((StatusCode::CREATED, Json(made.into())))
}

async fn write_rule(
    app: &AppState,
    actor: Actor,
    key: crate::db::idempotency::IdempotencyKey,
    rule: fee_rule::Model,
) -> Result<fee_rule::Model> {
    use crate::db::idempotency::{Claim, claim};
    let now = app.clock.now();
    app.db
        .write("trade.create_fee_rule", move |tx| {
            let (actor, key, rule) = (actor.clone(), key.clone(), rule.clone());
            async move {
                if let Claim::Replay(id) = claim(&tx, &key, &rule.id.to_string(), now).await? {
                    let made = store::find(tx.conn(), &id).await?;
                    return Ok((made, tx));
                }
                if rule.from_at.0 < now {
                    return Err(Error::invalid("/from_at", "A rule can't reach back: take a time from now on."));
                }
                store::insert(&tx, rule.clone()).await?;
                let detail = serde_json::json!({"operator_bps": rule.operator_bps, "from_at": rule.from_at});
                audit::record(&tx, &actor, "fee_rule.create", rule.id, detail, now).await?;
                Ok((rule, tx))
            }
        })
        .await
}

/// Lists all rules, newest first.
#[utoipa::path(get, path = "/fee-rules", tag = "settlement", security(("bearer" = [])), params(PageQuery),
    responses((status = 200, description = "Rules", body = Page<FeeRuleView>)))]
pub async fn list_fee_rules(
    State(app): State<AppState>,
    _operator: Operating<CanFinance>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<FeeRuleView>>> {
    let limit = page.limit()?;
    let rows = store::list(app.db.read(), page_cursor(page.cursor.as_deref())?, limit + 1).await?;
    Ok(Json(Page::from_rows(rows, limit, |row| row.id).map(FeeRuleView::from)))
}
