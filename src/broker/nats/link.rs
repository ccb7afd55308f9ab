//! The connection: what is asked, how long an answer is waited for, and what is said when none comes.

use std::fmt::Display;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use async_nats::connection::State as Connection;
use async_nats::jetstream::message::{PublishMessage, StreamMessage};
use async_nats::jetstream::stream::{DirectGetErrorKind, Stream};
use async_nats::jetstream::{self, Context};
use async_nats::{Client, ConnectOptions, Event, Statistics};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use crate::broker::Trouble;
use crate::broker::nats::options::{Login, Nats};

/// How long one answer of a server is waited for.
pub(super) const ANSWER: Duration = Duration::from_secs(5);
/// How long something is tried while the servers are away or refuse.
const PATIENCE: Duration = Duration::from_secs(10);
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(300);

/// The connection to the servers.
pub(super) struct Link {
    pub(super) client: Client,
    pub(super) context: Context,
    url: String,
    statistics: Arc<Statistics>,
    /// Changes with each connection.
    connected: watch::Receiver<u64>,
    is_replicated: bool,
}

impl Link {
    /// Connects within the time limit; from then on it connects again by itself, for ever.
    pub(super) async fn open(nats: &Nats) -> Result<Self, String> {
        let (told, connected) = watch::channel(0);
        let told = Arc::new(told);
        let options = sign_in(nats)?
            .name(format!("fnhost {}", nats.namespace))
            .subscription_capacity(1 << 16)
            .reconnect_delay_callback(|attempts| {
                LONGEST_PAUSE.min(FIRST_PAUSE * u32::try_from(attempts).unwrap_or(u32::MAX).min(15))
            })
            .event_callback(move |event| {
                if matches!(event, Event::Connected) {
                    told.send_modify(|count| *count += 1);
                }
                std::future::ready(())
            });
        let addresses: Vec<String> = nats.url.split(',').map(|url| url.trim().to_owned()).collect();
        let client = match timeout(nats.connect_within, options.connect(addresses)).await {
            Ok(Ok(client)) => client,
            Ok(Err(error)) => return Err(unreachable(&nats.url, &error)),
            Err(_) => {
                return Err(unreachable(&nats.url, &format!("no answer within {:?}", nats.connect_within)));
            }
        };
        let context = jetstream::ContextBuilder::new()
            .timeout(ANSWER)
            .ack_timeout(ANSWER)
            .max_ack_inflight(1 << 16)
            .build(client.clone());
        let statistics = client.statistics();
        let (url, is_replicated) = (hide_login(&nats.url), nats.replicas > 1);
        Ok(Self { client, context, url, statistics, connected, is_replicated })
    }

    /// Returns how often it was connected; it changes before anything arrives on a new connection.
    pub(super) fn connects(&self) -> u64 {
        self.statistics.connects.load(SeqCst)
    }

    /// Waits until it is connected anew.
    pub(super) async fn reconnected(&self) {
        let mut connected = self.connected.clone();
        connected.mark_unchanged();
        // The sender lives as long as the client does.
        let _ = connected.changed().await;
    }

    pub(super) fn is_connected(&self) -> bool {
        self.client.connection_state() == Connection::Connected
    }

    /// Says what went wrong where, and what to do.
    pub(super) fn trouble(&self, what: &str, error: impl Display) -> Trouble {
        Trouble::Failed(format!(
            "cannot {what} at {}: {error}; see that the server runs, has JetStream enabled and room on its disk, and \
             lets this account use it",
            self.url
        ))
    }

    /// Does something that may be done twice, again and again until it succeeds or patience ends.
    pub(super) async fn steady<T, E: Display, F>(
        &self,
        what: &str,
        mut work: impl FnMut() -> F + Send,
    ) -> Result<T, Trouble>
    where
        F: Future<Output = Result<T, E>> + Send,
    {
        let until = Instant::now() + PATIENCE;
        let mut pause = FIRST_PAUSE;
        loop {
            let error = if self.is_connected() {
                // An answer to what was asked on a connection that is gone never comes.
                tokio::select! {
                    biased;
                    done = timeout(ANSWER, work()) => match done {
                        Ok(Ok(done)) => return Ok(done),
                        Ok(Err(error)) => error.to_string(),
                        Err(_) => format!("no answer within {ANSWER:?}"),
                    },
                    () = self.reconnected() => "the connection was lost".to_owned(),
                }
            } else {
                "the server is away".to_owned()
            };
            if Instant::now() + pause > until {
                return Err(self.trouble(what, error));
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Publishes to a stream and waits until it is kept; answers its sequence, and whether it was there before.
    pub(super) async fn publish(
        &self,
        subject: &str,
        message: PublishMessage,
    ) -> Result<(u64, bool), Trouble> {
        self.steady("keep a message", || {
            let (subject, message) = (subject.to_owned(), message.clone());
            async move {
                let kept = self.context.send_publish(subject, message).await.map_err(whole)?;
                let kept = kept.await.map_err(whole)?;
                Ok::<_, String>((kept.sequence, kept.duplicate))
            }
        })
        .await
    }

    /// Returns the first message of a subject, which may have wildcards, from a sequence on.
    pub(super) async fn next(
        &self,
        stream: &Stream,
        subject: &str,
        from: u64,
    ) -> Result<Option<StreamMessage>, Trouble> {
        self.steady("look for a message", || async move {
            // Only the leader of replicas is sure to know the newest.
            if self.is_replicated {
                let get = stream.raw_message_builder().next_by_subject(subject).sequence(from.max(1)).send();
                return match get.await {
                    Ok(message) => Ok(Some(message)),
                    Err(error) if is_absent(&error.to_string()) => Ok(None),
                    Err(error) => Err(whole(error)),
                };
            }
            let get = stream.direct_get_builder().next_by_subject(subject).sequence(from.max(1)).send();
            match get.await {
                Ok(message) => Ok(Some(message)),
                Err(error) if error.kind() == DirectGetErrorKind::NotFound => Ok(None),
                Err(error) => Err(whole(error)),
            }
        })
        .await
    }

    /// Returns a message by its sequence.
    pub(super) async fn get(&self, stream: &Stream, sequence: u64) -> Result<Option<StreamMessage>, Trouble> {
        self.steady("look for a message", || async move {
            match stream.get_raw_message(sequence).await {
                Ok(message) => Ok(Some(message)),
                Err(error) if is_absent(&whole_of(&error)) => Ok(None),
                Err(error) => Err(whole(error)),
            }
        })
        .await
    }

    /// Deletes a message; false if there is none.
    pub(super) async fn delete(&self, stream: &Stream, sequence: u64) -> Result<bool, Trouble> {
        self.steady("delete a message", || async move {
            match stream.delete_message(sequence).await {
                Ok(deleted) => Ok(deleted),
                Err(error) if is_absent(&whole_of(&error)) => Ok(false),
                Err(error) => Err(whole(error)),
            }
        })
        .await
    }

    /// Sends something that nobody answers, such as an acknowledgement.
    pub(super) async fn send(&self, subject: async_nats::Subject, payload: bytes::Bytes) {
        // It fails only when the client has ended, and then nobody is there to hear it.
        let _ = self.client.publish(subject, payload).await;
    }
}

fn sign_in(nats: &Nats) -> Result<ConnectOptions, String> {
    let options = ConnectOptions::new().connection_timeout(nats.connect_within);
    let options = match &nats.login {
        Login::Nobody => options,
        Login::Token(token) => options.token(token.clone()),
        Login::Password { user, password } => options.user_and_password(user.clone(), password.clone()),
        Login::Seed(seed) => options.nkey(seed.clone()),
        Login::Credentials(text) => {
            options.credentials(text).map_err(|error| format!("the credentials cannot be read: {error}"))?
        }
    };
    Ok(match &nats.roots {
        Some(path) => options.add_root_certificates(path.clone()),
        None => options,
    })
}

fn unreachable(url: &str, error: &impl Display) -> String {
    format!(
        "cannot connect to NATS at {}: {error}; start `nats-server -js` there, or correct the url and the login",
        hide_login(url)
    )
}

/// Returns an url list without what stands before the hosts.
fn hide_login(url: &str) -> String {
    let one = |url: &str| match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        (None, Some((_, host))) => host.to_owned(),
        (_, None) => url.to_owned(),
    };
    url.split(',').map(one).collect::<Vec<_>>().join(",")
}

/// Returns an error with what it came from.
pub(super) fn whole(error: impl std::error::Error) -> String {
    whole_of(&error)
}

pub(super) fn whole_of(error: &impl std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = error.source();
    }
    text
}

/// Tells whether a server said that there is no such message; the codes are those of its API.
fn is_absent(error: &str) -> bool {
    ["10037", "10057", "10043", "no message found", "message not found"]
        .iter()
        .any(|code| error.contains(code))
}

/// Knows up to which sequence a server may have forgotten what it had handed out, as it was started anew.
pub(super) struct Doubt {
    /// As of which connection, and up to which sequence.
    known: Mutex<(u64, u64)>,
}

impl Doubt {
    pub(super) fn new() -> Self {
        Self { known: Mutex::new((0, u64::MAX)) }
    }

    pub(super) fn holds_for(&self, sequence: u64) -> bool {
        sequence <= self.known.lock().1
    }

    /// Doubts everything if there is a new connection, and tells that it does.
    pub(super) fn renew(&self, connects: u64) -> bool {
        let mut known = self.known.lock();
        if known.0 == connects {
            return false;
        }
        *known = (connects, u64::MAX);
        true
    }

    /// Doubts only what there was by then.
    pub(super) fn limit(&self, connects: u64, last: u64) {
        let mut known = self.known.lock();
        if known.0 == connects {
            known.1 = last;
        }
    }
}
