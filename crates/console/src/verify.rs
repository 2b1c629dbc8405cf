//! Password checks, run one at a time and off the event loop.
//!
//! argon2 deliberately takes 19 MiB and tens of milliseconds of processor time. An attacker
//! guessing from many addresses at once could otherwise exhaust the machine's memory, and the
//! processors needed for acknowledgements.

use super::fault::Fault;
use axum::http::StatusCode;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// The queue of password checks.
pub(super) struct Verifier {
    turns: Arc<Semaphore>,
    /// The places of the callers that wait and of the one whose check runs.
    places: Arc<Semaphore>,
}

/// The number of concurrent checks.
const MAX_CONCURRENT: usize = 1;
/// The number of places, about two seconds' worth of checks; a further caller is asked to retry.
const PLACES: usize = 64;

// === impl Verifier ===

impl Default for Verifier {
    fn default() -> Self {
        Self {
            turns: Arc::new(Semaphore::new(MAX_CONCURRENT)),
            places: Arc::new(Semaphore::new(PLACES)),
        }
    }
}

impl Verifier {
    /// Runs `work` when its turn comes.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Fault> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_| too_many())?;
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        let turn = turn.map_err(|error| Fault::internal(&error))?;
        let kept = move || {
            // Held until the work is done: a caller that disconnects does not end it.
            let _kept = (place, turn);
            work()
        };
        tokio::task::spawn_blocking(kept)
            .await
            .map_err(|error| Fault::internal(&error))
    }
}

fn too_many() -> Fault {
    Fault::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "Too many people are logging in at once",
        "Passwords are checked one at a time, and too many checks are waiting already.",
        "Try again in a few seconds.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    #[test]
    fn one_at_a_time_even_if_the_caller_disconnects_and_too_many_are_refused() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let verifier = Arc::new(Verifier::default());
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let work = || {
            let (now, most) = (Arc::clone(&now), Arc::clone(&most));
            move || {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(5));
                now.fetch_sub(1, Ordering::SeqCst);
            }
        };
        let refused = runtime.block_on(async {
            let mut asked: Vec<_> = (0..PLACES + 6)
                .map(|_| {
                    let (verifier, work) = (Arc::clone(&verifier), work());
                    tokio::spawn(async move { verifier.run(work).await })
                })
                .collect();
            // Some callers disconnect: waiting ones, and the one whose check runs.
            tokio::time::sleep(Duration::from_millis(12)).await;
            for hung_up in asked.drain(..8) {
                hung_up.abort();
            }
            let mut refused = 0;
            for one in asked {
                if let Err(fault) = one.await.unwrap() {
                    assert_eq!(fault.status, StatusCode::SERVICE_UNAVAILABLE);
                    refused += 1;
                }
            }
            refused
        });
        assert_eq!(most.load(Ordering::SeqCst), MAX_CONCURRENT);
        assert_eq!(refused, 6);
    }
}
