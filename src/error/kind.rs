//! Why there is no answer: one variant for each thing the caller does next.

use std::fmt;
use std::time::Duration;

use crate::error::failure::Failure;
use crate::escape::Escaped;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// No function, version or alias of that name is deployed.
    #[error("unknown function {target:?}: {hint}")]
    UnknownFunction {
        /// The target as it was written.
        target: String,
        /// What is there instead.
        hint: String,
    },
    /// A setting that cannot work; nothing was changed.
    #[error("invalid configuration: {reason}")]
    InvalidConfiguration {
        /// What is wrong with which value, and what to do.
        reason: String,
    },
    /// An attribute of the event or of its context that the specification refuses.
    #[error("invalid event: {attribute}: {reason}")]
    InvalidEvent {
        /// The attribute.
        attribute: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// A body that cannot be read as what was asked for, or a value that cannot be written.
    #[error("invalid body: {reason}")]
    InvalidBody {
        /// What is wrong, and what to do.
        reason: String,
    },
    /// The code is not WebAssembly that this runtime can compile.
    #[error("compiling {function:?} failed: {message}")]
    Compile {
        /// The function.
        function: String,
        /// What the compiler said.
        message: String,
    },
    /// The code compiles, but speaks no contract that the runtime knows.
    #[error("{function:?} speaks no known contract: found {found}; needed is {needed}")]
    UnknownContract {
        /// The function.
        function: String,
        /// The exports that were found.
        found: String,
        /// What each contract would need.
        needed: String,
    },
    /// The code imports something that the runtime does not offer.
    #[error("cannot link {function:?}: import {import:?} wants {wanted}, offered is {offered}; {fix}")]
    Link {
        /// The function.
        function: String,
        /// The import as the code names it.
        import: String,
        /// The version or type that it wants.
        wanted: String,
        /// What this runtime offers.
        offered: String,
        /// What to do.
        fix: String,
    },
    /// The event may not start now.
    #[error("throttled: {reason}; retry after {} ms", retry_after.as_millis())]
    Throttled {
        /// Which bound was met.
        reason: ThrottleReason,
        /// When trying again makes sense.
        retry_after: Duration,
    },
    /// A deadline passed.
    #[error("timed out in {phase} after {:.3} s: {}", limit.as_secs_f64(), phase.advice())]
    TimedOut {
        /// Where the event was when its deadline passed.
        phase: Phase,
        /// The time that the phase was given.
        limit: Duration,
    },
    /// The guest asked for more linear memory than it may have.
    #[error("memory exceeded: {asked} bytes asked for, the limit of {scope} is {limit}; {}", scope.advice())]
    MemoryExceeded {
        /// Whose limit was met.
        scope: MemoryScope,
        /// The limit in bytes.
        limit: u64,
        /// What was asked for, in bytes.
        asked: u64,
    },
    /// The guest asked for a larger table than it may have.
    #[error("table exceeded: {asked} elements asked for, the limit is {limit}; raise `table_elements`")]
    TableExceeded {
        /// The limit in elements.
        limit: u64,
        /// What was asked for.
        asked: u64,
    },
    /// The guest used all its fuel.
    #[error("fuel spent: the limit is {limit}; raise `fuel`")]
    FuelSpent {
        /// The limit.
        limit: u64,
    },
    /// The guest ran into a trap.
    #[error("trapped: {}{}", Escaped(message), Trace(backtrace))]
    Trapped {
        /// What the trap was.
        message: String,
        /// The guest's functions, innermost first, with names where the code has them.
        backtrace: Vec<String>,
    },
    /// A command ended with an exit code other than zero.
    #[error("exited with code {code}{}", Stderr(stderr))]
    Exited {
        /// The exit code.
        code: i32,
        /// The tail of what it wrote to stderr.
        stderr: String,
    },
    /// The handler answered with a failure of its own.
    #[error("function failed: {0}")]
    Failed(Failure),
    /// The guest's init failed; it is tried again for the next event.
    #[error("init failed: {}", Escaped(message))]
    InitFailed {
        /// What init said.
        message: String,
    },
    /// A native handler panicked.
    #[error("handler panicked: {}", Escaped(message))]
    Panicked {
        /// The panic's message.
        message: String,
    },
    /// A body or the code is larger than allowed.
    #[error("{what} too large: {size} bytes, the limit is {limit}; {}", what.advice())]
    PayloadTooLarge {
        /// Which payload.
        what: Payload,
        /// The limit in bytes.
        limit: u64,
        /// Its size in bytes, as far as it was seen.
        size: u64,
    },
    /// The guest answered with something that its contract does not allow.
    #[error("invalid answer: {}", Escaped(reason))]
    InvalidAnswer {
        /// What the guest got wrong.
        reason: String,
    },
    /// The caller dropped the invocation before it ended.
    #[error("cancelled: the caller dropped the invocation before it ended")]
    Cancelled,
    /// The runtime takes no more events.
    #[error("shutting down: the runtime takes no more events; deploy to a new one")]
    ShuttingDown,
    /// The broker cannot keep an event, or tell of one: its disk, its server or the network refuses.
    #[error("broker: {reason}")]
    Broker {
        /// What was tried, what came back, and what to do.
        reason: String,
    },
    /// The engine or the operating system refused something that should work.
    #[error("engine: {reason}")]
    Engine {
        /// What was tried and what came back.
        reason: String,
    },
}

impl ErrorKind {
    /// Returns the name of the kind, as it stands in reports.
    pub fn name(&self) -> &'static str {
        match self {
            Self::UnknownFunction { .. } => "unknown-function",
            Self::InvalidConfiguration { .. } => "invalid-configuration",
            Self::InvalidEvent { .. } => "invalid-event",
            Self::InvalidBody { .. } => "invalid-body",
            Self::Compile { .. } => "compile",
            Self::UnknownContract { .. } => "unknown-contract",
            Self::Link { .. } => "link",
            Self::Throttled { .. } => "throttled",
            Self::TimedOut { .. } => "timed-out",
            Self::MemoryExceeded { .. } => "memory-exceeded",
            Self::TableExceeded { .. } => "table-exceeded",
            Self::FuelSpent { .. } => "fuel-spent",
            Self::Trapped { .. } => "trapped",
            Self::Exited { .. } => "exited",
            Self::Failed(_) => "failed",
            Self::InitFailed { .. } => "init-failed",
            Self::Panicked { .. } => "panicked",
            Self::PayloadTooLarge { .. } => "payload-too-large",
            Self::InvalidAnswer { .. } => "invalid-answer",
            Self::Cancelled => "cancelled",
            Self::ShuttingDown => "shutting-down",
            Self::Broker { .. } => "broker",
            Self::Engine { .. } => "engine",
        }
    }
}

/// Which bound a throttled event met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ThrottleReason {
    /// As many events wait as the function's `queue` allows.
    QueueFull {
        /// The bound.
        limit: usize,
    },
    /// As many bytes of requests wait for their functions as the gateway's `max_buffered` allows.
    BuffersFull {
        /// The bound, in bytes.
        limit: u64,
    },
    /// The broker keeps as much as it may.
    BrokerFull {
        /// How many events it may keep.
        events: u64,
        /// How many bytes of them.
        bytes: u64,
    },
    /// The engine has no slot left for what this guest needs.
    NoSlot,
}

impl fmt::Display for ThrottleReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::QueueFull { limit } => {
                write!(f, "{limit} events wait already; raise `concurrency` or `queue`, or send fewer")
            }
            Self::BuffersFull { limit } => {
                write!(
                    f,
                    "{limit} bytes of requests are kept already; raise `max_buffered`, or send fewer at once"
                )
            }
            Self::BrokerFull { events, bytes } => {
                write!(
                    f,
                    "the broker keeps as much as it may, {events} events or {bytes} bytes; raise its bounds, \
                     purge dead letters, or send fewer"
                )
            }
            Self::NoSlot => f.write_str("the engine has no slot left for this guest; raise `places`"),
        }
    }
}

/// Where an event was when its deadline passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// Waiting to start.
    Queue,
    /// The guest was made, or its init ran.
    Init,
    /// The handler ran.
    Handler,
}

impl Phase {
    fn advice(self) -> &'static str {
        match self {
            Self::Queue => "raise `queue_timeout` or `concurrency`, or the caller's deadline",
            Self::Init => "raise `init_timeout`, or the caller's deadline",
            Self::Handler => "raise `timeout`, or the caller's deadline",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Queue => "the queue",
            Self::Init => "init",
            Self::Handler => "the handler",
        })
    }
}

/// Whose memory limit was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MemoryScope {
    /// The function's own limit.
    Function,
    /// The bound over all guests of the runtime together; trying again later may help.
    Runtime,
}

impl MemoryScope {
    fn advice(self) -> &'static str {
        match self {
            Self::Function => "raise `memory` of the function",
            Self::Runtime => "try again later, or raise `memory` of the runtime",
        }
    }
}

impl fmt::Display for MemoryScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Function => "the function",
            Self::Runtime => "the runtime",
        })
    }
}

/// Which payload was too large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Payload {
    /// The code of a function.
    Code,
    /// The body of an event.
    Event,
    /// The body of a response.
    Response,
    /// What a guest handed to the host in one call.
    HostCall,
    /// An event that is submitted or published, as the broker keeps it.
    Published,
}

impl Payload {
    fn advice(self) -> &'static str {
        match self {
            Self::Code => "raise `max_code`",
            Self::Event => "raise `max_event`",
            Self::Response => "raise `max_response`",
            Self::HostCall => "raise `max_host_call`",
            Self::Published => {
                "keep the body elsewhere and publish where it is, or raise `max_payload` of a NATS server"
            }
        }
    }
}

impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Code => "code",
            Self::Event => "event",
            Self::Response => "response",
            Self::HostCall => "host call",
            Self::Published => "published event",
        })
    }
}

/// Shows a backtrace behind the message, on the same line.
struct Trace<'a>(&'a [String]);

impl fmt::Display for Trace<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, frame) in self.0.iter().take(8).enumerate() {
            write!(f, "{}{}", if i == 0 { " at " } else { " < " }, Escaped(frame))?;
        }
        Ok(())
    }
}

/// Shows the tail of stderr behind the message, on the same line.
struct Stderr<'a>(&'a str);

impl fmt::Display for Stderr<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.trim_end();
        if text.is_empty() { Ok(()) } else { write!(f, "; stderr: {}", Escaped(text)) }
    }
}
