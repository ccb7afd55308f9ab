//! Turns a core module into a component, and says what WebAssembly files import and export.
//!
//! ```text
//! componentize encode MODULE COMPONENT    a component from a module built with wit-bindgen
//! componentize inspect FILE...            validates; prints size, kind, imports and exports
//! ```

use std::error::Error;
use std::{env, fs};

use wasmparser::{Parser, Payload, Validator, WasmFeatures};
use wit_component::ComponentEncoder;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["encode", module, component] => encode(module, component),
        ["inspect", files @ ..] => files.iter().try_for_each(|file| inspect(file)),
        _ => Err("usage: componentize encode MODULE COMPONENT | inspect FILE...".into()),
    }
}

fn encode(module: &str, component: &str) -> Result<(), Box<dyn Error>> {
    let module = fs::read(module)?;
    let bytes = ComponentEncoder::default().module(&module)?.validate(true).encode()?;
    Ok(fs::write(component, bytes)?)
}

fn inspect(file: &str) -> Result<(), Box<dyn Error>> {
    let bytes = fs::read(file)?;
    Validator::new_with_features(WasmFeatures::default()).validate_all(&bytes)?;
    let kind = if Parser::is_component(&bytes) { "component" } else { "module" };
    println!("{file}: {kind}, {} bytes", bytes.len());
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(&bytes) {
        match payload? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            outermost if depth == 0 => print_names(outermost)?,
            _ => {}
        }
    }
    Ok(())
}

fn print_names(payload: Payload<'_>) -> Result<(), Box<dyn Error>> {
    match payload {
        Payload::ImportSection(imports) => {
            for import in imports.into_imports() {
                let import = import?;
                println!("  import {}.{}", import.module, import.name);
            }
        }
        Payload::ExportSection(exports) => {
            for export in exports {
                println!("  export {}", export?.name);
            }
        }
        Payload::ComponentImportSection(imports) => {
            for import in imports {
                println!("  import {}", import?.name.name);
            }
        }
        Payload::ComponentExportSection(exports) => {
            for export in exports {
                println!("  export {}", export?.name.name);
            }
        }
        _ => {}
    }
    Ok(())
}
