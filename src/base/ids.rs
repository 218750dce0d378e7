//! The identifiers of everything that has one; they live beside the tables that carry them.

pub use entity::ids::{
    AccountId, ApiKeyId, AuditId, DeliveryId, EntryId, EventId, FeeRuleId, FileId, GrantId, IdError, InvitationId,
    JobId, LedgerAccountId, LicenceId, ListingId, OfferId, OrderId, OrgId, PaymentId, PayoutId, PayoutRunId,
    ReconciliationId, RevisionId, SessionId,
};
