//! Puts single messages on the connection, as many at a time as come, and hears that they are kept.
//!
//! One task serves all who put, with one inbox and one look at the clock, as a task and two timers for each message cost a
//! quarter of the rate. It never tries twice: whoever hears nothing puts the message by the longer way.

use std::collections::HashMap;
use std::sync::Arc;

use async_nats::{Client, HeaderMap, Message, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt;
use serde::Deserialize;
use serde::de::IgnoredAny;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::broker::nats::core::Core;
use crate::broker::nats::link::ANSWER;

/// How many messages are out at most whose answers have not come; fewer than the client takes for one inbox.
const MOST_OUT: usize = 4_096;
/// How many are sent before answers are looked for.
const TOGETHER: usize = 64;

/// Where single messages are put.
pub(super) type Press = mpsc::UnboundedSender<Order>;

/// A message to be put, and who waits for its sequence; dropped if it was perhaps not kept.
pub(super) struct Order {
    pub(super) subject: String,
    pub(super) payload: Bytes,
    pub(super) headers: Option<HeaderMap>,
    pub(super) kept: oneshot::Sender<u64>,
}

/// What a server says of a message that came.
#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    seq: u64,
    error: Option<IgnoredAny>,
}

/// Who waits for which answer.
struct Out {
    client: Client,
    inbox: String,
    waiting: HashMap<u64, (oneshot::Sender<u64>, Instant)>,
    next: u64,
}

impl Core {
    /// Puts what comes, until nobody can put any more.
    pub(super) async fn run_press(self: Arc<Self>, mut orders: mpsc::UnboundedReceiver<Order>) {
        let client = self.link.client.clone();
        let inbox = client.new_inbox();
        // Without it nobody hears an answer, and every message goes the longer way.
        let Ok(mut answers) = client.subscribe(format!("{inbox}.*")).await else { return };
        let mut out = Out { client, inbox, waiting: HashMap::new(), next: 0 };
        while self.serve(&mut out, &mut orders, &mut answers).await {
            // What was asked on a connection that is gone is never answered.
            out.waiting.clear();
        }
    }

    /// Serves one connection; false when all is over.
    async fn serve(
        &self,
        out: &mut Out,
        orders: &mut mpsc::UnboundedReceiver<Order>,
        answers: &mut Subscriber,
    ) -> bool {
        let reconnected = self.link.reconnected();
        tokio::pin!(reconnected);
        let mut look = interval(ANSWER / 5);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut batch = Vec::with_capacity(TOGETHER);
        loop {
            tokio::select! {
                biased;
                answer = answers.next() => match answer {
                    Some(answer) => out.hear(&answer),
                    None => return false,
                },
                count = orders.recv_many(&mut batch, TOGETHER), if out.waiting.len() < MOST_OUT => {
                    if count == 0 {
                        return false;
                    }
                    // The client's own queue fills while the servers are away.
                    if timeout(ANSWER, out.send(batch.drain(..))).await.is_err() {
                        return true;
                    }
                }
                () = &mut reconnected => return true,
                _ = look.tick() => out.waiting.retain(|_, (_, since)| since.elapsed() < ANSWER),
            }
        }
    }
}

impl Out {
    async fn send(&mut self, orders: impl Iterator<Item = Order>) {
        for Order { subject, payload, headers, kept } in orders.filter(|order| !order.kept.is_closed()) {
            self.next += 1;
            let inbox = format!("{}.{}", self.inbox, self.next);
            let sent = match headers {
                None => self.client.publish_with_reply(subject, inbox, payload).await,
                Some(headers) => {
                    self.client.publish_with_reply_and_headers(subject, inbox, headers, payload).await
                }
            };
            if sent.is_ok() {
                self.waiting.insert(self.next, (kept, Instant::now()));
            }
        }
    }

    fn hear(&mut self, message: &Message) {
        let number = message.subject.rsplit('.').next().and_then(|number| number.parse().ok());
        let Some((kept, _)) = number.and_then(|number: u64| self.waiting.remove(&number)) else { return };
        if let Ok(Answer { seq: seq @ 1.., error: None }) = serde_json::from_slice(&message.payload) {
            // Whoever put it may be gone.
            let _ = kept.send(seq);
        }
    }
}
