//! The types of exported functions, written down so that they can be compared before a guest is made.

use wasmtime::component::Type;
use wasmtime::component::types::ComponentFunc;

/// Writes a function's type down, as far as our own contract uses types.
pub(crate) fn function(ty: &ComponentFunc) -> String {
    let params: Vec<String> = ty.params().map(|(_, ty)| of(&ty)).collect();
    let results: Vec<String> = ty.results().map(|ty| of(&ty)).collect();
    format!("({}) -> ({})", params.join(", "), results.join(", "))
}

fn of(ty: &Type) -> String {
    match ty {
        Type::Bool => "bool".into(),
        Type::U8 => "u8".into(),
        Type::String => "string".into(),
        Type::List(list) => format!("list<{}>", of(&list.ty())),
        Type::Option(option) => format!("option<{}>", of(&option.ty())),
        Type::Tuple(tuple) => format!("tuple<{}>", all(tuple.types().map(|ty| of(&ty)))),
        Type::Record(record) => {
            format!("{{{}}}", all(record.fields().map(|field| format!("{}: {}", field.name, of(&field.ty)))))
        }
        Type::Result(result) => {
            let side = |ty: Option<Type>| ty.map_or_else(|| "_".into(), |ty| of(&ty));
            format!("result<{}, {}>", side(result.ok()), side(result.err()))
        }
        _ => "another type".into(),
    }
}

fn all(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(", ")
}
