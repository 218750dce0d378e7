//! Many callers, few statements: what several ask for at the same moment is done together.
//!
//! Questions that arrive while earlier ones are being worked on wait for the next turn and share it, so
//! the busier it is, the less each costs, and alone nobody waits. Nothing is kept: an answer was always
//! made after the question was asked. Since a task owns the work, a write that has begun finishes even
//! if its caller hangs up.

use std::{collections::HashMap, hash::Hash, sync::Arc};

use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::error::{Error, Result};

/// Questions of one turn. A power of two: turns come in such sizes only, so that the database prepares
/// few statements.
const TURN_MAX: usize = 32;
/// Questions that may wait; more make the asker wait for room.
const WAITING_MAX: usize = 4_096;
/// Turns worked on at the same time. One: whoever comes meanwhile shares the next, which costs all of them less
/// than a second turn beside it.
const LANES: usize = 1;

type Told<O> = oneshot::Sender<Result<O>>;

/// Where callers ask.
pub struct Gather<I, O>(mpsc::Sender<(I, Told<O>)>);

impl<I, O> Clone for Gather<I, O> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<I, O> Gather<I, O>
where
    I: Send + 'static,
    O: Send + 'static,
{
    /// Starts the task that lets `work` answer several questions at once, in their order; it ends when
    /// the last asker is gone.
    pub fn start<F, Fut>(work: F) -> Self
    where
        F: Fn(Vec<I>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Vec<Result<O>>> + Send + 'static,
    {
        let (queue, questions) = mpsc::channel(WAITING_MAX);
        tokio::spawn(serve(questions, Arc::new(work)));
        Self(queue)
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// Those of the work; `Unavailable` when the exchange is shutting down.
    pub async fn ask(&self, question: I) -> Result<O> {
        let stopped = || Error::unavailable("The exchange is shutting down. Try again.", 5);
        let (tell, told) = oneshot::channel();
        self.0.send((question, tell)).await.map_err(|_| stopped())?;
        told.await.map_err(|_| stopped())?
    }
}

async fn serve<I, O, F, Fut>(mut questions: mpsc::Receiver<(I, Told<O>)>, work: Arc<F>)
where
    I: Send + 'static,
    O: Send + 'static,
    F: Fn(Vec<I>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Vec<Result<O>>> + Send + 'static,
{
    let lanes = Arc::new(Semaphore::new(LANES));
    let mut waiting = Vec::with_capacity(TURN_MAX);
    while !waiting.is_empty() || questions.recv_many(&mut waiting, TURN_MAX).await > 0 {
        let Ok(lane) = lanes.clone().acquire_owned().await else { return };
        // Callers that are ready to run get to ask first, and share this turn.
        tokio::task::yield_now().await;
        while waiting.len() < TURN_MAX
            && let Ok(question) = questions.try_recv()
        {
            waiting.push(question);
        }
        let size = 1 << waiting.len().ilog2();
        let (asked, tell): (Vec<I>, Vec<Told<O>>) = waiting.drain(..size).unzip();
        let work = work.clone();
        tokio::spawn(async move {
            for (tell, answer) in tell.into_iter().zip(work(asked).await) {
                // An asker that is gone has hung up; the work is done all the same.
                let _ = tell.send(answer);
            }
            drop(lane);
        });
    }
}

/// Gives each of `asked` what was found for it, or all of them the reason why nothing could be read.
pub fn deal<K, V>(asked: &[K], found: Result<HashMap<K, V>>) -> Vec<Result<Option<V>>>
where
    K: Eq + Hash,
    V: Clone,
{
    match found {
        Ok(found) => asked.iter().map(|key| Ok(found.get(key).cloned())).collect(),
        Err(error) => {
            let cause = error.cause.map_or(error.detail, |cause| cause.to_string());
            let same = || Error::unavailable("The database is busy. Try again.", 1).because(cause.clone());
            asked.iter().map(|_| Err(same())).collect()
        }
    }
}

/// Writes all of `units` in one go; if that fails, each alone, so that one that can't be written does not
/// spoil the others and each hears its own reason.
pub async fn together_or_alone<I, O, F, Fut>(units: Vec<I>, write: F) -> Vec<Result<O>>
where
    I: Clone,
    F: Fn(Vec<I>) -> Fut,
    Fut: Future<Output = Result<Vec<O>>>,
{
    if units.len() > 1
        && let Ok(done) = write(units.clone()).await
    {
        return done.into_iter().map(Ok).collect();
    }
    let mut answers = Vec::with_capacity(units.len());
    for unit in units {
        let none = || Error::internal("a write of one gave no answer");
        answers.push(write(vec![unit]).await.and_then(|mut done| done.pop().ok_or_else(none)));
    }
    answers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everybody_gets_the_answer_to_their_own_question() {
        let gather = Gather::start(|asked: Vec<usize>| async move {
            assert!(asked.len().is_power_of_two() && asked.len() <= TURN_MAX);
            tokio::task::yield_now().await;
            asked.into_iter().map(|number| Ok(number * 2)).collect()
        });
        let asks = (0..500_usize).map(|number| {
            let gather = gather.clone();
            async move { gather.ask(number).await.expect("an answer") }
        });
        let told = futures::future::join_all(asks).await;
        assert!(told.into_iter().enumerate().all(|(number, answer)| answer == number * 2));
    }

    #[tokio::test]
    async fn one_bad_unit_fails_alone() {
        let write =
            |units: Vec<u32>| async move { if units.contains(&3) { Err(Error::conflict("three")) } else { Ok(units) } };
        let told = together_or_alone(vec![1, 2, 3, 4], write).await;
        assert_eq!(told.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, true, false, true]);
    }

    #[tokio::test]
    async fn a_failed_reading_is_told_to_all() {
        let told = deal(&[1, 2], Err::<HashMap<i32, ()>, _>(Error::internal("gone")));
        assert!(told.iter().all(Result::is_err));
    }
}
