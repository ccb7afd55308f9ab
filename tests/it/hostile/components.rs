//! Components written by hand, whose answers point wherever a test likes.

use std::fmt::Write as _;
use std::time::Duration;

use fnhost::Function;

/// The types of the contract, as a component must name them.
const TYPES: &str = r#"
    (type $pairs (list (tuple string string)))
    (type $event-type (record (field "id" string) (field "source" string) (field "type" string)
        (field "subject" (option string)) (field "time" (option string))
        (field "data-content-type" (option string)) (field "data-schema" (option string))
        (field "extensions" $pairs) (field "body" (list u8))))
    (type $response-type (record (field "content-type" (option string)) (field "attributes" $pairs)
        (field "body" (list u8))))
    (type $failure-type (record (field "kind" string) (field "message" string) (field "retryable" bool)))"#;

/// A component of the function contract.
///
/// Its memory has `pages` pages. Events without a body are answered rightly; for others `handle` says where the
/// answer stands, 2048 unless replaced, and `area` is what stands there. `$event` is where the event stands; its
/// body's pointer and length are at 80 and 84 of it. `realloc` is asked first and may leave a result by `return`.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    pub(crate) pages: u32,
    pub(crate) imports: &'static str,
    pub(crate) core_imports: &'static str,
    pub(crate) with: &'static str,
    pub(crate) realloc: String,
    pub(crate) handle: String,
    pub(crate) post: String,
    pub(crate) area: Vec<u32>,
    pub(crate) more: String,
    pub(crate) options: &'static str,
    /// What else the component exports.
    pub(crate) lifted: &'static str,
}

impl Default for Parts {
    fn default() -> Self {
        Self {
            pages: 32,
            imports: "",
            core_imports: "",
            with: "",
            realloc: String::new(),
            handle: "i32.const 2048".into(),
            post: String::new(),
            area: Vec::new(),
            more: String::new(),
            options: "",
            lifted: "",
        }
    }
}

impl Parts {
    pub(crate) fn text(&self) -> String {
        format!("(component {}\n{}\n{}\n{})", self.imports, self.core(), TYPES, self.interface())
    }

    pub(crate) fn function(&self) -> Function {
        Function::wasm("hostile", self.text()).timeout(Duration::from_millis(300))
    }

    /// Asserts that an event with a body ends with this kind of error, and that the next one is served.
    pub(crate) fn refuses(&self, kind: &str, saying: &str) {
        crate::hostile::refuses(|| self.function(), kind, saying);
    }

    fn core(&self) -> String {
        let Self { pages, core_imports, with, realloc, handle, post, more, .. } = self;
        let area = bytes(&self.area);
        let fine = bytes(&[0, 0, 0, 0, 0, 0, 8, 4]);
        format!(
            r#"(core module $m
                {core_imports}
                (memory (export "memory") {pages} 64)
                (data (i32.const 8) "fine")
                (data (i32.const 16) "\ff\fe")
                (data (i32.const 1024) "{fine}")
                (data (i32.const 2048) "{area}")
                (global $free (mut i32) (i32.const 0x10000))
                (func (export "realloc") (param $old i32) (param $had i32) (param $align i32) (param $size i32)
                    (result i32)
                    {realloc}
                    (global.set $free (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
                    (global.set $free (i32.add (global.get $free) (local.get $size)))
                    (i32.sub (global.get $free) (local.get $size)))
                (func (export "handle") (param $event i32) (result i32)
                    (global.set $free (i32.const 0x10000))
                    (if (i32.eqz (i32.load offset=84 (local.get $event))) (then (return (i32.const 1024))))
                    {handle})
                (func (export "post") (param $answer i32)
                    (if (i32.eq (local.get $answer) (i32.const 1024)) (then (return)))
                    {post})
                {more})
            (core instance $i (instantiate $m {with}))"#
        )
    }

    /// Lifts the handler and gives its types their names; a small component inside does what tools do too.
    fn interface(&self) -> String {
        let Self { options, lifted, .. } = self;
        format!(
            r#"(func $handle (param "event" $event-type) (result (result $response-type (error $failure-type)))
                (canon lift (core func $i "handle") (memory (core memory $i "memory")) (realloc (core func $i "realloc"))
                    (post-return (core func $i "post")) {options}))
            (component $named {TYPES}
                (import "event" (type $event (eq $event-type)))
                (import "response" (type $response (eq $response-type)))
                (import "failure" (type $failure (eq $failure-type)))
                (import "handle" (func $handle (param "event" $event)
                    (result (result $response (error $failure)))))
                (export $event-out "event" (type $event))
                (export $response-out "response" (type $response))
                (export $failure-out "failure" (type $failure))
                (export "handle" (func $handle) (func (param "event" $event-out)
                    (result (result $response-out (error $failure-out))))))
            (instance $handler (instantiate $named (with "event" (type $event-type))
                (with "response" (type $response-type)) (with "failure" (type $failure-type))
                (with "handle" (func $handle))))
            (export "fnhost:function/handler@0.1.0" (instance $handler))
            {lifted}"#
        )
    }
}

/// Words as they stand in memory, as a string of the text format.
pub(crate) fn bytes(words: &[u32]) -> String {
    let mut text = String::new();
    for byte in words.iter().flat_map(|word| word.to_le_bytes()) {
        write!(text, "\\{byte:02x}").expect("a string takes everything");
    }
    text
}

/// The words of a response: its content type, if any, its attributes and its body, each a pointer and a length.
pub(crate) fn response(content_type: Option<[u32; 2]>, attributes: [u32; 2], body: [u32; 2]) -> Vec<u32> {
    let [at, len] = content_type.unwrap_or_default();
    vec![0, content_type.is_some().into(), at, len, attributes[0], attributes[1], body[0], body[1]]
}

/// The words of a failure: its kind and its message.
pub(crate) fn failure(kind: [u32; 2], message: [u32; 2]) -> Vec<u32> {
    vec![1, kind[0], kind[1], message[0], message[1], 1]
}
