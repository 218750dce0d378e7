//! Listings made straight in the database, in any state: tests of the wings below need something to sell.

use entity::{
    Timestamp,
    ids::ListingId,
    listing,
    states::{Audience, ListingKind, ListingState, PersonalData, Theme, UpdateFrequency},
};
use sea_orm::{ActiveValue::Set, EntityTrait as _};
use serde_json::json;

use super::{TestApp, TestOrg};

/// What tests vary of a listing.
#[derive(Debug, Clone, Copy)]
pub struct Made {
    pub state: ListingState,
    pub theme: Theme,
    pub personal_data: PersonalData,
    pub audience: Audience,
    pub answer_within_days: Option<i32>,
}

impl Default for Made {
    /// A draft anyone might see once it is published.
    fn default() -> Self {
        Self {
            state: ListingState::Draft,
            theme: Theme::Economy,
            personal_data: PersonalData::None,
            audience: Audience::Public,
            answer_within_days: None,
        }
    }
}

impl TestApp {
    /// A listing of `org` without revision and without offer.
    pub async fn listing(&self, org: &TestOrg, made: Made) -> ListingId {
        let now = Timestamp(self.clock.now());
        let id = ListingId::at(now.0);
        let row = listing::ActiveModel {
            id: Set(id),
            organization_id: Set(org.id),
            kind: Set(ListingKind::Dataset),
            state: Set(made.state),
            version: Set(1),
            title: Set(json!({"en": "Harbour water levels"})),
            summary: Set(json!({"en": "Every ten minutes."})),
            theme: Set(made.theme),
            tags: Set(json!([])),
            place: Set(None),
            min_lon: Set(None),
            min_lat: Set(None),
            max_lon: Set(None),
            max_lat: Set(None),
            covers_from: Set(None),
            covers_until: Set(None),
            update_frequency: Set(UpdateFrequency::Daily),
            contact: Set(json!({"email": "data@example.org"})),
            use_cases: Set(json!(["Plan a mooring"])),
            personal_data: Set(made.personal_data),
            personal_data_note: Set(None),
            audience: Set(made.audience),
            answer_within_days: Set(made.answer_within_days),
            review_note: Set(None),
            search_text: Set(String::new()),
            current_revision_id: Set(None),
            has_free_offer: Set(false),
            has_paid_offer: Set(false),
            created_at: Set(now),
            updated_at: Set(now),
            published_at: Set((made.state == ListingState::Published).then_some(now)),
            retired_at: Set(None),
        };
        self.app
            .db
            .write("test.listing", move |tx| {
                let row = row.clone();
                async move {
                    listing::Entity::insert(row).exec_without_returning(tx.conn()).await?;
                    Ok(((), tx))
                }
            })
            .await
            .expect("the listing is made");
        id
    }

    /// Whether the catalogue says there is a free offer and a paid one.
    pub async fn offered(&self, id: ListingId) -> (bool, bool) {
        let row = listing::Entity::find_by_id(id).one(self.app.db.read()).await.expect("readable").expect("there");
        (row.has_free_offer, row.has_paid_offer)
    }

    /// Puts a listing into `state`, past what would be needed for it.
    pub async fn force_state(&self, id: ListingId, state: ListingState) {
        use sea_orm::{ColumnTrait as _, QueryFilter as _, sea_query::Expr};
        self.app
            .db
            .write("test.force_state", move |tx| async move {
                listing::Entity::update_many()
                    .col_expr(listing::Column::State, Expr::value(state))
                    .filter(listing::Column::Id.eq(id))
                    .exec(tx.conn())
                    .await?;
                Ok(((), tx))
            })
            .await
            .expect("the state is set");
    }
}
