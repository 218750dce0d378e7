//! The state of a grant at this moment, asked of the database for many downloads at once.
//!
//! Nothing is kept: an answer was always read after the question was asked, so a revocation holds from
//! the next request on. Questions that arrive while a query runs share the next one: the busier it is,
//! the less a question costs.

use std::collections::HashMap;

use entity::ids::GrantId;
use sea_orm::DatabaseConnection;
use tokio::sync::{mpsc, oneshot};

use super::{model::GrantTerms, store};
use crate::{
    db::Db,
    error::{Error, Result},
};

/// Questions of one query.
const BATCH_MAX: usize = 256;
/// Questions that may wait; more make the asker wait for room.
const WAITING_MAX: usize = 4_096;

struct Question {
    id: GrantId,
    answer: oneshot::Sender<Result<Option<GrantTerms>>>,
}

/// Where downloads ask about grants.
#[derive(Debug, Clone)]
pub(super) struct LiveGrants(mpsc::Sender<Question>);

impl LiveGrants {
    /// Starts the task that asks `db`; it ends when the last asker is gone.
    pub(super) fn start(db: Db) -> Self {
        let (queue, questions) = mpsc::channel(WAITING_MAX);
        tokio::spawn(serve(db, questions));
        Self(queue)
    }

    /// The grant as it is now, if there is one.
    ///
    /// # Errors
    /// `Unavailable` when the database does not answer.
    pub(super) async fn find(&self, id: GrantId) -> Result<Option<GrantTerms>> {
        let stopped = || Error::unavailable("The exchange is shutting down. Try again.", 5);
        let (answer, told) = oneshot::channel();
        self.0.send(Question { id, answer }).await.map_err(|_| stopped())?;
        told.await.map_err(|_| stopped())?
    }
}

async fn serve(db: Db, mut questions: mpsc::Receiver<Question>) {
    let mut batch = Vec::with_capacity(BATCH_MAX);
    while questions.recv_many(&mut batch, BATCH_MAX).await > 0 {
        // Requests that are ready to run get to ask first, and share this query.
        tokio::task::yield_now().await;
        while batch.len() < BATCH_MAX
            && let Ok(question) = questions.try_recv()
        {
            batch.push(question);
        }
        answer(db.read(), batch.drain(..)).await;
    }
}

async fn answer(conn: &DatabaseConnection, batch: impl Iterator<Item = Question>) {
    // Those who hung up meanwhile need no answer.
    let batch: Vec<Question> = batch.filter(|question| !question.answer.is_closed()).collect();
    let mut ids: Vec<GrantId> = batch.iter().map(|question| question.id).collect();
    ids.sort_unstable();
    ids.dedup();
    let found = store::find_grants(conn, padded(ids)).await;
    match found {
        Ok(grants) => {
            let grants: HashMap<GrantId, GrantTerms> = grants.into_iter().map(|grant| (grant.id, grant)).collect();
            for question in batch {
                // An asker that is gone has hung up; nobody minds.
                let _ = question.answer.send(Ok(grants.get(&question.id).cloned()));
            }
        }
        Err(error) => {
            let cause = error.cause.map_or(error.detail, |cause| cause.to_string());
            for question in batch {
                let failure = Error::unavailable("The grant can't be checked right now. Try again.", 1);
                let _ = question.answer.send(Err(failure.because(cause.clone())));
            }
        }
    }
}

/// Fills up to a power of two by repeating an id, so that the database prepares few statements.
fn padded(mut ids: Vec<GrantId>) -> Vec<GrantId> {
    if let Some(last) = ids.last().copied() {
        ids.resize(ids.len().next_power_of_two(), last);
    }
    ids
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;

    #[test]
    fn a_list_is_filled_up_by_repeating_what_it_has() {
        let ids: Vec<GrantId> = (0..5).map(|_| GrantId::at(OffsetDateTime::UNIX_EPOCH)).collect();
        let filled = padded(ids.clone());
        assert_eq!((filled.len(), &filled[..5], filled[7]), (8, ids.as_slice(), ids[4]));
        assert!(padded(Vec::new()).is_empty());
    }
}
