//! Policies and reports as they are shown, and questions as they are sent.

use entity::{
    Timestamp,
    ids::{ListingId, TrialReportId},
    trial_report,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use torv_trial::{ColumnTerms, Kind, Question};

use super::{
    model::Budget,
    policy::TrialPolicyIn,
    store::{KindCount, ReportRow},
};
use crate::{error::Result, limits};

/// What may be asked before a purchase, and what is left of it for you.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "listing_id": "lst_019352f0a1b27c3d8e4f5061728394a5", "enabled": true, "kinds": ["coverage", "aggregate"],
    "columns": [{"name": "station"}, {"name": "level", "range": {"lower": "0", "upper": "12.5"}}],
    "min_group_size": 10, "epsilon_milli": 100, "window_days": 30, "questions_max": 20, "listing_questions_max": 100,
    "buyer_epsilon_milli": 2000, "listing_epsilon_milli": 10000, "questions_left": 18, "listing_questions_left": 77
}))]
pub(super) struct TrialPolicyView {
    listing_id: ListingId,
    /// Whether questions are answered at all.
    enabled: bool,
    /// Kinds of questions that are answered.
    kinds: Vec<Kind>,
    /// The columns that may be asked about, with the ranges within which their values count.
    columns: Vec<ColumnTerms>,
    /// Fewest rows that are said anything of.
    min_group_size: i32,
    /// ε of one question, in thousandths.
    epsilon_milli: i32,
    /// Days for which a question counts.
    window_days: i64,
    /// New questions that one organisation may ask in that time.
    questions_max: i32,
    /// New questions of all together.
    listing_questions_max: i32,
    /// ε of all questions of one organisation in that time, in thousandths: what it may learn of any row at most.
    buyer_epsilon_milli: i64,
    /// ε of all questions of all organisations, in thousandths: what they may learn if they put together what they know.
    listing_epsilon_milli: i64,
    /// New questions you may ask now; absent for those who don't act for an organisation.
    #[serde(skip_serializing_if = "Option::is_none")]
    questions_left: Option<i64>,
    /// New questions anybody may ask now; absent as above.
    #[serde(skip_serializing_if = "Option::is_none")]
    listing_questions_left: Option<i64>,
    /// When the next of your questions stops counting; absent where none does.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_question_at: Option<Timestamp>,
}

impl TrialPolicyView {
    pub(super) fn of(listing_id: ListingId, policy: TrialPolicyIn, budgets: Option<&(Budget, Budget)>) -> Self {
        let (buyer_epsilon_milli, listing_epsilon_milli) = policy.budgets_milli();
        let left = |budget: &Budget| budget.left_milli() / i64::from(policy.epsilon_milli.max(1));
        let oldest = budgets.and_then(|(own, _)| own.spent.first());
        Self {
            listing_id,
            questions_left: budgets.map(|(own, all)| left(own).min(left(all))),
            listing_questions_left: budgets.map(|(_, all)| left(all)),
            next_question_at: oldest.map(|oldest| Timestamp(oldest.at + super::model::WINDOW)),
            window_days: limits::TRIAL_WINDOW_DAYS,
            buyer_epsilon_milli,
            listing_epsilon_milli,
            enabled: policy.enabled,
            kinds: policy.kinds,
            columns: policy.columns,
            min_group_size: policy.min_group_size,
            epsilon_milli: policy.epsilon_milli,
            questions_max: policy.questions_max,
            listing_questions_max: policy.listing_questions_max,
        }
    }
}

/// Questions about one table.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "file": "levels.csv",
    "questions": [
        {"kind": "coverage", "columns": ["level"]},
        {"kind": "aggregate", "sql": "SELECT station, COUNT(*), AVG(level) FROM levels WHERE level > 2 GROUP BY station"}
    ]
}))]
pub(super) struct TrialQuestionsIn {
    /// The table, by the name of its file with or without the ending; may be left out where there is only one.
    #[serde(default)]
    pub(super) file: Option<String>,
    /// 1 to 10 questions, answered together or not at all.
    #[schema(min_items = 1, max_items = 10)]
    pub(super) questions: Vec<Question>,
}

/// A report, and what is left to ask.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "id": "trp_019352f0a1b27c3d8e4f5061728394a5", "listing_id": "lst_019352f0a1b27c3d8e4f5061728394a5",
    "file": "levels.csv", "revision_number": 3, "questions": 1, "new_questions": 1, "created_at": "2026-11-22T10:00:00Z",
    "url": "/api/v1/trial-reports/trp_019352f0a1b27c3d8e4f5061728394a5",
    "document": {"format": "torv-trial-report/1", "key_id": "5f1d7a84db00d2fce00b31a7fc73224f", "signature": "e55643…",
        "report": {"questions": [{"question": {"kind": "coverage", "columns": []},
            "answer": {"kind": "coverage", "rows": {"value": 10412, "scale": "10.000", "error_95": 30}, "columns": []}}]}}
}))]
pub(super) struct TrialReportView {
    id: TrialReportId,
    listing_id: ListingId,
    /// The file that was asked about.
    file: String,
    /// Its revision, the newest when it was asked.
    revision_number: i32,
    /// Questions that are answered.
    questions: i32,
    /// Of them, those that counted, for you had not asked them before.
    new_questions: i32,
    created_at: Timestamp,
    /// Where the signed file is, byte for byte.
    url: String,
    /// The same as JSON.
    #[schema(value_type = Object)]
    document: Value,
}

impl TrialReportView {
    /// Where the signed file is.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn of(row: trial_report::Model) -> Result<Self> {
        Ok(Self {
            url: format!("/api/v1/trial-reports/{}", row.id),
            document: serde_json::from_str(&row.document)?,
            id: row.id,
            listing_id: row.listing_id,
            file: row.file_name,
            revision_number: row.revision_number,
            questions: row.question_count,
            new_questions: row.new_question_count,
            created_at: row.created_at,
        })
    }
}

/// A report of a list.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({
    "id": "trp_019352f0a1b27c3d8e4f5061728394a5", "file": "levels.csv", "revision_number": 3, "questions": 2,
    "new_questions": 1, "created_at": "2026-11-22T10:00:00Z",
    "url": "/api/v1/trial-reports/trp_019352f0a1b27c3d8e4f5061728394a5"
}))]
pub(super) struct TrialReportCard {
    id: TrialReportId,
    file: String,
    revision_number: i32,
    questions: i32,
    new_questions: i32,
    created_at: Timestamp,
    /// Where the signed file is.
    url: String,
}

impl From<ReportRow> for TrialReportCard {
    fn from(row: ReportRow) -> Self {
        Self {
            url: format!("/api/v1/trial-reports/{}", row.id),
            id: row.id,
            file: row.file_name,
            revision_number: row.revision_number,
            questions: row.question_count,
            new_questions: row.new_question_count,
            created_at: row.created_at,
        }
    }
}

/// How often a kind of question was asked.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"kind": "match", "questions": 4, "organizations": 2, "last_asked_at": "2026-11-22T10:00:00Z"}))]
pub(super) struct TrialKindView {
    /// The kind.
    kind: String,
    /// How many were asked since the listing is there.
    questions: i64,
    /// By how many organisations.
    organizations: i64,
    last_asked_at: Timestamp,
}

/// How often what was asked about a listing; neither by whom, nor which keys or conditions.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"kinds": [{"kind": "match", "questions": 4, "organizations": 2, "last_asked_at": "2026-11-22T10:00:00Z"}]}))]
pub(super) struct TrialUsageView {
    /// By kind.
    kinds: Vec<TrialKindView>,
}

impl TrialUsageView {
    pub(super) fn of(rows: Vec<KindCount>) -> Self {
        let view = |row: KindCount| TrialKindView {
            kind: row.kind,
            questions: row.questions,
            organizations: row.organizations,
            last_asked_at: row.last_asked_at,
        };
        Self { kinds: rows.into_iter().map(view).collect() }
    }
}
