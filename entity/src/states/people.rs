//! Of people and organisations.

text_enums! {
    /// What kind of body a provider is; public-sector bodies fall under the price guard.
    ProviderKind { PublicSector = "public_sector", Company = "company", Ngo = "ngo", Individual = "individual", }
    /// What a member may do for the organisation.
    Role {
        /// Everything, members included.
        Owner = "owner",
        /// Listings, revisions, licences, offers, approvals.
        Editor = "editor",
        /// Orders.
        Buyer = "buyer",
        /// Payouts, statements, ledger.
        Finance = "finance",
        /// Reads only.
        Viewer = "viewer",
    }
    /// Why a session ended.
    SessionEnd { Logout = "logout", TokenReuse = "token_reuse", PasswordChange = "password_change", Expired = "expired", }
}
