//! Memory budgets for frames until they are answered: each flow has its own, and each address has a
//! share of its flow's budget.
//!
//! - no flow waits for memory that another flow's senders hold; no address waits for memory that
//!   another address of the flow holds while there is room beyond that one's share;
//! - a message of the usual size does not wait for an unfinished large frame;
//! - a frame that has room keeps it to its end, so there is no deadlock of two frames that each
//!   hold half.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Maximum size of a small frame: it takes room when it is complete; a larger one before more of it
/// is read.
pub(super) const SMALL: usize = 64 << 10;
/// Maximum size of a medium frame: one that grows beyond takes the room of the largest.
pub(super) const MEDIUM: usize = 1 << 20;

/// Budget of a flow for small frames, and as much again for medium ones.
const FLOW_BUDGET: usize = 32 << 20;
/// Budget for large frames: three of the default size, or two of the largest where that is larger.
const FLOW_BUDGET_LARGE: usize = 48 << 20;

/// The memory budget of one flow for frames.
#[derive(Debug)]
pub(crate) struct Room {
    all: [Arc<Semaphore>; 3],
    limits: [Limit; 3],
    addresses: Mutex<HashMap<IpAddr, Weak<Share>>>,
    largest: usize,
}

/// A budget in kilobytes.
#[derive(Clone, Copy, Debug)]
struct Limit {
    flow: usize,
    address: usize,
}

/// The part of a flow's budget that one address may take.
#[derive(Debug)]
pub(super) struct Share {
    own: [Arc<Semaphore>; 3],
    all: [Arc<Semaphore>; 3],
    largest: usize,
}

/// Memory reserved for a frame.
#[derive(Debug)]
pub(crate) struct Held {
    own: OwnedSemaphorePermit,
    all: OwnedSemaphorePermit,
}

/// The size class of a frame; each class has its own budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    Small,
    Medium,
    Large,
}

// === impl Room ===

impl Room {
    /// Creates a budget for frames of at most `largest` bytes.
    pub(crate) fn new(largest: usize) -> Self {
        let large = FLOW_BUDGET_LARGE.max(2 * largest);
        let even = Limit {
            flow: kilobytes(FLOW_BUDGET),
            address: kilobytes(FLOW_BUDGET / 2),
        };
        let limits = [
            even,
            even,
            Limit {
                flow: kilobytes(large),
                // Some is left for other addresses, and one frame always fits.
                address: kilobytes(largest.max(large / 3 * 2)).min(kilobytes(large)),
            },
        ];
        Self {
            all: limits.map(|limit| Arc::new(Semaphore::new(limit.flow))),
            limits,
            addresses: Mutex::default(),
            largest,
        }
    }

    /// Returns the share of an address; its connections use one together.
    pub(super) fn of(&self, address: IpAddr) -> Arc<Share> {
        let mut addresses = self
            .addresses
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = addresses.get(&address).and_then(Weak::upgrade) {
            return share;
        }
        let share = Arc::new(Share {
            own: self
                .limits
                .map(|limit| Arc::new(Semaphore::new(limit.address))),
            all: self.all.clone(),
            largest: self.largest,
        });
        // Drops shares whose last connection is gone.
        addresses.retain(|_, share| 0 < share.strong_count());
        addresses.insert(address, Arc::downgrade(&share));
        share
    }
}

// === impl Share ===

impl Share {
    /// Waits for room for a whole frame of this many bytes.
    pub(super) async fn take(&self, n_bytes: usize) -> Option<Held> {
        self.hold(Class::of(n_bytes), n_bytes).await
    }

    /// Waits for room in which a frame of this size can grow to the end of its class.
    pub(super) async fn grow(&self, n_bytes: usize) -> Option<Held> {
        match Class::of(n_bytes) {
            Class::Small => None,
            Class::Medium => self.hold(Class::Medium, MEDIUM).await,
            Class::Large => self.hold(Class::Large, self.largest).await,
        }
    }

    /// Reserves from the address's own share first: waiting for it blocks no other address.
    async fn hold(&self, class: Class, n_bytes: usize) -> Option<Held> {
        let place = class as usize;
        let (own, all) = (self.own.get(place)?, self.all.get(place)?);
        // A frame is a little larger than its message where it is handed out in pieces.
        let wanted = kilobytes(n_bytes.min(self.largest.max(MEDIUM))) as u32;
        // The semaphores are never closed.
        let own = Arc::clone(own).acquire_many_owned(wanted).await.ok()?;
        let all = Arc::clone(all).acquire_many_owned(wanted).await.ok()?;
        Some(Held { own, all })
    }
}

// === impl Held ===

impl Held {
    pub(super) fn holds(&self, n_bytes: usize) -> bool {
        kilobytes(n_bytes) <= self.all.num_permits()
    }

    /// Releases the part that the frame did not need.
    pub(super) fn shrink(&mut self, n_bytes: usize) {
        let spare = self.all.num_permits().saturating_sub(kilobytes(n_bytes));
        drop((self.own.split(spare), self.all.split(spare)));
    }
}

// === impl Class ===

impl Class {
    pub(super) fn of(n_bytes: usize) -> Self {
        match n_bytes {
            0..SMALL => Self::Small,
            SMALL..MEDIUM => Self::Medium,
            _ => Self::Large,
        }
    }
}

fn kilobytes(n_bytes: usize) -> usize {
    n_bytes.div_ceil(1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    const MIB: usize = 1 << 20;

    fn address(n: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, n])
    }

    /// Returns a result that is available without waiting.
    fn now(future: impl Future<Output = Option<Held>>) -> Option<Held> {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(held) => held,
            Poll::Pending => None,
        }
    }

    #[test]
    fn one_address_leaves_room_for_another_and_none_for_large_frames_takes_that_of_small_ones() {
        let room = Room::new(16 * MIB);
        let (one, other) = (room.of(address(1)), room.of(address(2)));
        let mut held: Vec<_> = (0..9).filter_map(|_| now(one.grow(15 * MIB))).collect();
        assert_eq!(held.len(), 2, "of 16 MiB each, in 48");
        held.extend(now(other.grow(2 * MIB)));
        assert_eq!(held.len(), 3);
        assert!(now(other.grow(2 * MIB)).is_none(), "the flow has no more");
        held.extend((0..99).filter_map(|_| now(one.grow(SMALL))));
        assert_eq!(held.len(), 3 + 16, "of a megabyte each");
        for share in [&one, &other] {
            assert!(now(share.take(2_000)).is_some(), "usual messages go on");
        }
        drop(held);
        assert!(now(one.grow(15 * MIB)).is_some(), "all is given back");
    }

    #[test]
    fn the_largest_frame_fits_and_gives_back_what_it_does_not_need() {
        for largest in [1 << 10, 64 << 10, 16 * MIB, 256 * MIB] {
            let room = Room::new(largest);
            let share = room.of(address(1));
            let mut held = now(share.grow(largest.max(MEDIUM))).unwrap();
            assert!(held.holds(largest), "{largest}");
            held.shrink(1);
            assert!(!held.holds(2_048));
            assert!(now(room.of(address(1)).take(largest)).is_some());
        }
    }

    #[test]
    fn an_address_without_connections_is_forgotten() {
        let room = Room::new(MIB);
        for n in 0..200 {
            drop(room.of(address(n)));
        }
        assert!(room.addresses.lock().unwrap().len() <= 1);
    }

    proptest! {
        /// In any sequence of frames, no address has more than its share, and once all are gone the
        /// whole budget is free again.
        #[test]
        fn shares_hold(asked in prop::collection::vec((0..4_u8, 1..20_000_000_usize, any::<bool>()), 1..80)) {
            let room = Room::new(16 * MIB);
            let mut held: Vec<(u8, Class, Held, Arc<Share>)> = Vec::new();
            for (who, n_bytes, leaves) in asked {
                let share = room.of(address(who));
                let n_bytes = n_bytes.min(16 * MIB);
                if leaves && !held.is_empty() {
                    held.swap_remove(n_bytes % held.len());
                } else if let Some(got) = now(share.take(n_bytes)) {
                    prop_assert!(got.holds(n_bytes));
                    held.push((who, Class::of(n_bytes), got, share));
                }
                for (class, limit) in [Class::Small, Class::Medium, Class::Large].into_iter().zip(room.limits) {
                    let of = |who: Option<u8>| -> usize {
                        let held = held.iter().filter(|(w, c, ..)| *c == class && who.is_none_or(|who| who == *w));
                        held.map(|(_, _, held, _)| held.all.num_permits()).sum()
                    };
                    prop_assert!(of(None) <= limit.flow);
                    for who in 0..4 {
                        prop_assert!(of(Some(who)) <= limit.address);
                    }
                }
            }
            held.clear();
            for (all, limit) in room.all.iter().zip(room.limits) {
                prop_assert_eq!(all.available_permits(), limit.flow);
            }
        }
    }
}
