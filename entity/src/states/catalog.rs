//! Of listings, their files, licences and offers.

text_enums! {
    /// What a listing offers.
    ListingKind { Dataset = "dataset", }
    /// Where a listing stands.
    ListingState { Draft = "draft", InReview = "in_review", Published = "published", Retired = "retired", }
    /// The subject area of a listing.
    Theme {
        Culture = "culture", Economy = "economy", Education = "education", Energy = "energy",
        Environment = "environment", Geospatial = "geospatial", Government = "government", Health = "health",
        Housing = "housing", Meteorology = "meteorology", Population = "population", Safety = "safety",
        Science = "science", Transport = "transport",
    }
    /// How often the provider promises to update.
    UpdateFrequency {
        Never = "never", Yearly = "yearly", Quarterly = "quarterly", Monthly = "monthly", Weekly = "weekly",
        Daily = "daily", Hourly = "hourly", Continuous = "continuous", Irregular = "irregular",
    }
    /// The provider's declaration about personal data.
    PersonalData { None = "none", Pseudonymised = "pseudonymised", Contains = "contains", }
    /// Who may see a listing.
    Audience { Public = "public", Named = "named", }
    /// Where a revision stands; published is for ever.
    RevisionState { Open = "open", Published = "published", }
    /// Where the profile of a file stands.
    ProfileState { Pending = "pending", Ready = "ready", Unparsable = "unparsable", }
    /// The formats that files are offered in beside the original.
    RenditionFormat {
        /// Apache Parquet; `GeoParquet` where there is geometry.
        Parquet = "parquet",
        /// Delimited text as RFC 4180 has it, in UTF-8.
        Csv = "csv",
        /// One JSON object per line.
        Jsonl = "jsonl",
        /// `GeoJSON` as RFC 7946 has it, in WGS 84.
        Geojson = "geojson",
        /// `GeoParquet` 1.1 in WGS 84.
        Geoparquet = "geoparquet",
        /// What changed in a table since the revision before, as Parquet: made of tables with a key, for Delta Sharing.
        Changes = "changes",
    }
    /// What is wrong with a stored file.
    StorageFindingKind { Damaged = "damaged", Missing = "missing", }
    /// Where a rendition stands.
    RenditionState {
        Pending = "pending", Making = "making", Made = "made", Failed = "failed",
        /// The file has no such form: a document, or a table without geometry.
        NotApplicable = "not_applicable",
    }
    /// Whether a licence is open or written by a provider.
    LicenceKind { Open = "open", Commercial = "commercial", }
    /// How an offer is priced.
    OfferKind {
        Free = "free", OneOff = "one_off", Subscription = "subscription",
        /// Charged after each month by what was used.
        Metered = "metered",
        /// A number of units, paid ahead and used up.
        QuotaPack = "quota_pack",
        /// Several listings, of one or several providers, for one price.
        Bundle = "bundle",
    }
    /// Whether an offer can still be ordered.
    OfferState { Active = "active", Withdrawn = "withdrawn", }
    /// Which revisions a grant covers.
    Coverage {
        /// The revisions published when it was bought.
        Snapshot = "snapshot",
        /// These, and all that are published while the grant is active.
        WhileActive = "while_active",
    }
    /// Whether the rows of a table are compared with those before.
    RowChangesState {
        Pending = "pending", Ready = "ready",
        /// They can't be compared; the reason is told.
        Unavailable = "unavailable",
    }
}
