//! A handler in Rust: for tests and trusted glue.

use std::any::Any;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use crate::body::Writer;
use crate::call::Call;
use crate::clock::{Cut, Face};
use crate::context::Context;
use crate::error::{ErrorKind, Failure, Payload, Phase};
use crate::event::{Event, Input, Response};
use crate::invoke::Callee;
use crate::limits::Limits;
use crate::pool::Tally;
use crate::report::Start;

type Answer = Result<Response, Failure>;
type BoxFuture = Pin<Box<dyn Future<Output = Answer> + Send>>;

/// A handler in Rust.
#[derive(Clone)]
pub(crate) struct Native(Arc<dyn Fn(Event, Context) -> BoxFuture + Send + Sync>);

impl Native {
    pub(crate) fn new<F, R>(handler: F) -> Self
    where
        F: Fn(Event, Context) -> R + Send + Sync + 'static,
        R: Future<Output = Answer> + Send + 'static,
    {
        Self(Arc::new(move |event, context| Box::pin(handler(event, context))))
    }
}

/// A handler in Rust, deployed.
pub(crate) struct NativeCallee {
    pub(crate) native: Native,
    pub(crate) limits: Limits,
    pub(crate) face: Arc<Face>,
    pub(crate) tally: Tally,
}

impl Callee for NativeCallee {
    async fn call(
        &self,
        call: &mut Call,
        input: Input,
        _: Option<Writer>,
        lane: usize,
    ) -> Result<Response, ErrorKind> {
        let started = call.start();
        let deadline = call.deadline(started, self.limits.timeout);
        call.report.start = Some(Start::Native);
        call.context.fill_in(Arc::clone(&call.report.facts), deadline);
        let event = match input {
            Input::Event(event) => event,
            // It was meant for a version that speaks HTTP.
            request => request.into_event(&mut call.context).await?,
        };
        let context = call.context.clone();
        let handler = pin!(guarded(async { (self.native.0)(event, context).await }));
        let ended = self.face.race(deadline, handler).await;
        call.report.handler = started.elapsed();
        call.report.busy = call.report.handler;
        match ended {
            Ok(Ok(answer)) => {
                self.tally.served(lane);
                self.check(answer)
            }
            Ok(Err(message)) => Err(ErrorKind::Panicked { message }),
            Err(Cut::Deadline) => Err(call.timed_out(Phase::Handler, started, deadline)),
            Err(Cut::Cancelled) => Err(ErrorKind::ShuttingDown),
        }
    }
}

impl NativeCallee {
    fn check(&self, answer: Answer) -> Result<Response, ErrorKind> {
        let response = answer.map_err(ErrorKind::Failed)?;
        response.check_attributes().map_err(|reason| ErrorKind::InvalidAnswer { reason })?;
        let (size, limit) = (response.bytes().len() as u64, self.limits.response);
        if size > limit {
            return Err(ErrorKind::PayloadTooLarge { what: Payload::Response, limit, size });
        }
        Ok(response)
    }
}

/// Answers the message of a panic in place of the answer.
async fn guarded(handler: impl Future<Output = Answer>) -> Result<Answer, String> {
    let mut handler = pin!(handler);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| handler.as_mut().poll(cx))) {
        Ok(polled) => polled.map(Ok),
        Err(panic) => Poll::Ready(Err(message(&*panic))),
    })
    .await
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_string());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into())
}
