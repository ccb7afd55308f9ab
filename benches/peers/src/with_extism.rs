//! extism: a plug-in compiled once, with neither WASI nor functions of the host; each thread has its own plug-in.

use extism::{CompiledPlugin, Plugin, PluginBuilder};

use crate::crew::Worker;
use crate::work::{Life, Work};

pub(crate) fn workers(work: &Work, life: Life, threads: usize) -> Vec<Worker> {
    // Its cache would only make compiling faster, which is not measured, and would write to the user's folder.
    let compiled = PluginBuilder::new(work.plugin.code).with_cache_disabled().compile();
    let compiled = compiled.expect("the plug-in compiles");
    let worker = |_| match life {
        Life::Fresh => fresh(compiled.clone(), work),
        Life::Live => live(&compiled, work),
    };
    (0..threads).map(worker).collect()
}

fn fresh(compiled: CompiledPlugin, work: &Work) -> Worker {
    let (export, body) = (work.plugin.export, work.body.clone());
    Box::new(move |look| {
        let mut plugin = Plugin::new_from_compiled(&compiled).expect("a plug-in");
        look(plugin.call(export, &*body).expect("an answer"));
    })
}

fn live(compiled: &CompiledPlugin, work: &Work) -> Worker {
    let (export, body) = (work.plugin.export, work.body.clone());
    let mut plugin = Plugin::new_from_compiled(compiled).expect("a plug-in");
    Box::new(move |look| look(plugin.call(export, &*body).expect("an answer")))
}
