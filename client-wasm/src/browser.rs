//! How an application in Rust builds its client.

use bowline_client::{BuildError, Client, ClientBuilder};

use crate::platform;

/// Begins to build a client of the server mounted at `url`: an absolute URL, or one that the page's own
/// completes, such as `/bowline`. See [`ClientBuilder`] for the settings, and end with
/// [`BuildInBrowser::build_in_browser`].
pub fn builder(url: &str) -> ClientBuilder {
    Client::builder(&platform::absolute(url))
}

/// Builds clients on what the browser has.
pub trait BuildInBrowser {
    /// A client that is not connected yet, so that subscriptions come first.
    ///
    /// From its connecting to its end it watches the page: it proves its connection when the page wakes
    /// or the network is back, drops it while the page is frozen or in the back/forward cache, and says
    /// good-bye when the page goes, where the browser lets it. Cookies are sent.
    ///
    /// # Errors
    /// When a setting cannot be used; with [`BuildError::NoHeaders`] when there are headers of the
    /// application, which no browser can send with a WebSocket; and with [`BuildError::Host`] where there is no browser.
    fn build_in_browser(self) -> Result<Client, BuildError>;
}

impl BuildInBrowser for ClientBuilder {
    fn build_in_browser(self) -> Result<Client, BuildError> {
        self.build_on(platform::new().map_err(|error| BuildError::Host(error.to_string()))?)
    }
}
