//! An answer that arrives once the bytes are on disk.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use tokio::sync::oneshot;

/// An answer that arrives once the bytes are on disk: `.await` it, or call [`wait`](Self::wait).
///
/// Dropping it discards the answer, not the write.
#[derive(Debug)]
#[must_use = "dropping it forgets whether the write reached the disk"]
pub struct Pending<T, E>(oneshot::Receiver<Result<T, E>>);

/// The writer's end, which gives the answer.
#[derive(Debug)]
pub(crate) struct Promise<T, E>(oneshot::Sender<Result<T, E>>);

/// The writer thread ended before it answered: the write may or may not be on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the writer ended before it answered")]
pub struct WriterGone;

struct Unpark(Thread);

/// Makes a promise and the answer that it will give.
pub(crate) fn promise<T, E>() -> (Promise<T, E>, Pending<T, E>) {
    let (sender, receiver) = oneshot::channel();
    (Promise(sender), Pending(receiver))
}

/// Blocks this thread until the future is ready. The work that it waits for runs elsewhere.
pub(crate) fn wait_for<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(answer) => return answer,
            Poll::Pending => std::thread::park(),
        }
    }
}

// === impl Promise ===

impl<T, E> Promise<T, E> {
    /// Sends the answer. If nobody listens any more, that is fine.
    pub(crate) fn keep(self, answer: Result<T, E>) {
        let _ = self.0.send(answer);
    }
}

// === impl Pending ===

impl<T, E> Pending<T, E> {
    /// Makes an answer that is available already.
    pub(crate) fn ready(answer: Result<T, E>) -> Self {
        let (promise, pending) = promise();
        promise.keep(answer);
        pending
    }
}

impl<T, E: From<WriterGone>> Pending<T, E> {
    /// Blocks this thread until the answer arrives. Not for async tasks: use `.await` there.
    pub fn wait(self) -> Result<T, E> {
        wait_for(self)
    }
}

impl<T, E: From<WriterGone>> Future for Pending<T, E> {
    type Output = Result<T, E>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0)
            .poll(context)
            .map(|received| match received {
                Ok(answer) => answer,
                Err(_) => Err(E::from(WriterGone)),
            })
    }
}

// === impl Unpark ===

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_for_another_thread() {
        let (promise, pending) = promise::<u8, WriterGone>();
        let writer = std::thread::spawn(move || promise.keep(Ok(7)));
        assert_eq!(pending.wait(), Ok(7));
        writer.join().unwrap();
    }

    #[test]
    fn a_dead_writer_is_an_error_not_silence() {
        let (promise, pending) = promise::<u8, WriterGone>();
        drop(promise);
        assert_eq!(pending.wait(), Err(WriterGone));
    }
}
