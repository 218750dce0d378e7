use crate::base::Money;
use crate::error::Result;
use entity::ids::*;
use entity::states::*;
use sea_orm::ConnectionTrait;
use time::OffsetDateTime;
#[derive(Debug, Clone)]
pub struct SaleOffer {
    pub id: OfferId,
    pub listing_id: ListingId,
    pub provider_id: OrgId,
    pub kind: OfferKind,
    pub price: Money,
    pub term_months: Option<i32>,
    pub licence_id: LicenceId,
    pub licence_hash: String,
    pub approval_required: bool,
    pub coverage: Coverage,
}
pub async fn offer_for_sale(_c: &impl ConnectionTrait, _l: OfferId, _n: OffsetDateTime) -> Result<Option<SaleOffer>> {
    Ok(None)
}
