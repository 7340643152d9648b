//! `Send` and `Sync` where they are needed: futures move between threads on native hosts and never
//! in browsers.

pub use bounds::{BoxFuture, BoxSink, BoxStream, MaybeSend, MaybeSync};

#[cfg(not(target_arch = "wasm32"))]
mod bounds {
    use std::pin::Pin;

    use futures::{Sink, Stream};

    use crate::platform::HostError;

    /// `Send` where futures may move between threads.
    pub trait MaybeSend: Send {}
    impl<T: Send + ?Sized> MaybeSend for T {}

    /// `Sync` where values may be shared between threads.
    pub trait MaybeSync: Sync {}
    impl<T: Sync + ?Sized> MaybeSync for T {}

    /// A future of the host's kind.
    pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;
    /// A stream of the host's kind.
    pub type BoxStream<T> = Pin<Box<dyn Stream<Item = T> + Send>>;
    /// A sink of the host's kind.
    pub type BoxSink<T> = Pin<Box<dyn Sink<T, Error = HostError> + Send>>;
}

#[cfg(target_arch = "wasm32")]
mod bounds {
    use std::pin::Pin;

    use futures::{Sink, Stream};

    use crate::platform::HostError;

    /// `Send` where futures may move between threads.
    pub trait MaybeSend {}
    impl<T: ?Sized> MaybeSend for T {}

    /// `Sync` where values may be shared between threads.
    pub trait MaybeSync {}
    impl<T: ?Sized> MaybeSync for T {}

    /// A future of the host's kind.
    pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T>>>;
    /// A stream of the host's kind.
    pub type BoxStream<T> = Pin<Box<dyn Stream<Item = T>>>;
    /// A sink of the host's kind.
    pub type BoxSink<T> = Pin<Box<dyn Sink<T, Error = HostError>>>;
}
