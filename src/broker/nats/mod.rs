//! Keeps messages on NATS servers with JetStream, for many runtimes that share them.
//!
//! It promises what every store promises as long as the servers keep what they have confirmed. A server that is killed may
//! forget acknowledgements: a message may be handed out once more, but neither out of its order nor when it is cancelled, dead,
//! or was kept for a once key that has another message.
//!
//! It does not keep several messages all or none when the connection is lost midway: some may be kept. Keys of one
//! channel are held in 65,536 lines, so that two keys may wait for each other. What runs in other
//! runtimes is counted among what waits.

mod core;
mod depth;
mod desk;
mod ended;
mod ground;
mod keep;
mod letters;
mod link;
mod logs;
mod names;
mod options;
mod order;
mod post;
mod press;
mod put;
mod records;
mod settle;
mod state;
mod stock;
#[cfg(test)]
mod tests;
mod values;
mod vet;

use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicI64};
use std::sync::{Arc, Weak};

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::{Mutex as AsyncMutex, Notify, mpsc, oneshot};

use self::core::Core;
use self::desk::Desk;
use self::ground::Ground;
use self::keep::Hold;
use self::link::{Doubt, Link};
use self::names::Names;
pub use self::options::Nats;
use self::stock::Stock;
use crate::broker::{
    Answer, Bounds, Cancel, Channel, Depth, Draft, Item, Kept, Lease, Letter, Listener, Shard, State, Store,
    SubmissionId, Token, Trouble, Verdict, Versioned,
};
use crate::error::{Error, ErrorKind};
use crate::wall::{Moment, Wall};

/// Keeps messages on NATS servers.
pub(crate) struct Cluster {
    me: Weak<Self>,
    core: Arc<Core>,
    ground: Ground,
}

impl Cluster {
    /// Connects, and makes what is not there; it blocks its thread for as long as that takes.
    pub(crate) fn open(nats: Nats, bounds: Bounds, wall: Wall) -> Result<Arc<Self>, Error> {
        nats.check()?;
        let broken = |reason| Error::from(ErrorKind::Broker { reason });
        let core = Arc::new(Mutex::new(None::<Arc<Core>>));
        let last = {
            let core = Arc::clone(&core);
            move || async move {
                let core = core.lock().take();
                if let Some(core) = core {
                    core.leave().await;
                }
            }
        };
        let ground = Ground::start(last)
            .map_err(|error| broken(format!("the thread for NATS cannot start: {error}")))?;
        let (done, opened) = oneshot::channel();
        ground.handle().spawn(async move {
            // Nobody waits only if this thread panicked.
            let _ = done.send(start(&nats, bounds, wall).await);
        });
        // On a thread that blocks; an async runtime's own threads must not call `blocking_recv`.
        let opened = crate::block_on::block_on(opened);
        let opened =
            opened.unwrap_or_else(|_| Err("the thread for NATS has ended".into())).map_err(broken)?;
        *core.lock() = Some(Arc::clone(&opened));
        Ok(Arc::new_cyclic(|me| Self { me: Weak::clone(me), core: opened, ground }))
    }

    /// Does something on the thread of the connection.
    fn go<'a, T, F>(&'a self, work: impl FnOnce(Arc<Core>) -> F + Send + 'a) -> Answer<'a, T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Trouble>> + Send + 'static,
    {
        async move {
            let work = self.ground.handle().spawn(work(Arc::clone(&self.core)));
            // It is an error only if the thread has ended.
            work.await.unwrap_or(Err(Trouble::Closed))
        }
        .boxed()
    }

    async fn wait(&self, channel: &Channel, most: usize) -> Result<Vec<Lease>, Trouble> {
        let most = most.max(1);
        let post = self.core.post(channel, self.ground.handle());
        let _waiting = post.wait(most);
        loop {
            let arrived = post.arrived.notified();
            self.core.check_open()?;
            let leases: Vec<_> =
                post.take(most).into_iter().filter_map(|handed| self.lease(handed)).collect();
            if !leases.is_empty() {
                return Ok(leases);
            }
            arrived.await;
        }
    }

    fn lease(&self, (sequence, handed): (u64, crate::broker::lease::Handed)) -> Option<Lease> {
        let store = self.me.upgrade()?;
        // A server that was started anew may have handed a message to others that waits here; it comes again.
        let connection = self.core.link.is_connected().then(|| self.core.link.connects());
        let token = self.core.desk.lock().hand_out(sequence, connection)?;
        Some(Lease::new(store, token, handed))
    }

    #[cfg(test)]
    pub(crate) fn kill(&self) {
        self.core.shut();
        self.ground.kill();
    }
}

async fn start(nats: &Nats, bounds: Bounds, wall: Wall) -> Result<Arc<Core>, String> {
    let link = Link::open(nats).await?;
    let names = Names(nats.namespace.as_str().into());
    let stock = Stock::open(&link.context, &names, (nats.replicas, bounds.remember)).await;
    let stock = stock.map_err(|error| match link.trouble("make what is needed", error) {
        Trouble::Failed(reason) => reason,
        Trouble::Full(_) | Trouble::TooLarge { .. } | Trouble::Closed => "the store is closed".into(),
    })?;
    let (values, commands) = mpsc::unbounded_channel();
    let (press, orders) = mpsc::unbounded_channel();
    let core = Arc::new(Core {
        link,
        stock,
        names,
        bounds,
        wall,
        hold: Hold::new(nats.ack_wait),
        desk: Mutex::new(Desk::default()),
        posts: Mutex::new(HashMap::new()),
        press,
        doubt: Doubt::new(),
        endings: Mutex::default(),
        writing: AsyncMutex::default(),
        many_ended: Notify::new(),
        cancelled: Mutex::default(),
        announced: Mutex::new(HashSet::new()),
        channels: Mutex::default(),
        values,
        events: AtomicI64::new(0),
        bytes: AtomicI64::new(0),
        closed: AtomicBool::new(false),
    });
    core.measure().await.map_err(|trouble| format!("{trouble:?}"))?;
    tokio::spawn(values::tell(commands));
    tokio::spawn(Arc::clone(&core).run_press(orders));
    tokio::spawn(Arc::clone(&core).watch_values());
    tokio::spawn(Arc::clone(&core).watch_channels());
    tokio::spawn(Arc::clone(&core).watch_cancelled());
    tokio::spawn(Arc::clone(&core).watch_order());
    tokio::spawn(Arc::clone(&core).answer_questions());
    tokio::spawn(Arc::clone(&core).write_endings());
    tokio::spawn(Arc::clone(&core).keep_hold());
    tokio::spawn(Arc::clone(&core).keep_house());
    Ok(core)
}

impl Store for Cluster {
    fn put(&self, drafts: Vec<Draft>) -> Answer<'_, Vec<Kept>> {
        async move {
            match self.core.put_plainly(&drafts).await {
                Some(kept) => Ok(vec![kept]),
                None => self.go(move |core| core.put(drafts)).await,
            }
        }
        .boxed()
    }

    fn pull<'a>(&'a self, channel: &'a Channel, most: usize) -> Answer<'a, Vec<Lease>> {
        self.wait(channel, most).boxed()
    }

    fn settle(&self, token: Token, verdict: Verdict, then: Vec<Draft>) -> Answer<'_, ()> {
        if self.core.is_closed() {
            return async { Err(Trouble::Closed) }.boxed();
        }
        match self.core.settle_plainly(token, verdict, &then) {
            Some(verdict) => self.go(move |core| core.settle(token, verdict, then)),
            None => async { Ok(()) }.boxed(),
        }
    }

    fn give_back(&self, token: Token) {
        let sequence = self.core.desk.lock().abandon(token);
        if let Some(sequence) = sequence {
            let core = Arc::clone(&self.core);
            self.ground
                .handle()
                .spawn(async move { core.put_off(sequence, std::time::Duration::ZERO).await });
        }
    }

    fn state<'a>(&'a self, id: &'a SubmissionId) -> Answer<'a, Option<State>> {
        self.go(move |core| core.state(id.clone()))
    }

    fn cancel<'a>(&'a self, id: &'a SubmissionId) -> Answer<'a, Cancel> {
        self.go(move |core| core.cancel(id.clone()))
    }

    fn letters<'a>(
        &'a self,
        channel: Option<&'a Channel>,
        after: u64,
        most: usize,
    ) -> Answer<'a, Vec<Letter>> {
        self.go(move |core| core.letters(channel.cloned(), after, most))
    }

    fn letter<'a>(&'a self, id: &'a SubmissionId) -> Answer<'a, Option<Letter>> {
        let id = id.clone();
        self.go(move |core| async move { Ok(core.find_letter(&id).await?.map(|(letter, _)| letter)) })
    }

    fn revive<'a>(&'a self, id: &'a SubmissionId) -> Answer<'a, bool> {
        self.go(move |core| core.revive(id.clone()))
    }

    fn purge<'a>(&'a self, id: &'a SubmissionId) -> Answer<'a, bool> {
        self.go(move |core| core.purge(id.clone()))
    }

    fn depth<'a>(&'a self, channel: &'a Channel) -> Answer<'a, Depth> {
        self.go(move |core| core.depth(channel.clone()))
    }

    fn on_channel(&self, listener: Listener<Channel>) {
        let listener = Arc::new(listener);
        let known: Vec<_> = {
            let mut channels = self.core.channels.lock();
            channels.1.push(Arc::clone(&listener));
            channels.0.iter().cloned().collect()
        };
        known.iter().for_each(|channel| listener(channel));
    }

    fn append<'a>(&'a self, shard: &'a Shard, payloads: Vec<Bytes>) -> Answer<'a, u64> {
        self.go(move |core| core.append(shard.clone(), payloads))
    }

    fn read<'a>(&'a self, shard: &'a Shard, from: u64, most: (usize, usize)) -> Answer<'a, Vec<Item>> {
        self.go(move |core| core.read_log(shard.clone(), from, most))
    }

    fn end<'a>(&'a self, shard: &'a Shard) -> Answer<'a, u64> {
        let shard = shard.clone();
        self.go(move |core| async move { core.end(shard).await })
    }

    fn seek<'a>(&'a self, shard: &'a Shard, at: Moment) -> Answer<'a, u64> {
        let shard = shard.clone();
        self.go(move |core| async move { core.seek(shard, at).await })
    }

    fn trim<'a>(&'a self, shard: &'a Shard, before: Moment) -> Answer<'a, ()> {
        let shard = shard.clone();
        self.go(move |core| async move { core.trim(shard, before).await })
    }

    fn get<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Versioned>> {
        let key = key.to_owned();
        self.go(move |core| async move { core.read(&core.stock.values, &key).await })
    }

    fn swap<'a>(&'a self, key: &'a str, revision: Option<u64>, value: Bytes) -> Answer<'a, Option<u64>> {
        let key = key.to_owned();
        self.go(move |core| async move { core.swap(&core.stock.values, &key, (revision, value)).await })
    }

    fn remove<'a>(&'a self, key: &'a str) -> Answer<'a, ()> {
        let key = key.to_owned();
        self.go(move |core| async move { core.remove(&core.stock.values, &key).await })
    }

    fn on_value(&self, prefix: &str, listener: Listener<(String, Option<Bytes>)>) {
        let prefix = prefix.to_owned();
        let listen = self.go(move |core| async move { core.listen(prefix, listener).await });
        if let Err(trouble) = crate::block_on::block_on(listen) {
            tracing::warn!(?trouble, "values are told late, as the server does not answer");
        }
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        let close = self.go(|core| async move {
            core.leave().await;
            Ok(())
        });
        close.map(drop).boxed()
    }
}
