//! Several providers at once: who is free takes the next range, so the fastest serve the most; what comes late is asked for elsewhere, too, and
//! the first right answer counts; who lies is dropped at the first wrong block, who is silent is not waited for.
//!
//! It begins with a roll call: all are asked for the root block, and only who has shown it is asked for more.

mod member;
mod order;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cid::Cid;
use futures::future::{AbortHandle, Aborted, abortable};
use futures::stream::{FuturesUnordered, StreamExt};
use futures::{FutureExt, future::BoxFuture};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use member::{Member, State};
use order::verify;
pub(super) use order::{News, Order, offset_in};

use super::partial::Partial;
use super::{FetchError, Peer, Source, Watch, serves_something_else};
use crate::car::{Place, Wrong};
use crate::deal::DealError;
use crate::piece::PieceInfo;

/// Ranges that one provider is asked for at a time: while one is verified, the next ones come.
const AT_ONCE: usize = 4;
/// A range is late when it takes this many times what a provider usually needs, but never before this has passed.
const LATE: u32 = 2;
const SOON: Duration = Duration::from_millis(25);
/// The same while nobody knows what is usual.
const UNKNOWN: Duration = Duration::from_millis(300);
/// How often lateness is looked at.
const TICK: Duration = Duration::from_millis(10);
/// Late answers after which a provider is asked only when nobody else is there.
const MOST_LATE: u32 = 2;
/// Failures in a row after which a provider is given up where there are others; and how long one is borne that is the only one.
const MOST_FAILURES: u32 = 3;
const ALONE: Duration = Duration::from_secs(15);
/// How long others are waited for when the first answer to the roll call was strange.
const STRANGE: Duration = Duration::from_secs(3);
/// At the end, how long after the roll call its answers are waited for at least and at most, so that a liar is named even if it was not needed.
const MOMENT: Duration = Duration::from_millis(250);
const GRACE: Duration = Duration::from_millis(1500);

/// An order that is worked on or waits.
struct Task {
    order: Order,
    workers: Vec<(usize, Instant, AbortHandle)>,
    strange: Vec<usize>,
}

enum Answer {
    Root(usize, Result<Option<(Place, Vec<u8>)>, DealError>),
    Order(usize, u64, Instant, Result<Result<Vec<u8>, Wrong>, DealError>),
}

type Work = BoxFuture<'static, Result<Answer, Aborted>>;

/// Whom to ask, and what for.
pub(super) struct Fleet {
    pub piece: PieceInfo,
    pub root: Cid,
    pub sources: Vec<Source>,
    pub watch: Arc<dyn Watch>,
    pub partial: Option<Arc<Partial>>,
}

struct Run {
    fleet: Fleet,
    news: UnboundedSender<News>,
    members: Vec<Member>,
    tasks: VecDeque<Task>,
    work: FuturesUnordered<Work>,
    called: Instant,
    rooted: bool,
    /// Whether it was told that nobody serves the piece, or nobody as we lay it out.
    over: bool,
    /// When the last order was done, or was not wanted any more.
    closed: Option<Duration>,
    received: u64,
    /// Why members are out.
    out: Vec<(Source, DealError)>,
}

impl Fleet {
    /// Works until the orders end.
    pub async fn run(self, mut orders: UnboundedReceiver<Order>, news: UnboundedSender<News>) {
        let mut run = Run::new(self, news);
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while !run.is_done() {
            run.assign();
            tokio::select! {
                order = orders.recv(), if run.closed.is_none() => match order {
                    Some(order) => run.tasks.push_back(Task { order, workers: Vec::new(), strange: Vec::new() }),
                    None => {
                        // Whoever gave the orders has all it wants.
                        run.closed = Some(run.called.elapsed());
                        run.tasks.clear();
                    }
                },
                Some(answer) = run.work.next(), if !run.work.is_empty() => {
                    if let Ok(answer) = answer {
                        run.take(answer);
                    }
                }
                _ = tick.tick() => run.look(),
            }
        }
        run.end();
    }
}

impl Run {
    fn new(fleet: Fleet, news: UnboundedSender<News>) -> Self {
        let now = Instant::now();
        let (members, work) = (Vec::new(), FuturesUnordered::new());
        let (tasks, out) = (VecDeque::new(), Vec::new());
        let mut run = Run {
            fleet,
            news,
            members,
            tasks,
            work,
            called: now,
            rooted: false,
            over: false,
            closed: None,
            received: 0,
            out,
        };
        for source in run.fleet.sources.clone() {
            match Peer::of(&source) {
                Ok(peer) => run.call(source, Arc::new(peer), now),
                Err(why) => run.give_up(source, why),
            }
        }
        run.look();
        run
    }

    /// Asks a member for the root.
    fn call(&mut self, source: Source, peer: Arc<Peer>, now: Instant) {
        self.fleet.watch.asking(&source);
        let index = self.members.len();
        let (usual, failing_since) = (None, None);
        let (state, asked) = (State::Called, peer.clone());
        self.members.push(Member {
            source,
            peer,
            state,
            busy: 0,
            usual,
            late: 0,
            failures: 0,
            failing_since,
            not_before: now,
            served: 0,
        });
        let (piece, root) = (self.fleet.piece.clone(), self.fleet.root);
        self.work.push(async move { Ok(Answer::Root(index, asked.find_root(&piece, &root).await)) }.boxed());
    }

    fn give_up(&mut self, source: Source, why: DealError) {
        self.fleet.watch.dropped(&source, &why);
        self.out.push((source, why));
    }

    fn drop_member(&mut self, index: usize, why: DealError) {
        if self.members[index].state != State::Out {
            self.members[index].state = State::Out;
            self.give_up(self.members[index].source.clone(), why);
        }
    }

    fn tell(&self, news: News) {
        // Who no longer listens closes the orders, too.
        let _ = self.news.send(news);
    }

    /// Gives orders to whoever is free.
    fn assign(&mut self) {
        for at in 0..self.tasks.len() {
            if self.tasks[at].workers.is_empty()
                && let Some(member) = self.best_for(at, Instant::now())
            {
                self.begin(at, member);
            }
        }
    }

    /// The free member that is likely to be the first with an order.
    fn best_for(&self, at: usize, now: Instant) -> Option<usize> {
        let task = &self.tasks[at];
        let may = |(index, member): &(usize, &Member)| {
            member.state == State::Ready
                && member.busy < AT_ONCE
                && member.not_before <= now
                && !task.strange.contains(index)
                && task.workers.iter().all(|worker| worker.0 != *index)
        };
        let rank = |member: &Member| {
            let load = u32::try_from(member.busy).unwrap_or(u32::MAX).saturating_add(1);
            (member.late >= MOST_LATE, member.usual.unwrap_or_default().saturating_mul(load), member.busy)
        };
        let best = self.members.iter().enumerate().filter(may).min_by_key(|(_, member)| rank(member))?;
        // One that was late is asked when nobody else is there at all, not when the others are busy.
        let others = self.members.iter().any(|m| m.state == State::Ready && m.late < MOST_LATE);
        (best.1.late < MOST_LATE || !others).then_some(best.0)
    }

    fn begin(&mut self, at: usize, index: usize) {
        let (member, task) = (&mut self.members[index], &mut self.tasks[at]);
        member.busy += 1;
        let (peer, piece, order) = (member.peer.clone(), self.fleet.piece.clone(), task.order.clone());
        let (partial, began) = (self.fleet.partial.clone(), Instant::now());
        let reading = async move {
            let number = order.number;
            let outcome = match peer.read(&piece, order.range()).await {
                Ok(bytes) => {
                    // Hashing is for other threads than those that wait for the network.
                    let checked = tokio::task::spawn_blocking(move || verify(&order, bytes, partial.as_deref())).await;
                    match checked {
                        Ok(Err((cid, Wrong::Forged))) => Err(peer.forged(format!("block {cid} has another hash"))),
                        Ok(Err((_, Wrong::Elsewhere))) => Ok(Err(Wrong::Elsewhere)),
                        Ok(Ok(bytes)) => Ok(Ok(bytes)),
                        Err(stopped) => Err(std::io::Error::other(stopped).into()),
                    }
                }
                Err(error) => Err(error),
            };
            Answer::Order(index, number, began, outcome)
        };
        let (reading, handle) = abortable(reading);
        task.workers.push((index, began, handle));
        self.work.push(reading.boxed());
    }

    fn take(&mut self, answer: Answer) {
        match answer {
            Answer::Root(index, Ok(Some((place, block)))) => {
                self.members[index].state = State::Ready;
                let size = place.range().end - place.at;
                if !self.rooted {
                    self.rooted = true;
                    self.members[index].served += size;
                    self.tell(News::Root(place, block));
                }
            }
            Answer::Root(index, Ok(None)) => self.members[index].state = State::Strange,
            Answer::Root(index, Err(why)) => self.drop_member(index, why),
            Answer::Order(index, number, began, outcome) => {
                self.members[index].busy = self.members[index].busy.saturating_sub(1);
                let Some(at) = self.tasks.iter().position(|task| task.order.number == number) else { return };
                self.tasks[at].workers.retain(|worker| worker.0 != index);
                match outcome {
                    Ok(Ok(bytes)) => self.done(at, index, began, bytes),
                    Ok(Err(_)) => self.tasks[at].strange.push(index),
                    Err(why) => self.failed(index, why),
                }
            }
        }
        self.look();
    }

    /// An order is done: whoever else works on it stops.
    fn done(&mut self, at: usize, index: usize, began: Instant, bytes: Vec<u8>) {
        let Some(task) = self.tasks.remove(at) else { return };
        let took = began.elapsed();
        let size = u32::try_from(bytes.len() >> 20).unwrap_or(u32::MAX).max(1);
        let member = &mut self.members[index];
        let usual = member.usual.map_or(took / size, |usual| (usual * 3 + took / size) / 4);
        (member.usual, member.failures, member.failing_since) = (Some(usual), 0, None);
        member.served += bytes.len() as u64;
        for (slow, since, handle) in task.workers {
            handle.abort();
            let slow = &mut self.members[slow];
            slow.busy = slow.busy.saturating_sub(1);
            // Late for somebody who began later, and took far less.
            if since < began && since.elapsed() > took * LATE + SOON {
                slow.late += 1;
                if slow.late == MOST_LATE {
                    self.fleet.watch.dropped(&slow.source, &slow.peer.silent());
                }
            }
        }
        for liar in task.strange {
            let why = self.members[liar].peer.forged("others have another block there".into());
            self.drop_member(liar, why);
        }
        self.received += bytes.len() as u64;
        self.fleet.watch.received(self.received);
        self.tell(News::Done(task.order.number, bytes));
    }

    fn failed(&mut self, index: usize, why: DealError) {
        let now = Instant::now();
        let others = self.members.iter().enumerate().any(|(i, m)| i != index && m.state == State::Ready);
        let member = &mut self.members[index];
        member.failures += 1;
        let since = *member.failing_since.get_or_insert(now);
        let given = if others { member.failures >= MOST_FAILURES } else { since.elapsed() > ALONE };
        if !why.is_passing() || given {
            return self.drop_member(index, why);
        }
        member.not_before = now + Duration::from_millis(50) * 2u32.pow(member.failures.min(5));
    }

    /// Looks at what is late, and at who is left.
    fn look(&mut self) {
        let now = Instant::now();
        let ready = self.members.iter().any(|member| member.state == State::Ready);
        let called = self.members.iter().any(|member| member.state == State::Called);
        if ready {
            // Somebody has shown the root: who has something else there lies.
            for index in 0..self.members.len() {
                if self.members[index].state == State::Strange {
                    let why = self.members[index].peer.forged("the root block is not at its end".into());
                    self.drop_member(index, why);
                }
            }
        } else {
            // Who serves no parts may still serve all of it.
            let whole = |(_, why): &(Source, DealError)| matches!(why, DealError::NoRanges { .. });
            let strange = self.members.iter().any(|m| m.state == State::Strange) || self.out.iter().any(whole);
            if self.over {
                return;
            }
            if strange && (!called || self.called.elapsed() > STRANGE) {
                self.over = true;
                self.tell(News::Strange);
            } else if !called && !strange {
                let lied = self.out.iter().any(|(_, why)| serves_something_else(why));
                let mut out = std::mem::take(&mut self.out);
                // In the order that they were named in, whoever was the first to fail.
                out.sort_by_key(|(source, _)| self.fleet.sources.iter().position(|named| named == source));
                let error = if self.fleet.sources.is_empty() {
                    FetchError::NoSource
                } else if lied {
                    FetchError::Corrupt(out)
                } else {
                    FetchError::Unavailable(out)
                };
                self.over = true;
                self.tell(News::Failed(error));
            }
        }
        self.look_at_tasks(now);
    }

    fn look_at_tasks(&mut self, now: Instant) {
        let mut at = 0;
        while at < self.tasks.len() {
            let task = &self.tasks[at];
            if task.workers.is_empty() && !task.strange.is_empty() {
                let askable = |(index, member): (usize, &Member)| {
                    member.state == State::Called || (member.state == State::Ready && !task.strange.contains(&index))
                };
                if !self.members.iter().enumerate().any(askable) {
                    let number = task.order.number;
                    self.tasks.remove(at);
                    self.tell(News::Elsewhere(number));
                    continue;
                }
            }
            if let [(worker, since, _)] = task.workers[..]
                && let Some(member) = self.best_for(at, now)
            {
                let size = u32::try_from((task.order.range().end - task.order.range().start) >> 20).unwrap_or(1).max(1);
                let usual = |index: usize| self.members[index].usual.map(|usual| usual * size);
                let limit = usual(member).or(usual(worker)).map_or(UNKNOWN, |usual| (usual * LATE).max(SOON));
                if now.duration_since(since) > limit {
                    self.begin(at, member);
                }
            }
            at += 1;
        }
    }

    /// Whether the orders have ended, and the roll call has, or has taken long enough.
    fn is_done(&self) -> bool {
        let called = self.members.iter().any(|member| member.state == State::Called);
        self.closed.is_some_and(|closed| !called || self.called.elapsed() > (closed * 3 / 2).clamp(MOMENT, GRACE))
    }

    fn end(&mut self) {
        for member in &self.members {
            if member.state == State::Called {
                self.fleet.watch.dropped(&member.source, &member.peer.silent());
            }
        }
        let mut served: Vec<_> =
            self.members.iter().filter(|m| m.served > 0).map(|m| (m.source.clone(), m.served)).collect();
        served.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
        self.tell(News::Ended(served));
    }
}
