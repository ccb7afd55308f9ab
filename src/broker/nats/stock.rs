//! The streams and buckets that everything is kept in; made if they are not there.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType, Stream};
use async_nats::jetstream::{Context, kv};

use crate::broker::nats::link::whole;
use crate::broker::nats::names::Names;

/// For how long a server knows which ids were put.
const DUPLICATES: Duration = Duration::from_secs(120);
/// Cancelled messages are known at least so long, as a server that was killed may hand them out once more.
const LEAST_CANCELLED: Duration = Duration::from_secs(3600);
/// For how long a bucket of once keys keeps them: the first of these that is long enough for every window so far.
const DAYS: [u64; 4] = [1, 8, 32, 400];

/// The streams and buckets.
pub(super) struct Stock {
    /// What waits, and leaves when it is acknowledged.
    pub(super) work: Stream,
    pub(super) dead: Stream,
    pub(super) ended: Stream,
    pub(super) log: Stream,
    /// Which channels there are.
    pub(super) channels: kv::Store,
    /// Of each key, the last message that is over.
    pub(super) order: kv::Store,
    /// What is known of messages that failed.
    pub(super) failed: kv::Store,
    pub(super) once: kv::Store,
    pub(super) cancelled: kv::Store,
    pub(super) values: kv::Store,
    once_age: AtomicU64,
}

impl Stock {
    pub(super) async fn open(
        context: &Context,
        names: &Names,
        (replicas, remember): (usize, Duration),
    ) -> Result<Self, String> {
        let maker = Maker { context, names, replicas };
        let work = Config {
            retention: RetentionPolicy::WorkQueue,
            duplicate_window: DUPLICATES,
            ..maker.stream("WORK", "work")
        };
        let ended =
            Config { max_age: remember, discard: DiscardPolicy::Old, ..maker.stream("ENDED", "ended") };
        let one_day = Duration::from_secs(DAYS[0] * 86_400);
        let (once, once_age) = maker.bucket("ONCE", Some(one_day)).await?;
        Ok(Self {
            work: maker.make(work).await?,
            dead: maker.make(maker.stream("DEAD", "dead")).await?,
            ended: maker.make(ended).await?,
            log: maker.make(maker.stream("LOG", "log")).await?,
            channels: maker.bucket("CHANNELS", None).await?.0,
            order: maker.bucket("ORDER", None).await?.0,
            failed: maker.bucket("FAILED", None).await?.0,
            once,
            cancelled: maker.bucket("CANCELLED", Some(remember.max(LEAST_CANCELLED))).await?.0,
            values: maker.bucket("VALUES", None).await?.0,
            once_age: AtomicU64::new(once_age.as_secs()),
        })
    }

    /// Has once keys kept for at least so long.
    pub(super) async fn keep_once_keys(&self, context: &Context, window: Duration) -> Result<(), String> {
        if window.as_secs() < self.once_age.load(SeqCst) {
            return Ok(());
        }
        let enough = |days: &u64| Duration::from_secs(days * 86_400) > window;
        let Some(days) = DAYS.into_iter().find(enough) else {
            let most = DAYS[DAYS.len() - 1];
            return Err(format!("a window of {window:?} for a key; give less than {most} days"));
        };
        let name = self.once.stream_name.clone();
        let stream = context.get_stream(name).await.map_err(whole)?;
        let mut config = stream.cached_info().config.clone();
        config.max_age = config.max_age.max(Duration::from_secs(days * 86_400));
        let age = config.max_age.as_secs();
        context.update_stream(config).await.map_err(whole)?;
        self.once_age.store(age, SeqCst);
        Ok(())
    }
}

struct Maker<'a> {
    context: &'a Context,
    names: &'a Names,
    replicas: usize,
}

impl Maker<'_> {
    fn stream(&self, name: &str, subjects: &str) -> Config {
        Config {
            name: self.names.of(name),
            subjects: vec![self.names.all(subjects)],
            discard: DiscardPolicy::New,
            storage: StorageType::File,
            num_replicas: self.replicas,
            allow_direct: self.replicas == 1,
            ..Config::default()
        }
    }

    /// Makes a stream, unless there is one, perhaps made with other options: that one is used as it is.
    async fn make(&self, config: Config) -> Result<Stream, String> {
        let name = config.name.clone();
        if let Ok(stream) = self.context.get_stream(&name).await {
            return Ok(stream);
        }
        match self.context.create_stream(config).await {
            Ok(stream) => Ok(stream),
            // Another may have made it meanwhile.
            Err(error) => self
                .context
                .get_stream(&name)
                .await
                .map_err(|_| format!("the stream {name} cannot be made: {}", whole(error))),
        }
    }

    /// Makes a bucket; not by the client's own way, which asks the account for what servers before 2.10 do not tell.
    async fn bucket(&self, name: &str, age: Option<Duration>) -> Result<(kv::Store, Duration), String> {
        let bucket = self.names.of(name);
        let config = Config {
            name: format!("KV_{bucket}"),
            subjects: vec![format!("$KV.{bucket}.>")],
            max_messages_per_subject: 1,
            max_age: age.unwrap_or_default(),
            allow_rollup: true,
            deny_delete: true,
            ..self.stream("", "")
        };
        let stream = self.make(config).await?;
        let age = stream.cached_info().config.max_age;
        Ok((self.context.get_key_value(bucket).await.map_err(whole)?, age))
    }
}
