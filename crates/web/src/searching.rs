//! A thread pool of their own for searches: few threads, at low priority.
//!
//! A search may take milliseconds of processor time, and anyone with a token may ask for hundreds
//! at once. On an unbounded pool they would compete with the acknowledgements for the processors at
//! equal priority. Here at most as many run as there are processors, at background priority, and
//! the rest queue in order.

use std::num::NonZero;
use store::Priority;
use tokio::runtime::{Builder, Runtime};
use tokio::task::{AbortHandle, JoinError};

/// The thread pool for searches.
#[derive(Debug)]
pub(crate) struct SearchPool {
    /// The pool's runtime, or none if the system gave no more threads; the caller's pool is used
    /// then.
    runtime: Option<Runtime>,
}

/// A guard that cancels queued work when its caller disconnects before it starts.
struct AbortOnDrop(AbortHandle);

// === impl SearchPool ===

impl SearchPool {
    /// Creates a pool with one thread per processor, at least two; they start with the first
    /// search.
    pub(crate) fn new() -> Self {
        let n_threads = std::thread::available_parallelism().map_or(2, NonZero::get);
        let runtime = Builder::new_current_thread()
            .max_blocking_threads(n_threads.max(2))
            .thread_name("search")
            .on_thread_start(|| Priority::Behind.take())
            .build();
        if let Err(error) = &runtime {
            tracing::error!(%error, "the thread pool for searches could not be started");
        }
        Self {
            runtime: runtime.ok(),
        }
    }

    /// Runs blocking work when its turn comes.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, JoinError> {
        let done = match &self.runtime {
            Some(runtime) => runtime.spawn_blocking(work),
            None => tokio::task::spawn_blocking(work),
        };
        let _abort = AbortOnDrop(done.abort_handle());
        done.await
    }
}

impl Drop for SearchPool {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // The last handle may be dropped in an async task, where blocking on threads is not
            // allowed.
            runtime.shutdown_background();
        }
    }
}

// === impl AbortOnDrop ===

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    #[test]
    fn few_run_at_once_and_none_for_callers_that_disconnected() {
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let (now, most, done) = <(Arc<AtomicUsize>, Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
        let searching = Arc::new(SearchPool::new());
        let ask = || {
            let (now, most, done) = (now.clone(), most.clone(), done.clone());
            let searching = searching.clone();
            let work = move || {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(20));
                now.fetch_sub(1, Ordering::SeqCst);
                done.fetch_add(1, Ordering::SeqCst);
            };
            async move { searching.run(work).await }
        };
        let n_threads = std::thread::available_parallelism().map_or(2, NonZero::get);
        runtime.block_on(async {
            let mut asked: Vec<_> = (0..60).map(|_| tokio::spawn(ask())).collect();
            tokio::time::sleep(Duration::from_millis(10)).await;
            for one in asked.split_off(40) {
                one.abort();
            }
            for one in asked {
                one.await.unwrap().unwrap();
            }
        });
        assert!(most.load(Ordering::SeqCst) <= n_threads.max(2));
        // Work that had started before its caller disconnected is finished too.
        let n_done = done.load(Ordering::SeqCst);
        assert!((40..=40 + n_threads.max(2)).contains(&n_done), "{n_done}");
        drop(runtime);
    }
}
