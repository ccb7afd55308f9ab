//! How many instances a component comes to, counted before anything is compiled.
//!
//! A component may instantiate another many times, which does the same with a third: two kilobytes of such
//! definitions come to millions of instances, and the compiler writes out each of them.

use wasmparser::{
    ComponentAlias, ComponentExternalKind, ComponentInstance, ComponentOuterAliasKind, ComponentTypeRef,
    Encoding, Instance, Payload,
};

/// Instances that a component may come to; those of modules may take 1 MiB each that is metered by nothing else.
pub(crate) const MOST_INSTANCES: usize = 100;

/// Stands for a component that is not known where it is instantiated.
const UNKNOWN: u64 = u64::MAX;

/// Counts instances while the sections go by.
#[derive(Debug, Default)]
pub(crate) struct Census {
    /// The definitions that are open, outermost first.
    open: Vec<Definition>,
    total: u64,
}

#[derive(Debug, Default)]
struct Definition {
    is_component: bool,
    instances: u64,
    /// What each component comes to that can be instantiated here, by index.
    components: Vec<u64>,
}

impl Census {
    /// Tells how many instances there are, once all sections have gone by; none when that is too many.
    pub(crate) fn total(&self) -> Option<u64> {
        (self.total <= MOST_INSTANCES as u64).then_some(self.total)
    }

    pub(crate) fn read(&mut self, payload: &Payload<'_>) -> wasmparser::Result<()> {
        match payload {
            Payload::Version { encoding, .. } => {
                let is_component = *encoding == Encoding::Component;
                self.open.push(Definition { is_component, ..Definition::default() });
            }
            Payload::End(_) => self.close(),
            Payload::InstanceSection(instances) => {
                for instance in instances.clone() {
                    if let Instance::Instantiate { .. } = instance? {
                        self.count(1);
                    }
                }
            }
            Payload::ComponentInstanceSection(instances) => {
                for instance in instances.clone() {
                    if let ComponentInstance::Instantiate { component_index, .. } = instance? {
                        self.count(self.find(0, component_index).saturating_add(1));
                    }
                }
            }
            _ => self.read_names(payload)?,
        }
        Ok(())
    }

    /// Reads what gives components an index.
    fn read_names(&mut self, payload: &Payload<'_>) -> wasmparser::Result<()> {
        match payload {
            Payload::ComponentImportSection(imports) => {
                for import in imports.clone() {
                    if let ComponentTypeRef::Component(_) = import?.ty {
                        self.name(UNKNOWN);
                    }
                }
            }
            Payload::ComponentExportSection(exports) => {
                for export in exports.clone() {
                    let export = export?;
                    if export.kind == ComponentExternalKind::Component {
                        self.name(self.find(0, export.index));
                    }
                }
            }
            Payload::ComponentAliasSection(aliases) => {
                for alias in aliases.clone() {
                    match alias? {
                        ComponentAlias::InstanceExport { kind: ComponentExternalKind::Component, .. } => {
                            self.name(UNKNOWN);
                        }
                        ComponentAlias::Outer { kind: ComponentOuterAliasKind::Component, count, index } => {
                            self.name(self.find(count, index));
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn find(&self, outward: u32, index: u32) -> u64 {
        let definition = self.open.iter().rev().nth(outward as usize);
        definition.and_then(|open| open.components.get(index as usize)).copied().unwrap_or(UNKNOWN)
    }

    fn name(&mut self, instances: u64) {
        if let Some(open) = self.open.last_mut() {
            open.components.push(instances);
        }
    }

    fn count(&mut self, more: u64) {
        if let Some(open) = self.open.last_mut() {
            open.instances = open.instances.saturating_add(more);
        }
    }

    fn close(&mut self) {
        let Some(closed) = self.open.pop() else { return };
        match self.open.last_mut() {
            Some(around) if closed.is_component => around.components.push(closed.instances),
            Some(_) => {}
            None => self.total = closed.instances,
        }
    }
}

#[cfg(test)]
mod tests {
    use wasmparser::Parser;

    use super::Census;

    fn total(text: &str) -> Option<u64> {
        let (binary, mut census) = (wat::parse_str(text).unwrap(), Census::default());
        Parser::new(0).parse_all(&binary).for_each(|payload| census.read(&payload.unwrap()).unwrap());
        census.total()
    }

    #[test]
    fn instances_are_counted_through_all_levels() {
        assert_eq!(total("(module)"), Some(0));
        let one = "(component $c (core module $m) (core instance (instantiate $m)))";
        assert_eq!(
            total(&format!("(component {one} (instance (instantiate $c)) (instance (instantiate $c)))")),
            Some(4)
        );
        let outer = "(component $d (alias outer 1 $c (component $e)) (instance (instantiate $e)))";
        assert_eq!(total(&format!("(component {one} {outer} (instance (instantiate $d)))")), Some(3));
        let exported = r#"(export $f "f" (component $c)) (instance (instantiate $f))"#;
        assert_eq!(total(&format!("(component {one} {exported})")), Some(2));
    }

    #[test]
    fn what_comes_to_too_many_or_cannot_be_counted_is_seen() {
        let mut text = String::from("(component $c0 (core module $m) (core instance (instantiate $m)))");
        for level in 1..40 {
            let twice = format!("(instance (instantiate $c{}))", level - 1).repeat(2);
            text = format!("(component $c{level} {text} {twice})");
        }
        assert_eq!(total(&format!("(component {text} (instance (instantiate $c39)))")), None);
        let unknown = r#"(component $c (import "x" (component $x)) (instance (instantiate $x)))"#;
        assert_eq!(
            total(&format!(
                "(component {unknown} (component $e) (instance (instantiate $c (with \"x\" (component $e)))))"
            )),
            None
        );
        assert_eq!(total(&format!("(component {unknown})")), Some(0), "what is not used costs nothing");
    }
}
