//! The Rust part of the browser extension: what the background must judge, in the same code as the agent.
//!
//! **Purpose.** Checks what a page sends, says early no to restricted sites, writes and reads frames. Plain functions
//! with JSON text in and out, so that the same promises are tested natively and as WebAssembly.
//!
//! **Must not know:** the browser, ports, windows, time, or any state. The agent decides in the end; nothing here is
//! a substitute for its checks.

pub mod answer;
pub mod bindings;
pub mod frames;
pub mod request;
