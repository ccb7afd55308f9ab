//! A bound that is waited for in order of arrival.
//!
//! A [`Gate`] holds an [`Amount`] of something. It promises that no more than that is ever out, that those who
//! wait are served first come first served even when a later one would fit, that at most so many wait, and
//! that a dropped [`Ticket`] or a dropped wait gives everything back. It knows no clock: whoever waits puts a
//! deadline around it.
//!
//! All that is free stands in one word beside the flags, so taking and giving back without a queue is one
//! atomic instruction each; the queue behind its lock is touched only when somebody waits.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::task::{Poll, Waker};

use crossbeam::utils::CachePadded;
use parking_lot::Mutex;

/// Somebody waits: nobody may overtake.
const QUEUED: u64 = 1 << 63;
/// Nobody may come any more.
const CLOSED: u64 = 1 << 62;
const PAGE_BITS: u32 = 40;
const PAGES: u64 = (1 << PAGE_BITS) - 1;
const UNITS: u64 = (1 << 22) - 1;

/// How much of something: units (permits, places), and pages where memory is bounded too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amount {
    word: u64,
}

impl Amount {
    /// Makes an amount; what is larger than fits is cut to it (4 million units, 2^40 pages).
    pub(crate) fn new(units: u32, pages: u64) -> Self {
        Self { word: u64::from(units).min(UNITS) << PAGE_BITS | pages.min(PAGES) }
    }

    /// One unit and no page.
    pub(crate) const fn one() -> Self {
        Self { word: 1 << PAGE_BITS }
    }

    pub(crate) fn units(self) -> u32 {
        (self.word >> PAGE_BITS & UNITS) as u32
    }

    pub(crate) fn pages(self) -> u64 {
        self.word & PAGES
    }

    /// Tells whether this is no more than the other in both respects.
    pub(crate) fn fits(self, other: Self) -> bool {
        self.units() <= other.units() && self.pages() <= other.pages()
    }
}

/// Why an amount is not handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// As many wait as may.
    QueueFull,
    /// The gate is closed.
    Closed,
}

/// A bound that is waited for in order of arrival.
pub(crate) struct Gate {
    /// What is free, and the flags.
    free: CachePadded<AtomicU64>,
    total: Amount,
    queue: Mutex<Queue>,
    waiting: AtomicUsize,
    max_waiting: usize,
    idle: Mutex<Vec<Waker>>,
}

#[derive(Default)]
struct Queue {
    next_turn: u64,
    waiting: BTreeMap<u64, Waiter>,
    /// Served, and not yet seen by who waited.
    served: BTreeMap<u64, Amount>,
}

struct Waiter {
    need: Amount,
    waker: Waker,
}

impl Gate {
    pub(crate) fn new(total: Amount, max_waiting: usize) -> Self {
        Self {
            free: CachePadded::new(AtomicU64::new(total.word)),
            total,
            queue: Mutex::default(),
            waiting: AtomicUsize::new(0),
            max_waiting,
            idle: Mutex::default(),
        }
    }

    /// Takes the amount if it is free and nobody waits for it.
    pub(crate) fn try_take(&self, need: Amount) -> Option<Ticket<'_>> {
        // Not `then_some`: a ticket made for nothing gives back what it never had.
        if self.subtract(need, QUEUED | CLOSED) { Some(Ticket { gate: self, amount: need }) } else { None }
    }

    /// Waits for the amount.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives back the turn, or the amount when it had just been served.
    pub(crate) async fn take(&self, need: Amount) -> Result<Ticket<'_>, Refused> {
        if let Some(ticket) = self.try_take(need) {
            return Ok(ticket);
        }
        let mut turn = Turn { gate: self, number: None };
        poll_fn(|cx| turn.poll(need, cx.waker())).await
    }

    /// Takes more for somebody who is inside already, so without waiting and past any queue.
    pub(crate) fn grow(&self, more: Amount) -> bool {
        self.subtract(more, 0)
    }

    /// Makes a ticket again of an amount that [`Ticket::keep`] has kept.
    pub(crate) fn ticket(&self, kept: Amount) -> Ticket<'_> {
        Ticket { gate: self, amount: kept }
    }

    /// Lets nobody in any more. Who waits already is still served.
    pub(crate) fn close(&self) {
        // Under the lock, so that nobody joins the queue between the flag and the look at who is left.
        let queue = self.queue.lock();
        self.free.fetch_or(CLOSED, SeqCst);
        drop(queue);
        self.wake_idle();
    }

    /// Waits until nothing is out and nobody waits.
    pub(crate) async fn drained(&self) {
        poll_fn(|cx| {
            let mut idle = self.idle.lock();
            if !idle.iter().any(|known| known.will_wake(cx.waker())) {
                idle.push(cx.waker().clone());
            }
            drop(idle);
            if self.is_idle() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Tells whether nothing is out and nobody waits.
    pub(crate) fn is_idle(&self) -> bool {
        self.free.load(SeqCst) & !CLOSED == self.total.word
    }

    /// Returns how many wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(SeqCst)
    }

    /// Returns what is out.
    pub(crate) fn out(&self) -> Amount {
        let free = Amount { word: self.free.load(SeqCst) };
        Amount::new(self.total.units() - free.units(), self.total.pages() - free.pages())
    }

    pub(crate) fn total(&self) -> Amount {
        self.total
    }

    /// Subtracts from what is free, unless one of the flags stands or it does not fit.
    fn subtract(&self, need: Amount, unless: u64) -> bool {
        let mut word = self.free.load(SeqCst);
        loop {
            if word & unless != 0 || !need.fits(Amount { word }) {
                return false;
            }
            match self.free.compare_exchange_weak(word, word - need.word, SeqCst, SeqCst) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
    }

    /// Gives back what was taken by [`grow`](Self::grow) or kept.
    pub(crate) fn give_back(&self, amount: Amount) {
        let before = self.free.fetch_add(amount.word, SeqCst);
        if before & (QUEUED | CLOSED) != 0 {
            self.pass_on();
        }
    }

    /// Serves those at the head of the queue as far as it goes.
    #[cold]
    fn pass_on(&self) {
        let mut woken = Vec::new();
        self.serve(&mut self.queue.lock(), &mut woken);
        woken.into_iter().for_each(Waker::wake);
        self.wake_idle();
    }

    fn serve(&self, queue: &mut Queue, woken: &mut Vec<Waker>) {
        while let Some(first) = queue.waiting.first_entry() {
            let need = first.get().need;
            if !self.subtract(need, 0) {
                return;
            }
            let (turn, waiter) = first.remove_entry();
            queue.served.insert(turn, need);
            woken.push(waiter.waker);
            self.waiting.fetch_sub(1, SeqCst);
        }
        self.free.fetch_and(!QUEUED, SeqCst);
    }

    fn wake_idle(&self) {
        if self.is_idle() {
            let woken = std::mem::take(&mut *self.idle.lock());
            woken.into_iter().for_each(Waker::wake);
        }
    }
}

/// A place in the queue; dropping it leaves the queue.
struct Turn<'a> {
    gate: &'a Gate,
    number: Option<u64>,
}

impl<'a> Turn<'a> {
    fn poll(&mut self, need: Amount, waker: &Waker) -> Poll<Result<Ticket<'a>, Refused>> {
        let gate = self.gate;
        let mut queue = gate.queue.lock();
        if let Some(number) = self.number {
            if let Some(amount) = queue.served.remove(&number) {
                self.number = None;
                return Poll::Ready(Ok(Ticket { gate, amount }));
            }
            if let Some(waiter) = queue.waiting.get_mut(&number) {
                waiter.waker.clone_from(waker);
            }
            return Poll::Pending;
        }
        if gate.free.load(SeqCst) & CLOSED != 0 {
            return Poll::Ready(Err(Refused::Closed));
        }
        if queue.waiting.len() >= gate.max_waiting {
            return Poll::Ready(Err(Refused::QueueFull));
        }
        let number = queue.next_turn;
        queue.next_turn += 1;
        queue.waiting.insert(number, Waiter { need, waker: waker.clone() });
        gate.waiting.fetch_add(1, SeqCst);
        self.number = Some(number);
        // Flag first, look again second: what was given back before the flag stood is found now, what is given
        // back later finds the flag.
        gate.free.fetch_or(QUEUED, SeqCst);
        let mut woken = Vec::new();
        gate.serve(&mut queue, &mut woken);
        let served = queue.served.remove(&number);
        drop(queue);
        // Those before this one may have been served by this look, before who gave back came to the lock.
        woken.into_iter().for_each(Waker::wake);
        let Some(amount) = served else { return Poll::Pending };
        self.number = None;
        Poll::Ready(Ok(Ticket { gate, amount }))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let Some(number) = self.number else { return };
        let mut queue = self.gate.queue.lock();
        if let Some(waiter) = queue.waiting.remove(&number) {
            self.gate.waiting.fetch_sub(1, SeqCst);
            drop(queue);
            drop(waiter);
            // Who stood behind may fit now, and the flag may have to go.
            self.gate.pass_on();
        } else if let Some(amount) = queue.served.remove(&number) {
            drop(queue);
            self.gate.give_back(amount);
        }
    }
}

/// An amount that is out; dropping it gives it back.
#[must_use]
pub(crate) struct Ticket<'a> {
    gate: &'a Gate,
    amount: Amount,
}

impl Ticket<'_> {
    pub(crate) fn amount(&self) -> Amount {
        self.amount
    }

    /// Keeps the amount out without the ticket; [`Gate::ticket`] makes one of it again.
    pub(crate) fn keep(self) -> Amount {
        let amount = self.amount;
        std::mem::forget(self);
        amount
    }

    /// Gives back what is more than the given amount.
    pub(crate) fn shrink_to(&mut self, keep: Amount) {
        if keep.fits(self.amount) && keep != self.amount {
            let surplus = Amount { word: self.amount.word - keep.word };
            self.amount = keep;
            self.gate.give_back(surplus);
        }
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.gate.give_back(self.amount);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::{Pin, pin};
    use std::sync::Arc;
    use std::task::Context;

    use super::*;
    use crate::block_on::block_on;

    fn one(units: u32) -> Amount {
        Amount::new(units, 0)
    }

    fn poll<F: Future>(future: &mut Pin<&mut F>) -> Poll<F::Output> {
        future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn amounts_fit_only_in_both_respects() {
        assert!(Amount::new(1, 5).fits(Amount::new(1, 5)));
        assert!(!Amount::new(2, 1).fits(Amount::new(1, 5)));
        assert!(!Amount::new(1, 6).fits(Amount::new(1, 5)));
        let large = Amount::new(u32::MAX, u64::MAX);
        assert_eq!((u64::from(large.units()), large.pages()), (UNITS, PAGES));
    }

    #[test]
    fn a_dropped_ticket_gives_everything_back() {
        let gate = Gate::new(Amount::new(2, 10), 1);
        let ticket = gate.try_take(Amount::new(2, 7)).unwrap();
        assert!(gate.try_take(one(1)).is_none());
        assert_eq!((gate.out().units(), gate.out().pages()), (2, 7));
        drop(ticket);
        assert!(gate.is_idle());
    }

    #[test]
    fn who_waits_is_served_in_order_and_never_overtaken() {
        let gate = Gate::new(one(3), 10);
        let mut held = gate.try_take(one(3)).unwrap();
        let (mut large, mut small) = (pin!(gate.take(one(2))), pin!(gate.take(one(1))));
        assert!(poll(&mut large).is_pending() && poll(&mut small).is_pending());
        held.shrink_to(one(2));
        assert!(poll(&mut small).is_pending(), "the small one would fit, but came later");
        assert!(gate.try_take(one(1)).is_none(), "a newcomer must not overtake");
        drop(held);
        let Poll::Ready(Ok(first)) = poll(&mut large) else { panic!("served first") };
        let Poll::Ready(Ok(second)) = poll(&mut small) else { panic!("fits beside it") };
        assert_eq!(gate.waiting(), 0);
        drop((first, second));
        assert!(gate.is_idle());
    }

    #[test]
    fn only_so_many_wait() {
        let gate = Gate::new(one(1), 1);
        let _held = gate.try_take(one(1)).unwrap();
        let mut first = pin!(gate.take(one(1)));
        assert!(poll(&mut first).is_pending());
        assert!(matches!(block_on(gate.take(one(1))), Err(Refused::QueueFull)));
    }

    #[test]
    fn leaving_the_queue_lets_the_next_one_in() {
        let gate = Gate::new(one(2), 10);
        let held = gate.try_take(one(1)).unwrap();
        let mut small = pin!(gate.take(one(1)));
        {
            let mut large = pin!(gate.take(one(2)));
            assert!(poll(&mut large).is_pending() && poll(&mut small).is_pending());
        }
        assert!(matches!(poll(&mut small), Poll::Ready(Ok(_))));
        drop(held);
        assert!(gate.is_idle());
    }

    #[test]
    fn who_was_served_and_never_looked_gives_it_back() {
        let gate = Gate::new(one(1), 10);
        let held = gate.try_take(one(1)).unwrap();
        {
            let mut waiting = pin!(gate.take(one(1)));
            assert!(poll(&mut waiting).is_pending());
            drop(held);
            assert!(!gate.is_idle(), "it is served, though it has not looked");
        }
        assert!(gate.is_idle());
    }

    #[test]
    fn who_is_served_by_a_newcomers_look_is_woken() {
        struct Woken(AtomicUsize);
        impl std::task::Wake for Woken {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, SeqCst);
            }
        }
        let gate = Gate::new(one(1), 10);
        let held = gate.try_take(one(1)).unwrap();
        let woken = Arc::new(Woken(AtomicUsize::new(0)));
        let mut first = pin!(gate.take(one(1)));
        assert!(first.as_mut().poll(&mut Context::from_waker(&Arc::clone(&woken).into())).is_pending());
        // Given back as far as the word, and not yet come to the lock.
        gate.free.fetch_add(held.keep().word, SeqCst);
        let mut second = pin!(gate.take(one(1)));
        assert!(poll(&mut second).is_pending());
        assert_eq!(woken.0.load(SeqCst), 1);
        assert!(matches!(poll(&mut first), Poll::Ready(Ok(_))));
    }

    #[test]
    fn closing_refuses_newcomers_and_serves_who_waits() {
        let gate = Gate::new(one(1), 10);
        let held = gate.try_take(one(1)).unwrap();
        let mut waiting = pin!(gate.take(one(1)));
        assert!(poll(&mut waiting).is_pending());
        gate.close();
        assert!(matches!(block_on(gate.take(one(1))), Err(Refused::Closed)));
        let mut drained = pin!(gate.drained());
        assert!(poll(&mut drained).is_pending());
        drop(held);
        let Poll::Ready(Ok(served)) = poll(&mut waiting) else { panic!("served") };
        assert!(poll(&mut drained).is_pending());
        drop(served);
        assert!(poll(&mut drained).is_ready());
    }

    #[test]
    fn threads_that_come_and_go_never_hold_more_than_there_is() {
        let gate = Arc::new(Gate::new(one(3), 1000));
        let most = Arc::new(AtomicUsize::new(0));
        let inside = Arc::new(AtomicUsize::new(0));
        let threads: Vec<_> = (0..8)
            .map(|i| {
                let (gate, most, inside) = (Arc::clone(&gate), Arc::clone(&most), Arc::clone(&inside));
                std::thread::spawn(move || {
                    for round in 0..2_000 {
                        let need = 1 + (i + round) % 3;
                        if round % 7 == 0 {
                            let mut left = pin!(gate.take(one(need)));
                            let _ = poll(&mut left);
                            continue;
                        }
                        let ticket = block_on(gate.take(one(need))).unwrap();
                        let now = inside.fetch_add(need as usize, SeqCst) + need as usize;
                        most.fetch_max(now, SeqCst);
                        inside.fetch_sub(need as usize, SeqCst);
                        drop(ticket);
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        assert!(most.load(SeqCst) <= 3);
        assert!(gate.is_idle() && gate.waiting() == 0);
    }
}
