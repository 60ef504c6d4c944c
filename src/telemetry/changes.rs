//! Whether anything changed: a reader that sleeps while nothing does is woken by the next change.

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Changes that were published: the loop notes them, one reader sleeps until there is another.
#[derive(Default)]
pub struct Changes {
    count: AtomicU64,
    /// The reader wants to be woken.
    sleeps: AtomicBool,
    wake: OnceLock<Box<dyn Fn() + Send + Sync>>,
}

impl Changes {
    /// The reader is woken like this, from now on and for good.
    pub fn wake_by(&self, wake: impl Fn() + Send + Sync + 'static) {
        // A second reader would have to look for itself.
        let _ = self.wake.set(Box::new(wake));
    }

    /// Something changed, and was published. Wakes the reader where it sleeps, once: only that is a system call.
    pub fn note(&self) {
        self.count.fetch_add(1, Ordering::SeqCst);
        if self.sleeps.load(Ordering::SeqCst)
            && self.sleeps.swap(false, Ordering::SeqCst)
            && let Some(wake) = self.wake.get()
        {
            wake();
        }
    }

    /// How many there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::SeqCst)
    }

    /// The reader is about to sleep until the next change after the first `seen`. False if there was one already.
    #[must_use]
    pub fn sleep_after(&self, seen: u64) -> bool {
        // The other side counts before it asks whether somebody sleeps: one of the two sees the other.
        self.sleeps.store(true, Ordering::SeqCst);
        self.count() == seen
    }
}

impl fmt::Debug for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes")
            .field("count", &self.count)
            .field("sleeps", &self.sleeps)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_reader_that_sleeps_is_woken_once_and_one_that_does_not_is_left_alone() {
        let changes = Changes::default();
        let woken = Arc::new(AtomicU64::new(0));
        let bell = Arc::clone(&woken);
        changes.wake_by(move || {
            bell.fetch_add(1, Ordering::SeqCst);
        });
        changes.note();
        assert_eq!((changes.count(), woken.load(Ordering::SeqCst)), (1, 0));
        assert!(!changes.sleep_after(0), "one that it has not seen");
        assert!(changes.sleep_after(1));
        changes.note();
        changes.note();
        assert_eq!((changes.count(), woken.load(Ordering::SeqCst)), (3, 1));
    }

    #[test]
    fn no_change_is_slept_through() {
        const ROUNDS: u64 = 20_000;
        let changes = Arc::new(Changes::default());
        let (ring, bell) = mpsc::channel();
        changes.wake_by(move || ring.send(()).unwrap());
        let writer = std::thread::spawn({
            let changes = Arc::clone(&changes);
            move || (0..ROUNDS).for_each(|_| changes.note())
        });
        let mut seen = changes.count();
        while seen < ROUNDS {
            if changes.sleep_after(seen) {
                bell.recv_timeout(Duration::from_secs(20))
                    .expect("the last change woke it");
            }
            seen = changes.count();
        }
        writer.join().unwrap();
    }
}
