//! A listing with files, and a grant on it, made straight in the database.

use bytes::Bytes;
use entity::{
    Timestamp, file, grant,
    ids::{FileId, GrantId, ListingId, OrderId, RevisionId},
    listing, order, revision,
    states::{
        Audience, Coverage, GrantState, ListingKind, ListingState, OrderState, PersonalData, ProfileState,
        RevisionState, Theme, UpdateFrequency,
    },
};
use sea_orm::{ActiveValue::Set, EntityTrait as _};
use serde_json::json;
use time::Duration;

use super::{TestApp, TestOrg};

/// A listing that was granted to a buyer.
#[derive(Debug, Clone)]
pub struct Granted {
    pub provider: TestOrg,
    pub buyer: TestOrg,
    pub listing: ListingId,
    pub grant: GrantId,
}

impl TestApp {
    /// A published listing without files, and an active grant on it that covers `through_revision`.
    pub async fn granted(&self, coverage: Coverage, through_revision: i32) -> Granted {
        let (provider, buyer) = (self.provider().await, self.buyer().await);
        let listing = self.bare_listing(&provider).await;
        let grant = self.bare_grant(&provider, &buyer, listing, coverage, through_revision).await;
        Granted { provider, buyer, listing, grant }
    }

    async fn bare_listing(&self, provider: &TestOrg) -> ListingId {
        let now = Timestamp(self.clock.now());
        let id = ListingId::at(now.0);
        let row = listing::ActiveModel {
            id: Set(id),
            organization_id: Set(provider.id),
            kind: Set(ListingKind::Dataset),
            state: Set(ListingState::Published),
            version: Set(1),
            title: Set(json!({"en": "Bridges"})),
            summary: Set(json!({"en": "All bridges of the city"})),
            theme: Set(Theme::Transport),
            tags: Set(json!([])),
            place: Set(None),
            min_lon: Set(None),
            min_lat: Set(None),
            max_lon: Set(None),
            max_lat: Set(None),
            covers_from: Set(None),
            covers_until: Set(None),
            update_frequency: Set(UpdateFrequency::Daily),
            contact: Set(json!({})),
            use_cases: Set(json!([])),
            personal_data: Set(PersonalData::None),
            personal_data_note: Set(None),
            audience: Set(Audience::Public),
            answer_within_days: Set(None),
            review_note: Set(None),
            search_text: Set("bridges".to_owned()),
            current_revision_id: Set(None),
            has_free_offer: Set(true),
            has_paid_offer: Set(false),
            created_at: Set(now),
            updated_at: Set(now),
            published_at: Set(Some(now)),
            retired_at: Set(None),
        };
        self.insert(row).await;
        id
    }

    /// An active grant of thirty days, with the order behind it.
    pub async fn bare_grant(
        &self,
        provider: &TestOrg,
        buyer: &TestOrg,
        listing_id: ListingId,
        coverage: Coverage,
        through_revision: i32,
    ) -> GrantId {
        let now = self.clock.now();
        let (id, order_id) = (GrantId::at(now), OrderId::at(now));
        let order = order::ActiveModel {
            id: Set(order_id),
            buyer_id: Set(buyer.id),
            placed_by: Set(Some(buyer.owner)),
            state: Set(OrderState::Completed),
            use_case: Set("Routes for heavy lorries".to_owned()),
            currency: Set("DKK".to_owned()),
            total_minor: Set(0),
            created_at: Set(Timestamp(now)),
            expires_at: Set(Timestamp(now + Duration::days(2))),
            decided_at: Set(None),
            decision_note: Set(None),
            closed_at: Set(Some(Timestamp(now))),
            hold_ended_at: Set(None),
            ..Default::default()
        };
        self.insert(order).await;
        let grant = grant::ActiveModel {
            id: Set(id),
            order_id: Set(order_id),
            line_no: Set(1),
            listing_id: Set(listing_id),
            organization_id: Set(buyer.id),
            provider_id: Set(provider.id),
            licence_hash: Set("0".repeat(64)),
            coverage: Set(coverage),
            through_revision: Set(through_revision),
            state: Set(GrantState::Active),
            starts_at: Set(Timestamp(now)),
            ends_at: Set(Some(Timestamp(now + Duration::days(30)))),
            ended_at: Set(None),
            end_reason: Set(None),
            ..Default::default()
        };
        self.insert(grant).await;
        id
    }

    /// A revision of `listing_id` with one file.
    pub async fn bare_file(
        &self,
        listing_id: ListingId,
        number: i32,
        state: RevisionState,
        (name, media_type): (&str, &str),
        bytes: &[u8],
    ) -> FileId {
        let now = Timestamp(self.clock.now());
        let (id, revision_id) = (FileId::at(now.0), RevisionId::at(now.0));
        let key = blob_key(id);
        let body = futures::stream::iter([Ok(Bytes::copy_from_slice(bytes))]);
        let stored = self.app.files.put(&key, body, u64::MAX).await.expect("the file is stored");
        let size_bytes = i64::try_from(stored.size_bytes).expect("a size");
        let revision = revision::ActiveModel {
            id: Set(revision_id),
            listing_id: Set(listing_id),
            number: Set(number),
            state: Set(state),
            note: Set(String::new()),
            created_at: Set(now),
            published_at: Set((state == RevisionState::Published).then_some(now)),
            file_count: Set(1),
            size_bytes: Set(size_bytes),
            ..Default::default()
        };
        self.insert(revision).await;
        let row = file::ActiveModel {
            id: Set(id),
            revision_id: Set(revision_id),
            name: Set(name.to_owned()),
            media_type: Set(media_type.to_owned()),
            format: Set(name.rsplit('.').next().unwrap_or_default().to_owned()),
            size_bytes: Set(size_bytes),
            sha256: Set(stored.sha256),
            blob_key: Set(key),
            created_at: Set(now),
            profile_state: Set(ProfileState::Pending),
            profile: Set(None),
            profile_error: Set(None),
            sample_policy: Set(json!({"show": "full"})),
            time_zone: Set(None),
            crs: Set(None),
        };
        self.insert(row).await;
        id
    }

    /// Changes the state of a grant behind everybody's back.
    pub async fn set_grant_state(&self, id: GrantId, state: GrantState) {
        let row = grant::ActiveModel { id: Set(id), state: Set(state), ..Default::default() };
        self.app
            .db
            .write("test.grant_state", move |tx| {
                let row = row.clone();
                async move {
                    grant::Entity::update(row).exec(tx.conn()).await?;
                    Ok(((), tx))
                }
            })
            .await
            .expect("the grant changes");
    }

    async fn insert<A>(&self, row: A)
    where
        A: sea_orm::ActiveModelTrait + sea_orm::ActiveModelBehavior + Clone + Send + Sync + 'static,
    {
        self.app
            .db
            .write("test.insert", move |tx| {
                let row = row.clone();
                async move {
                    A::Entity::insert(row).exec_without_returning(tx.conn()).await?;
                    Ok(((), tx))
                }
            })
            .await
            .expect("the row is inserted");
    }
}

/// Where [`TestApp::bare_file`] keeps the bytes.
pub fn blob_key(id: FileId) -> String {
    format!("test/{id}")
}
