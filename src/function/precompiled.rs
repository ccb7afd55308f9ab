//! Code that was compiled ahead of time, for which the host vouches.

use bytes::Bytes;

use crate::function::{Function, Source};

impl Function {
    /// Takes what [`precompile`](crate::precompile) made ahead of time, so that nothing is compiled here.
    ///
    /// It must have been made by the same version of this library, for the same machine, with the options of this
    /// runtime; otherwise deploying it is an error that says so. Its init runs for each sandbox: a snapshot needs
    /// the source.
    ///
    /// # Safety
    ///
    /// The bytes are native code, which runs in this process. They must be what `precompile` answered, from where
    /// nobody could change them that may not change this program itself. What is checked is damage, not malice.
    ///
    /// ```
    /// # const ECHO: &str = r#"(module (memory (export "memory") 1)
    /// #   (func (export "fnhost_alloc") (param i32) (result i32) i32.const 0)
    /// #   (func (export "fnhost_handle") (param i32 i32) (result i64) local.get 1 i64.extend_i32_u))"#;
    /// use fnhost::{Event, Function, PrecompileOptions, Runtime, precompile};
    ///
    /// let compiled = precompile(ECHO, &PrecompileOptions::new())?;
    ///
    /// let runtime = Runtime::builder().places(16).build()?;
    /// // SAFETY: it was made three lines above.
    /// let echo = unsafe { Function::precompiled("echo", compiled) };
    /// runtime.block_on(runtime.deploy(echo))?;
    /// let response = runtime.handler("echo")?.invoke_blocking(Event::bytes("greeting", "hello"))?;
    /// assert_eq!(response.text()?, "hello");
    /// # Ok::<(), fnhost::Error>(())
    /// ```
    #[expect(unsafe_code, reason = "whoever calls it vouches for native code")]
    pub unsafe fn precompiled(name: impl Into<String>, compiled: impl Into<Bytes>) -> Self {
        Self::new(name.into(), Source::Precompiled(compiled.into()))
    }
}
