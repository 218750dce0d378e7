use crate::base::LangText;
use crate::error::Result;
use entity::ids::*;
use entity::states::*;
use sea_orm::ConnectionTrait;
pub struct SaleFacts {
    pub listing_id: ListingId,
    pub provider_id: OrgId,
    pub title: LangText,
    pub current_revision_number: Option<i32>,
    pub state: ListingState,
    pub personal_data: PersonalData,
}
pub async fn facts_for_sale(_c: &impl ConnectionTrait, _l: ListingId, _b: Option<OrgId>) -> Result<Option<SaleFacts>> {
    Ok(None)
}
