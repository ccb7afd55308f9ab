//! The members of a JSON object, on their way to be an event.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::event::Event;
use crate::event::attributes::{Fault, label, quoted};
use crate::event::extension::Extension;
use crate::event::json::{SPEC_VERSION, data};

/// Members by name; each is taken out when it is read, so what remains are extensions.
#[derive(Default)]
pub(in crate::event) struct Members(BTreeMap<String, Value>);

impl Members {
    pub(in crate::event) fn add(&mut self, name: String, value: Value) -> Result<(), Fault> {
        if self.0.contains_key(&name) {
            return Err(Fault::new(&label(&name), "the member stands there twice; leave one of them out"));
        }
        self.0.insert(name, value);
        Ok(())
    }

    pub(in crate::event) fn into_event(mut self) -> Result<Event, Fault> {
        self.check_version()?;
        let mut event = self.required_attributes()?;
        if let Some(subject) = self.text("subject")? {
            event = event.with_subject(subject);
        }
        if let Some(time) = self.text("time")? {
            event = event.with_time(time);
        }
        if let Some(data_schema) = self.text("dataschema")? {
            event = event.with_data_schema(data_schema);
        }
        if let Some(content_type) = self.text("datacontenttype")? {
            event = event.with_content_type(content_type);
        }
        event.body = data::read(self.0.remove("data"), self.text("data_base64")?, event.content_type())?;
        self.extend(event)
    }

    fn check_version(&mut self) -> Result<(), Fault> {
        match self.required("specversion")?.as_str() {
            SPEC_VERSION => Ok(()),
            other => Err(Fault::new(
                "specversion",
                format!("{} cannot be read; send events of version {SPEC_VERSION}", quoted(other)),
            )),
        }
    }

    fn required_attributes(&mut self) -> Result<Event, Fault> {
        let (id, event_type) = (self.required("id")?, self.required("type")?);
        Ok(Event::identified("".into(), event_type).with_id(id).with_source(self.required("source")?))
    }

    fn required(&mut self, name: &str) -> Result<String, Fault> {
        self.text(name)?.ok_or_else(|| Fault::new(name, "it is missing; every event has one"))
    }

    /// A null says that the attribute is not set.
    fn text(&mut self, name: &str) -> Result<Option<String>, Fault> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => {
                let found = quoted(&other.to_string());
                Err(Fault::new(name, format!("{found} is not a string; send a JSON string")))
            }
        }
    }

    fn extend(self, mut event: Event) -> Result<Event, Fault> {
        for (name, value) in self.0 {
            if let Some(value) = extension(&name, value)? {
                event = event.with_extension(name, value);
            }
        }
        match event.fault() {
            None => Ok(event),
            Some(fault) => Err(fault.clone()),
        }
    }
}

fn extension(name: &str, value: Value) -> Result<Option<Extension>, Fault> {
    match value {
        Value::Null => Ok(None),
        Value::Bool(flag) => Ok(Some(flag.into())),
        Value::String(text) => Ok(Some(text.into())),
        Value::Number(number) => match number.as_i64().map(i32::try_from) {
            Some(Ok(number)) => Ok(Some(number.into())),
            _ => Err(not_an_extension(name, &number.to_string())),
        },
        other => Err(not_an_extension(name, &other.to_string())),
    }
}

fn not_an_extension(name: &str, value: &str) -> Fault {
    let (least, most) = (i32::MIN, i32::MAX);
    let reason = format!(
        "{} is not a boolean, a whole number within {least} to {most}, or a string; \
         send it as a string, or in the body",
        quoted(value)
    );
    Fault::new(&label(name), reason)
}
