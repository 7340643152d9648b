//! Building a client in a Rust application for browsers.

use bowline_client::{BuildError, Client, ClientBuilder};

use crate::platform;

/// Starts to build a client for the server mounted at `url`: an absolute URL, or one relative to
/// the page, such as `/bowline`. See [`ClientBuilder`] for the settings, and end with
/// [`BuildInBrowser::build_in_browser`].
pub fn builder(url: &str) -> ClientBuilder {
    Client::builder(&platform::absolute(url))
}

/// Builds clients on the browser's platform.
pub trait BuildInBrowser {
    /// Builds the client. It does not connect yet, so that the application can subscribe first.
    ///
    /// From `connect` to its end, the client watches the page: it checks its connection when the
    /// page wakes or the network returns, closes it while the page is frozen or in the back/forward
    /// cache, and closes the session when the page is unloaded, where the browser allows that. The
    /// browser sends cookies.
    ///
    /// # Errors
    /// When a setting is invalid; with [`BuildError::NoHeaders`] when the application has set
    /// headers, which no browser can send with a WebSocket; and with [`BuildError::Host`] outside
    /// of a browser.
    fn build_in_browser(self) -> Result<Client, BuildError>;
}

impl BuildInBrowser for ClientBuilder {
    fn build_in_browser(self) -> Result<Client, BuildError> {
        self.build_on(platform::new().map_err(|error| BuildError::Host(error.to_string()))?)
    }
}
