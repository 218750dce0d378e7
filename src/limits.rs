//! Every limit on size, count and time that a client can run into, in one place, units in the names.

/// Largest JSON body.
pub const JSON_BODY_BYTES_MAX: usize = 256 * 1024;
/// Largest webhook body.
pub const WEBHOOK_BODY_BYTES_MAX: usize = 256 * 1024;
/// Largest file of a revision.
pub const FILE_BYTES_MAX: u64 = 20 * 1024 * 1024 * 1024;
/// Most files of a revision.
pub const FILES_PER_REVISION_MAX: usize = 1_000;
/// Most bytes of a revision.
pub const REVISION_BYTES_MAX: u64 = 100 * 1024 * 1024 * 1024;
/// Longest file name.
pub const FILE_NAME_CHARS_MAX: usize = 200;
/// Most changes that a version lists, the gravest first; beyond that they are counted.
pub const VERSION_CHANGES_MAX: usize = 2_000;
/// Most changes that the news of a version lists.
pub const NEWS_CHANGES_MAX: usize = 50;
/// Longest wait of a version for the profiles of its files; one that is missing then counts as unreadable.
pub const VERSION_WAIT_HOURS: i64 = 24;
/// Most rows that an offer can demand of a slice.
pub const SLICE_ROWS_MIN_MAX: i64 = 1_000_000_000;
/// Longest name of a column in a rule for slices.
pub const SLICE_COLUMN_CHARS_MAX: usize = 200;
/// Most columns that belong to each slice of an offer, beside those that are cut by.
pub const SLICE_KEY_COLUMNS_MAX: usize = 20;
/// Most columns that a buyer names; a table has at most as many.
pub const SLICE_COLUMNS_MAX: usize = 2_048;
/// Slices a process counts at the same time; each takes a core.
pub const SLICE_COUNTS_AT_ONCE: usize = 4;
/// Open indexes that a process keeps, each with its directory: half a megabyte at 10 million rows.
pub const SLICE_INDEXES_OPEN_MAX: usize = 64;
/// Largest rendition of a file.
pub const RENDITION_BYTES_MAX: u64 = 64 * 1024 * 1024 * 1024;
/// Renditions a process makes at the same time; each takes a core, and up to 300 MB.
pub const RENDITIONS_AT_ONCE: usize = 2;
/// How long a process may be silent about a rendition before another may take it.
pub const RENDITION_LEASE_SECONDS: i64 = 120;
/// How often a process says how far a rendition is.
pub const RENDITION_PROGRESS_SECONDS: u64 = 5;
/// Tries before a rendition counts as failed, where the reason is not the file.
pub const RENDITION_ATTEMPTS_MAX: i32 = 6;
/// How long a process may be silent about re-reading a stored file before another may take over.
pub const SCRUB_LEASE_SECONDS: i64 = 600;
/// How often it says that it goes on.
pub const SCRUB_RENEW_SECONDS: u64 = 60;
/// Days from the end of one re-reading of everything to the next.
pub const SCRUB_PASS_DAYS: i64 = 30;
/// Age from which a stored file that nothing refers to may be removed.
pub const ORPHAN_AGE_HOURS_MIN: i64 = 24;
/// Longest silence of an uploading client.
pub const UPLOAD_IDLE_SECONDS_MAX: u64 = 60;
/// Rows of a page when none are asked for.
pub const PAGE_ROWS_DEFAULT: u32 = 20;
/// Most rows of a page.
pub const PAGE_ROWS_MAX: u32 = 100;
/// Longest search text.
pub const SEARCH_CHARS_MAX: usize = 200;
/// Longest title, per language.
pub const TITLE_CHARS_MAX: usize = 200;
/// Longest summary, per language.
pub const SUMMARY_CHARS_MAX: usize = 5_000;
/// Most languages of a text.
pub const LANGUAGES_MAX: usize = 12;
/// Most tags of a listing.
pub const TAGS_MAX: usize = 30;
/// Longest tag.
pub const TAG_CHARS_MAX: usize = 60;
/// Most use cases of a listing.
pub const USE_CASES_MAX: usize = 20;
/// Longest free text (a note, a use case, a reason).
pub const NOTE_CHARS_MAX: usize = 2_000;
/// Longest text of a field of evidence; processors take no more.
pub const EVIDENCE_CHARS_MAX: usize = 20_000;
/// Most organisations of a named audience.
pub const AUDIENCE_MAX: usize = 500;
/// Most active offers of a listing.
pub const OFFERS_PER_LISTING_MAX: usize = 20;
/// Furthest ahead an offer may begin.
pub const OFFER_AHEAD_DAYS_MAX: i64 = 366;
/// Furthest in the past an offer may begin: clocks differ.
pub const OFFER_PAST_SECONDS_MAX: i64 = 60;
/// Highest price in minor units; processors take eight digits.
pub const PRICE_MINOR_MAX: i64 = 99_999_999;
/// Most units of one order.
pub const QUANTITY_MAX: i32 = 100_000;
/// Longest trial.
pub const TRIAL_DAYS_MAX: u16 = 90;
/// Most tiers of a metered price.
pub const TIERS_MAX: usize = 20;
/// Most units that a price can be for, and that the counts of a meter's tiers may have in common.
pub const PER_UNITS_MAX: i64 = 1_000_000_000_000;
/// Most units of a meter, a quota pack or a forecast.
pub const METER_UNITS_MAX: i64 = 1_000_000_000_000_000;
/// Longest time in which a month's usage may still be reported.
pub const LATE_HOURS_MAX: u16 = 168;
/// Most steps of a volume discount.
pub const VOLUME_STEPS_MAX: usize = 20;
/// Most parts of a price that are paid later.
pub const INSTALMENTS_MAX: usize = 36;
/// Longest time until an instalment is due.
pub const INSTALMENT_DAYS_MAX: u16 = 1_096;
/// Most listings of a bundle.
pub const BUNDLE_PARTS_MAX: usize = 20;
/// Highest weight of a part of a bundle.
pub const BUNDLE_WEIGHT_MAX: u32 = 1_000_000;
/// Longest number of a buyer's purchase order.
pub const PURCHASE_ORDER_CHARS_MAX: usize = 70;
/// Shortest code of a coupon: too long to be found by trying.
pub const COUPON_CODE_CHARS_MIN: usize = 8;
/// Longest code of a coupon.
pub const COUPON_CODE_CHARS_MAX: usize = 40;
/// Most listings or offers that a coupon names.
pub const COUPON_TARGETS_MAX: usize = 100;
/// Most coupons of an organisation that have not ended.
pub const COUPONS_PER_ORGANIZATION_MAX: u64 = 500;
/// Most redemptions of a coupon.
pub const COUPON_REDEMPTIONS_MAX: i32 = 1_000_000;
/// Longest fixed term of a subscription.
pub const TERM_MONTHS_MAX: i32 = 36;
/// Most licences of its own that an organisation keeps in use.
pub const LICENCES_PER_ORGANIZATION_MAX: u64 = 500;
/// Longest fixed term of a licence.
pub const LICENCE_TERM_MONTHS_MAX: u16 = 120;
/// Most named persons of a licence.
pub const SEATS_MAX: u32 = 1_000_000;
/// Fewest records a minimum aggregation makes sense for.
pub const AGGREGATION_RECORDS_MIN: u32 = 2;
/// Highest minimum aggregation a licence may ask for.
pub const AGGREGATION_RECORDS_MAX: u32 = 1_000_000;
/// Longest period of notice, or to cure a breach.
pub const NOTICE_DAYS_MAX: u16 = 365;
/// Longest attribution, per language.
pub const ATTRIBUTION_CHARS_MAX: usize = 500;
/// Longest SPDX identifier.
pub const LICENCE_ID_CHARS_MAX: usize = 100;
/// Longest name by which a portal may call a licence; a longer one is prose.
pub const LICENCE_NAME_BYTES_MAX: usize = 300;
/// Longest URL.
pub const URL_CHARS_MAX: usize = 2_000;
/// Longest promise to answer an enquiry.
pub const ANSWER_DAYS_MAX: i32 = 30;
/// Longest idempotency key.
pub const IDEMPOTENCY_KEY_CHARS_MAX: usize = 255;
/// Shortest password.
pub const PASSWORD_CHARS_MIN: usize = 12;
/// Longest password; Argon2 reads it whole.
pub const PASSWORD_CHARS_MAX: usize = 200;
/// Longest wait for a turn to hash a password.
pub const PASSWORD_HASH_WAIT_SECONDS_MAX: u64 = 10;
/// Wrong passwords for one mail address before it has to wait.
pub const PASSWORD_FAILURES_MAX: i32 = 10;
/// Time after which wrong passwords are forgotten.
pub const PASSWORD_FAILURE_WINDOW_SECONDS: i64 = 15 * 60;
/// Longest language tag of an account.
pub const LOCALE_CHARS_MAX: usize = 16;
/// Longest name of a person.
pub const DISPLAY_NAME_CHARS_MAX: usize = 120;
/// Longest name of an organisation.
pub const ORGANIZATION_NAME_CHARS_MAX: usize = 200;
/// Longest name of an API key.
pub const API_KEY_NAME_CHARS_MAX: usize = 120;
/// Longest mail address.
pub const EMAIL_CHARS_MAX: usize = 254;
/// Most members of an organisation.
pub const MEMBERS_MAX: u64 = 500;
/// Most open invitations of an organisation.
pub const INVITATIONS_MAX: u64 = 200;
/// Most organisations an account may own.
pub const ORGANIZATIONS_PER_ACCOUNT_MAX: u64 = 20;
/// Most live API keys of an organisation.
pub const API_KEYS_MAX: u64 = 50;
/// Longest life of an API key.
pub const API_KEY_DAYS_MAX: i64 = 366;
/// Life of an invitation.
pub const INVITATION_DAYS: i64 = 14;
/// Password hashes computed at the same time; each takes 19 MiB and a core.
pub const PASSWORD_HASHES_AT_ONCE: usize = 4;
/// Files up to this size are served from memory, whole.
pub const SMALL_FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Memory for small files.
pub const SMALL_FILES_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Larger files are read in pieces of this size; a download holds at most two of them.
pub const DOWNLOAD_PIECE_BYTES: u64 = 256 * 1024;
/// Files whose facts (size, name, digest) are kept in memory.
pub const FILE_FACTS_MAX: usize = 16_384;
/// Longest footer of a Parquet file that is read.
pub const FOOTER_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Memory for footers.
pub const FOOTERS_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// How many footers the memory is laid out for; more fit, if they are smaller.
pub const FOOTERS_EXPECTED: usize = 1_024;
/// Shares, schemas or tables of a page of Delta Sharing when none are asked for.
pub const SHARING_ROWS_DEFAULT: u32 = 100;
/// Most versions of a table whose changes are handed out at once by Delta Sharing.
pub const SHARING_CHANGES_SPAN_MAX: usize = 500;
/// Most shares, schemas or tables of a page of Delta Sharing.
pub const SHARING_ROWS_MAX: u32 = 500;
/// Longest text of a query.
pub const SQL_CHARS_MAX: usize = 100_000;
/// Open grants, the newest, whose tables a query can name without saying which grant; others are named in `tables`.
pub const SQL_GRANTS_MAX: usize = 200;
/// Most tables that a query gives names of its own.
pub const SQL_TABLES_MAX: usize = 50;
/// Longest name that a query gives to a table.
pub const SQL_NAME_CHARS_MAX: usize = 64;
/// How much longer than its time a query's process is waited for, before it is ended.
pub const SQL_GRACE_SECONDS: u64 = 5;
/// Files that a query's process has open at once.
pub const SQL_OPEN_FILES_MAX: u64 = 1_024;
/// Rows of a page of a table when none are asked for.
pub const TABLE_ROWS_DEFAULT: u32 = 100;
/// Most rows of a page of a table.
pub const TABLE_ROWS_MAX: u32 = 10_000;
/// A page of a table ends early when its values have about this many bytes.
pub const ROWS_ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Longest time that finding the rows of a page may take.
pub const SCAN_SECONDS_MAX: u64 = 10;
/// Most bytes of a row group's columns that are read for a page.
pub const SCAN_GROUP_BYTES_MAX: u64 = 128 * 1024 * 1024;
/// Tables read at the same time.
pub const SCANS_AT_ONCE: usize = 4;
/// Longest wait for a turn to read a table.
pub const SCAN_WAIT_SECONDS_MAX: u64 = 10;
/// Most conditions on the rows of a page.
pub const ROW_FILTERS_MAX: usize = 50;
/// Grants whose tables are listed as collections of features.
pub const COLLECTION_GRANTS_MAX: usize = 200;
/// Most tables that are looked at for a list of collections.
pub const COLLECTIONS_MAX: usize = 500;
/// Features of a page when none are asked for.
pub const FEATURES_DEFAULT: u32 = 10;
/// Deliveries that wait to be written down; when so many do, further ones are counted but not recorded.
pub const DELIVERY_RECORDS_WAITING_MAX: usize = 65_536;
/// Longest time a delivery waits to be written down together with others.
pub const DELIVERY_RECORD_WAIT_MS: u64 = 250;
/// Most days a summary of deliveries spans.
pub const DELIVERY_SUMMARY_DAYS_MAX: i64 = 366;
/// Most rows (days times files) of a summary of deliveries.
pub const DELIVERY_SUMMARY_ROWS_MAX: u64 = 5_000;
/// Most days that public totals and unit economics span.
pub const TOTALS_DAYS_MAX: i64 = 366;
/// Rows of a page of the money feed when none are asked for.
pub const FEED_ROWS_DEFAULT: u32 = 100;
/// Most rows of a page of the money feed.
pub const FEED_ROWS_MAX: u32 = 1_000;
/// Most providers named in unit economics.
pub const TOP_PROVIDERS_MAX: u32 = 100;
/// Most records of one report of usage.
pub const USAGE_RECORDS_PER_REPORT_MAX: usize = 500;
/// Longest key of a usage record.
pub const USAGE_KEY_CHARS_MAX: usize = 100;
/// Most units of one usage record.
pub const USAGE_UNITS_PER_RECORD_MAX: i64 = 1_000_000_000_000;
/// Longest reason of a provider who ends a subscription.
pub const END_REASON_CHARS_MAX: usize = 400;
/// Most bank accounts of the operator.
pub const BANK_ACCOUNTS_MAX: usize = 100;
/// Largest bank statement or payout report that is uploaded; the command line takes larger ones.
pub const BANK_FILE_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;
/// Most rows of each list in a three-way report.
pub const THREE_WAY_ROWS_MAX: usize = 200;
/// Longest period of a three-way report.
pub const THREE_WAY_DAYS_MAX: i64 = 366;
/// Most notes of an exception.
pub const EXCEPTION_NOTES_MAX: usize = 500;
/// Most columns of a key of a table.
pub const KEY_COLUMNS_MAX: usize = 16;
/// Longest name of a column in a key.
pub const COLUMN_NAME_CHARS_MAX: usize = 256;
/// Most keyed tables of a listing.
pub const KEYED_TABLES_MAX: usize = 200;
/// Largest table that is compared row by row with the one before it.
pub const ROW_DIFF_FILE_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;
/// Newest revisions whose rows are compared after a key was set or changed.
pub const REKEYED_REVISIONS_MAX: u64 = 100;
/// Most bytes of row changes, one set after the other, that are put together for one download.
pub const ROW_CHANGES_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Most versions that one download of row changes spans.
pub const ROW_CHANGES_SPAN_MAX: usize = 500;
/// Downloads of row changes that are put together at the same time in one process.
pub const ROW_CHANGES_AT_ONCE: usize = 4;
/// Most webhook endpoints of an organisation.
pub const WEBHOOK_ENDPOINTS_MAX: u64 = 20;
/// Longest description of a webhook endpoint.
pub const WEBHOOK_DESCRIPTION_CHARS_MAX: usize = 200;
/// Most listings that a webhook endpoint can be narrowed to.
pub const WEBHOOK_LISTINGS_MAX: usize = 100;
/// What is read and kept of the answer to a webhook.
pub const WEBHOOK_ANSWER_BYTES_MAX: usize = 1_024;
/// Webhooks that a process sends at the same time.
pub const WEBHOOKS_AT_ONCE: usize = 64;
/// Webhooks that are on their way to one endpoint at the same time, each about another listing.
pub const WEBHOOKS_PER_ENDPOINT_AT_ONCE: u64 = 4;
/// Longest wait that a receiver may ask for with Retry-After.
pub const WEBHOOK_RETRY_AFTER_SECONDS_MAX: i64 = 24 * 60 * 60;
/// How long a webhook that was delivered, or given up, can still be looked at.
pub const WEBHOOK_HISTORY_DAYS: i64 = 30;
/// Streams of notices that a process serves at the same time.
pub const NOTICE_STREAMS_MAX: usize = 1_000;
/// Streams of notices that one person, or one API key, has open at a process.
pub const NOTICE_STREAMS_PER_READER_MAX: usize = 4;
/// Notices that a stream holds for a reader that is slow to take them.
pub const NOTICES_HELD_PER_STREAM_MAX: u64 = 100;
/// Longest silence of a stream of notices; credentials are looked at as often.
pub const NOTICE_STREAM_HEARTBEAT_SECONDS: u64 = 15;
/// Unread notices are counted up to this many.
pub const UNREAD_NOTICES_COUNTED_MAX: u64 = 1_000;
/// Most questions of a trial report.
pub const TRIAL_QUESTIONS_PER_REPORT_MAX: usize = 10;
/// Days in which questions before a purchase are counted.
pub const TRIAL_WINDOW_DAYS: i64 = 30;
/// Most new questions that an owner answers one organisation in that time.
pub const TRIAL_QUESTIONS_MAX: i32 = 200;
/// Most new questions that an owner answers all organisations together in that time.
pub const TRIAL_LISTING_QUESTIONS_MAX: i32 = 2_000;
/// Least ε of a question, in thousandths.
pub const TRIAL_EPSILON_MILLI_MIN: i32 = 10;
/// Greatest ε of a question, in thousandths.
pub const TRIAL_EPSILON_MILLI_MAX: i32 = 1_000;
/// Greatest ε of all questions of an organisation in that time, in thousandths.
pub const TRIAL_BUDGET_EPSILON_MILLI_MAX: i32 = 5_000;
/// Least number of rows below which nothing is said of a group.
pub const TRIAL_GROUP_ROWS_MIN: i32 = 10;
/// Greatest such number.
pub const TRIAL_GROUP_ROWS_MAX: i32 = 100_000;
/// Most columns that may be asked about.
pub const TRIAL_COLUMNS_MAX: usize = 200;
/// Longest bound of a range.
pub const TRIAL_BOUND_CHARS_MAX: usize = 40;
/// Longest time that reading a table for a trial report may take.
pub const TRIAL_SECONDS_MAX: u64 = 15;
