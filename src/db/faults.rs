//! Failing on purpose: every write and every call to the outside passes numbered steps. A test can make
//! the n-th one fail as if the process had died there, or watch the steps and let the process really die
//! at one. Only code that links this crate can do either: no setting and no variable reaches it.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use crate::error::{Error, Result};

/// The switchboard. Off in production, where a step costs one atomic load.
#[derive(Debug, Clone, Default)]
pub struct Faults(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    armed: AtomicBool,
    plan: Mutex<Plan>,
}

#[derive(Debug, Default)]
struct Plan {
    fail_at: usize,
    watch: Option<Watch>,
    passed: Vec<String>,
    failed: bool,
}

/// Is told of every step, with its number from 0, before it is passed.
struct Watch(Box<dyn FnMut(usize, &str) + Send>);

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Watch")
    }
}

impl Faults {
    /// From now on tells `watch` of every step, with its number from 0, before it is passed. A watcher that
    /// does not come back holds this step and every other one, so that the process can be killed there.
    pub fn watch(&self, watch: impl FnMut(usize, &str) + Send + 'static) {
        let watch = Some(Watch(Box::new(watch)));
        *self.plan() = Plan { fail_at: usize::MAX, watch, ..Plan::default() };
        self.0.armed.store(true, Ordering::SeqCst);
    }

    /// From now on counts the steps and fails once, at the step with number `fail_at` (from 0).
    pub fn arm(&self, fail_at: usize) {
        *self.plan() = Plan { fail_at, ..Plan::default() };
        self.0.armed.store(true, Ordering::SeqCst);
    }

    /// Stops failing; returns the steps passed since [`Faults::arm`] and whether one failed.
    pub fn disarm(&self) -> (Vec<String>, bool) {
        self.0.armed.store(false, Ordering::SeqCst);
        let plan = std::mem::take(&mut *self.plan());
        (plan.passed, plan.failed)
    }

    /// Passes the step called `name`.
    ///
    /// # Errors
    /// An internal error when this step is the one to fail.
    pub fn step(&self, name: impl FnOnce() -> String) -> Result<()> {
        if !self.0.armed.load(Ordering::Relaxed) {
            return Ok(());
        }
        let mut guard = self.plan();
        let plan = &mut *guard;
        let at = plan.passed.len();
        plan.passed.push(name());
        if let Some(watch) = &mut plan.watch {
            (watch.0)(at, &plan.passed[at]);
        }
        if at == plan.fail_at && !plan.failed {
            plan.failed = true;
            return Err(Error::internal(format!("failed on purpose at step {at}: {}", plan.passed[at])));
        }
        Ok(())
    }

    fn plan(&self) -> std::sync::MutexGuard<'_, Plan> {
        self.0.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
