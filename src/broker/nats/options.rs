//! Which NATS servers, and how a runtime appears there.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::error::Error;

/// How long a namespace may be; names of streams and buckets are made of it.
const LONGEST_NAME: usize = 64;

/// NATS servers with JetStream that keep events for many runtimes.
///
/// Runtimes that are given the same servers and the same namespace share events, dead letters, streams and state.
///
/// ```no_run
/// use std::time::Duration;
/// use fnhost::{Broker, Nats, Runtime};
///
/// let nats = Nats::at("nats://10.0.0.7:4222").namespace("shop").ack_wait(Duration::from_secs(60));
/// let runtime = Runtime::builder().broker(Broker::nats(nats)).build()?;
/// # Ok::<(), fnhost::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "servers are used by a broker; see `Broker::nats`"]
pub struct Nats {
    pub(super) url: String,
    pub(super) namespace: String,
    pub(super) ack_wait: Duration,
    pub(super) connect_within: Duration,
    pub(super) replicas: usize,
    pub(super) login: Login,
    pub(super) roots: Option<PathBuf>,
}

/// How a runtime shows who it is.
#[derive(Clone)]
pub(super) enum Login {
    Nobody,
    Token(String),
    Password { user: String, password: String },
    Seed(String),
    Credentials(String),
}

impl Nats {
    /// Names a server, or several with commas between, such as `nats://a:4222,nats://b:4222`.
    pub fn at(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            namespace: "fnhost".into(),
            ack_wait: Duration::from_secs(30),
            connect_within: Duration::from_secs(5),
            replicas: 1,
            login: Login::Nobody,
            roots: None,
        }
    }

    /// Sets what the names of streams and subjects begin with: `[a-zA-Z0-9_-]`; `fnhost` unless set.
    pub fn namespace(mut self, name: impl Into<String>) -> Self {
        self.namespace = name.into();
        self
    }

    /// Sets after how long the events of a runtime that died are taken up by others; 30 seconds unless set. For each
    /// function and queue, the first runtime that serves it decides for all.
    pub fn ack_wait(mut self, time: Duration) -> Self {
        self.ack_wait = time;
        self
    }

    /// Sets how long connecting may take, when a runtime is built and again later; 5 seconds unless set.
    ///
    /// It bounds nothing else. A submission waits some 10 to 15 seconds for servers that are away before it is an
    /// error, and a shutdown up to 10 seconds more than its grace: 5 for endings to be kept, and 5 to give back what
    /// is held.
    pub fn connect_within(mut self, time: Duration) -> Self {
        self.connect_within = time;
        self
    }

    /// Sets on how many servers of a cluster everything is kept when it is made; 1 unless set.
    pub fn replicas(mut self, servers: usize) -> Self {
        self.replicas = servers;
        self
    }

    /// Signs in with a token.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.login = Login::Token(token.into());
        self
    }

    /// Signs in with a user and a password.
    pub fn password(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.login = Login::Password { user: user.into(), password: password.into() };
        self
    }

    /// Signs in with the seed of an nkey.
    pub fn nkey(mut self, seed: impl Into<String>) -> Self {
        self.login = Login::Seed(seed.into());
        self
    }

    /// Signs in with the text of a credentials file.
    pub fn credentials(mut self, text: impl Into<String>) -> Self {
        self.login = Login::Credentials(text.into());
        self
    }

    /// Believes servers whose certificates are signed by one of a PEM file, instead of those that the system believes.
    pub fn root_certificates(mut self, path: impl Into<PathBuf>) -> Self {
        self.roots = Some(path.into());
        self
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let name = &self.namespace;
        if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(is_plain) {
            return Err(Error::configuration(format!(
                "the namespace {name:?}; give 1 to {LONGEST_NAME} of [a-zA-Z0-9_-]"
            )));
        }
        if self.ack_wait < Duration::from_millis(100) {
            return Err(Error::configuration(format!(
                "an ack wait of {:?}; give at least 100 ms, or events run twice for no reason",
                self.ack_wait
            )));
        }
        if !matches!(self.replicas, 1..=5) {
            return Err(Error::configuration(format!("{} replicas; give 1 to 5", self.replicas)));
        }
        Ok(())
    }
}

impl From<&str> for Nats {
    fn from(url: &str) -> Self {
        Self::at(url)
    }
}

impl From<String> for Nats {
    fn from(url: String) -> Self {
        Self::at(url)
    }
}

impl fmt::Debug for Nats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Neither the login nor the url, which may carry one.
        f.debug_struct("Nats").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}
