//! What becomes of records that are given up.

use serde_json::{Value, json};

use crate::broker::{Draft, Trouble};
use crate::context::RequestId;
use crate::delivery::destination::{FAILURE, given_up};
use crate::delivery::sequel::Sequel;
use crate::delivery::stream::checkpoint::Checkpoint;
use crate::delivery::stream::reader::{Left, Reader};
use crate::delivery::stream::record::{Record, together};
use crate::delivery::stream::trial::Trial;
use crate::delivery::{Death, History, Parcel};
use crate::event::Event;

/// Most bytes of events in one note of a failure; there are more notes if need be.
const MOST: usize = 512 << 10;

impl Reader {
    /// Tells the destinations of records that are given up, and moves on behind them.
    pub(super) async fn give_up(
        &self,
        trial: Trial,
        death: Death,
        place: &mut Checkpoint,
    ) -> Result<(), Left> {
        let (Some(first), Some(last)) = (trial.records.first(), trial.records.last()) else { return Ok(()) };
        let (shard, trigger) = (&self.shard, &self.consumer.name);
        tracing::warn!(?shard, trigger, first = first.sequence, last = last.sequence, %death, "records are given up");
        let notes = Sequel::new(self.notes(&trial, death, false), || self.notes(&trial, death, true));
        // They are kept before the checkpoint moves: they may come twice, but none is lost.
        if !notes.is_empty() {
            self.keep_notes(&notes).await?;
        }
        self.advance(place, trial.end()).await
    }

    async fn keep_notes(&self, notes: &Sequel) -> Result<(), Left> {
        let mut refusals = 0;
        while let Err(trouble) = self.delivery.store.put(notes.after(refusals).to_vec()).await {
            // A store that is full will have room again; one that is closed will not.
            let may_be_too_large = matches!(trouble, Trouble::Failed(_) | Trouble::TooLarge { .. });
            if may_be_too_large {
                refusals = Sequel::count(refusals, &trouble);
            }
            if !(may_be_too_large && notes.is_cut_after(refusals)) {
                self.wait_out(trouble).await?;
            }
        }
        Ok(())
    }

    fn notes(&self, trial: &Trial, death: Death, is_cut: bool) -> Vec<Draft> {
        let mut drafts = Vec::new();
        for destination in &self.consumer.on_failure {
            let events: Vec<Event> = match destination.is_plain() && !is_cut {
                true => trial
                    .records
                    .iter()
                    .filter_map(|record| Some(record.parcel.as_ref()?.event.clone()))
                    .collect(),
                false if is_cut => vec![self.note(&trial.records, &trial.history, (death, true))],
                false => parts(&trial.records)
                    .map(|part| self.note(part, &trial.history, (death, false)))
                    .collect(),
            };
            for event in events {
                let owner = (self.consumer.function.as_str(), false);
                drafts.extend(self.delivery.send_to(destination, owner, self.parcel(event, trial)));
            }
        }
        drafts
    }

    fn parcel(&self, event: Event, trial: &Trial) -> Parcel {
        Parcel {
            event,
            target: String::new(),
            request_id: RequestId::new(),
            tenant: trial.tenant(),
            traceparent: None,
            attributes: Vec::new(),
            due: None,
            lineage: trial.lineage(),
        }
    }

    /// Makes the note of records that were given up together.
    fn note(&self, records: &[Record], history: &History, (death, is_cut): (Death, bool)) -> Event {
        let (first, last) = (&records[0], &records[records.len() - 1]);
        let (context, payload) = given_up(history);
        let event = |record: &Record| serde_json::from_slice::<Value>(&record.json).ok();
        let events = || records.iter().filter_map(event).collect();
        let source = format!("/fnhost/stream/{}", self.journal.name());
        let mut body = json!({
            "version": "1.0",
            "timestamp": self.delivery.wall.now().to_rfc3339(),
            "requestContext": {
                "requestId": RequestId::new().to_string(),
                "functionArn": self.consumer.target,
                "condition": death.name(),
                "approximateInvokeCount": history.count(),
            },
            "responseContext": context,
            "responsePayload": payload,
            "streamBatchInfo": {
                "stream": self.journal.name(),
                "shard": self.shard.number.to_string(),
                "startSequenceNumber": first.sequence.to_string(),
                "endSequenceNumber": last.sequence.to_string(),
                "approximateArrivalOfFirstRecord": first.at.to_rfc3339(),
                "approximateArrivalOfLastRecord": last.at.to_rfc3339(),
                "batchSize": records.len(),
            },
            "events": if is_cut { Value::Null } else { events() },
        });
        if is_cut {
            body["cut"] = true.into();
        }
        let event = Event::json(FAILURE, &body).expect("text, numbers and lists of them can be written");
        event.with_source(source).with_subject(format!("{}:{}", self.shard.number, first.sequence))
    }
}

/// Cuts records where a note would be too large.
fn parts(records: &[Record]) -> impl Iterator<Item = &[Record]> {
    let mut rest = records;
    std::iter::from_fn(move || {
        let count = together(rest.iter(), (usize::MAX, MOST));
        let (part, behind) = rest.split_at(count);
        rest = behind;
        (count > 0).then_some(part)
    })
}
