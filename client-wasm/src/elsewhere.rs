//! The platform outside of browsers: for code that a server renders as well.

use std::sync::Arc;

use bowline_client::platform::{HostError, Platform};

pub(crate) fn absolute(url: &str) -> String {
    url.to_owned()
}

pub(crate) fn new() -> Result<Arc<dyn Platform>, HostError> {
    Err(HostError::Failed("there is no browser here".to_owned()))
}

#[cfg(test)]
mod tests {
    use bowline_client::BuildError;

    use crate::{BuildInBrowser, builder};

    #[test]
    fn without_a_browser_building_is_an_error_and_no_panic() {
        let built = builder("http://localhost/bowline").build_in_browser();
        assert!(matches!(built, Err(BuildError::Host(_))), "{built:?}");
    }
}
