//! A message on its way to a webhook: how it is kept, and what becomes of it.

use std::sync::Arc;
use std::time::Instant;

use crate::broker::{Channel, Lease, Verdict};
use crate::context::Facts;
use crate::delivery::deliver::Ending;
use crate::delivery::destination::{Destination, Place};
use crate::delivery::names::webhook_channel;
use crate::delivery::retry::Fault;
use crate::delivery::sequel::Sequel;
use crate::delivery::webhook::answer::Failure;
use crate::delivery::webhook::call::Hook;
use crate::delivery::webhook::usual_retry;
use crate::delivery::{Death, Delivery, History, Parcel, Policy, Summary};
use crate::report::Report;

/// What a kept message says beside its event, in attributes.
const ON: &str = "on";
const SUCCESS: &str = "success";
const MODE: &str = "mode";
const BINARY: &str = "binary";
const BY: &str = "by";
const TRIGGER: &str = "trigger";

/// Where a message goes, as it was kept.
pub(super) struct Address<'a> {
    url: &'a str,
    on_success: bool,
    /// The event alone, in binary mode.
    pub(super) plain: bool,
    /// It is a trigger of the function that has the webhook, not the function.
    by_trigger: bool,
}

impl<'a> Address<'a> {
    pub(super) fn of(parcel: &'a Parcel) -> Self {
        let is = |name, value| parcel.attributes.iter().any(|(n, v)| n == name && v == value);
        Self {
            url: &parcel.target,
            on_success: is(ON, SUCCESS),
            plain: is(MODE, BINARY),
            by_trigger: is(BY, TRIGGER),
        }
    }

    fn find<'b>(&self, policy: &'b Policy) -> Option<&'b Arc<Hook>> {
        find(policy, self.on_success, self.url)
    }
}

fn find<'a>(policy: &'a Policy, on_success: bool, url: &str) -> Option<&'a Arc<Hook>> {
    let destinations: &[Destination] = if on_success { &policy.on_success } else { &policy.on_failure };
    let mut hooks = destinations.iter().filter_map(|destination| match &destination.place {
        Place::Webhook(hook) => Some(hook),
        _ => None,
    });
    hooks.find(|hook| hook.webhook.url == url)
}

impl Delivery {
    /// Addresses an outcome to a webhook of the function; nothing of the webhook is kept but
    /// its URL.
    pub(in crate::delivery) fn address(
        &self,
        hook: &Hook,
        plain: bool,
        (function, on_success): (&str, bool),
        sent: Parcel,
    ) -> (Channel, Parcel) {
        let url = &hook.webhook.url;
        let policy = self.host().and_then(|host| host.policy(function));
        let by_function = policy.is_some_and(|policy| find(&policy, on_success, url).is_some());
        let attributes =
            [(ON, SUCCESS, on_success), (MODE, BINARY, plain), (BY, TRIGGER, !by_function)].into_iter();
        let attributes =
            attributes.filter(|(.., is)| *is).map(|(name, value, _)| (name.into(), value.into()));
        (webhook_channel(function), Parcel { target: url.clone(), attributes: attributes.collect(), ..sent })
    }

    /// Makes one attempt to post a message, and settles what becomes of it; if the function is gone, it is given back.
    pub(in crate::delivery) async fn post(&self, function: &str, mut lease: Lease) {
        if let Some(ending) = self.try_post(function, &lease).await {
            self.settle(&mut lease, ending).await;
        }
    }

    async fn try_post(&self, function: &str, lease: &Lease) -> Option<Ending> {
        let mut history = History::decode(&lease.notes);
        let Some(parcel) = Parcel::decode(&lease.payload) else {
            return Some(self.bury(history, Death::Unreadable, None, &Policy::default()));
        };
        let owner = self.host()?.policy(function)?;
        let hook = self.hook(function, &owner, &Address::of(&parcel));
        let retry = hook.as_ref().map_or_else(|_| usual_retry(), |hook| hook.webhook.retry);
        // What becomes of a message goes nowhere else.
        let policy = Policy { retry, ..Policy::default() };
        if retry.is_too_old(lease.put, self.wall.now()) {
            return Some(self.bury(history, Death::EventAgeExceeded, Some(&parcel), &policy));
        }
        let began = Instant::now();
        let answered = match hook {
            Ok(hook) => hook.call(&parcel, self.wall.now()).await,
            Err(failure) => Err(failure),
        };
        let Err(failure) = answered else { return Some(self.posted(function, lease, &parcel, began)) };
        history.note(lease.attempt + 1, self.wall.now(), (failure.kind, failure.message), None);
        Some(self.next(lease, (history, &parcel), &policy, (failure.fault, failure.retry_after)))
    }

    /// Finds the webhook as it is now, in the function or in its triggers.
    pub(super) fn hook(
        &self,
        function: &str,
        owner: &Policy,
        address: &Address<'_>,
    ) -> Result<Arc<Hook>, Failure> {
        let posts = self.posts.lock();
        let feeds = posts.feeds.values().filter(|feed| feed.function == function);
        let mut policies = std::iter::once(owner).chain(feeds.map(|feed| &feed.policy));
        if let Some(hook) = policies.find_map(|policy| address.find(policy)) {
            return Ok(Arc::clone(hook));
        }
        drop(posts);
        let on_failure = self.stream_destinations(function);
        if let Some(hook) = address.find(&Policy { on_failure, ..Policy::default() }) {
            return Ok(Arc::clone(hook));
        }
        // Triggers come after their function, so one that is not there may still come.
        let (fault, message) = match address.by_trigger {
            true => {
                (Fault::Host, format!("no trigger of the function {function:?} has a webhook of this URL"))
            }
            false => (Fault::Final, format!("the function {function:?} has no webhook of this URL any more")),
        };
        Err(Failure::new(fault, "webhook-gone", message))
    }

    fn posted(&self, function: &str, lease: &Lease, parcel: &Parcel, began: Instant) -> Ending {
        let facts = Facts { name: function.into(), version: 0, memory_limit: 0, hash: None };
        let mut report = Report::new(parcel.request_id, parcel.event.id().into(), Arc::new(facts));
        report.tenant.clone_from(&parcel.tenant);
        report.attempt = lease.attempt + 1;
        report.total = began.elapsed();
        let summary = Summary::of(&report, self.wall.now()).encode();
        Ending { verdict: Verdict::Done { summary }, then: Sequel::default() }
    }
}
