//! How many instances a component comes to, counted before anything is compiled.
//!
//! A component may instantiate another many times, which does the same with a third: two kilobytes of such
//! definitions come to millions of instances, and the compiler writes out each of them.

use wasmparser::{
    CanonicalFunction, ComponentAlias, ComponentExternalKind, ComponentInstance, ComponentOuterAliasKind,
    ComponentTypeRef, Encoding, Instance, Payload,
};

/// Instances that a component may come to; those of modules may take 1 MiB each that is metered by nothing else.
pub(crate) const MOST_INSTANCES: usize = 100;

/// Stands for a component that is not known where it is instantiated.
const UNKNOWN: Sums = Sums { instances: u64::MAX, lifting: u64::MAX };

/// What a definition comes to, with all that it instantiates.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    instances: u64,
    /// Instances of components that have functions of their own to be called.
    lifting: u64,
}

/// Counts instances while the sections go by.
#[derive(Debug, Default)]
pub(crate) struct Census {
    /// The definitions that are open, outermost first.
    open: Vec<Definition>,
    total: Sums,
}

#[derive(Debug, Default)]
struct Definition {
    is_component: bool,
    sums: Sums,
    lifts: bool,
    /// What each component comes to that can be instantiated here, by index.
    components: Vec<Sums>,
}

impl Census {
    /// Tells how many instances there are, once all sections have gone by; none when that is too many.
    pub(crate) fn total(&self) -> Option<u64> {
        let instances = self.total.instances;
        (instances <= MOST_INSTANCES as u64).then_some(instances)
    }

    /// Tells how many instances have functions of their own that a component or the host calls.
    ///
    /// The engine lets one call at a time run in each of them, or wait there without giving its stack back.
    pub(crate) fn lifting(&self) -> u64 {
        self.total.lifting
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
                        self.count(Sums { instances: 1, lifting: 0 });
                    }
                }
            }
            Payload::ComponentInstanceSection(instances) => {
                for instance in instances.clone() {
                    if let ComponentInstance::Instantiate { component_index, .. } = instance? {
                        self.count(Sums { instances: 1, lifting: 0 });
                        self.count(self.find(0, component_index));
                    }
                }
            }
            Payload::ComponentCanonicalSection(functions) => {
                for function in functions.clone() {
                    if let CanonicalFunction::Lift { .. } = function? {
                        self.note_lift();
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

    fn find(&self, outward: u32, index: u32) -> Sums {
        let definition = self.open.iter().rev().nth(outward as usize);
        definition.and_then(|open| open.components.get(index as usize)).copied().unwrap_or(UNKNOWN)
    }

    fn name(&mut self, component: Sums) {
        if let Some(open) = self.open.last_mut() {
            open.components.push(component);
        }
    }

    fn count(&mut self, more: Sums) {
        if let Some(open) = self.open.last_mut() {
            open.sums.instances = open.sums.instances.saturating_add(more.instances);
            open.sums.lifting = open.sums.lifting.saturating_add(more.lifting);
        }
    }

    fn note_lift(&mut self) {
        if let Some(open) = self.open.last_mut()
            && !std::mem::replace(&mut open.lifts, true)
        {
            self.count(Sums { instances: 0, lifting: 1 });
        }
    }

    fn close(&mut self) {
        let Some(closed) = self.open.pop() else { return };
        match self.open.last_mut() {
            Some(around) if closed.is_component => around.components.push(closed.sums),
            Some(_) => {}
            None => self.total = closed.sums,
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
    fn instances_that_can_be_called_are_counted_once_each() {
        let lifting = |text: &str| {
            let (binary, mut census) = (wat::parse_str(text).unwrap(), Census::default());
            Parser::new(0).parse_all(&binary).for_each(|payload| census.read(&payload.unwrap()).unwrap());
            census.lifting()
        };
        assert_eq!(lifting("(component (core module $m) (core instance (instantiate $m)))"), 0);
        let called = r#"(core module $m (func (export "f"))) (core instance $i (instantiate $m))
            (func (canon lift (core func $i "f"))) (func (canon lift (core func $i "f")))"#;
        assert_eq!(lifting(&format!("(component {called})")), 1);
        let twice = "(instance (instantiate $c)) (instance (instantiate $c))";
        assert_eq!(lifting(&format!("(component (component $c {called}) {twice})")), 2);
        assert_eq!(lifting(&format!("(component (component $c {called}) {twice} {called})")), 3);
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
