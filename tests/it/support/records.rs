//! What a test looks up in the database because no page shows it: audit lines and outgoing news.

use entity::{audit_event, outbox};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _};
use serde_json::Value;

use super::TestApp;

impl TestApp {
    /// The actions the audit log knows of `resource`, oldest first.
    pub async fn audited(&self, resource: &str) -> Vec<String> {
        let lines = audit_event::Entity::find()
            .filter(audit_event::Column::Resource.eq(resource))
            .order_by_asc(audit_event::Column::At)
            .order_by_asc(audit_event::Column::Id)
            .all(self.app.db.read())
            .await
            .expect("the log is readable");
        lines.into_iter().map(|line| line.action).collect()
    }

    /// Kind and facts of the news about `topic`, oldest first.
    pub async fn news(&self, topic: &str) -> Vec<(String, Value)> {
        let news = outbox::Entity::find()
            .filter(outbox::Column::Topic.eq(topic))
            .order_by_asc(outbox::Column::Seq)
            .all(self.app.db.read())
            .await
            .expect("the outbox is readable");
        news.into_iter().map(|one| (one.kind, one.payload)).collect()
    }
}
