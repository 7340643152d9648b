//! The namespaces of the application: the hooks of each.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bowline_protocol::Close;
use futures::future::LocalBoxFuture;

use super::application::{AnyDisconnect, AnyRefresh};
use super::{Node, SessionContext};

/// The namespaces, by name.
#[derive(Default)]
pub(crate) struct Namespaces(BTreeMap<Arc<str>, NamespaceHooks>);

/// The hooks of one namespace.
#[derive(Default)]
pub(crate) struct NamespaceHooks {
    pub(crate) connect: Option<Box<AnyRefresh>>,
    pub(crate) disconnect: Option<Box<AnyDisconnect>>,
}

impl Namespaces {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// False if there is one of this name already.
    pub(crate) fn insert(&mut self, name: Arc<str>, hooks: NamespaceHooks) -> bool {
        self.0.insert(name, hooks).is_none()
    }

    pub(crate) fn get(&self, name: &str) -> Option<(&Arc<str>, &NamespaceHooks)> {
        self.0.get_key_value(name)
    }
}

impl Node {
    /// Calls the disconnect hooks of the namespaces in which a session is, one after another.
    pub(super) fn call_namespace_disconnects(
        &self,
        context: SessionContext<'_>,
        close: &Close,
    ) -> Vec<LocalBoxFuture<'static, ()>> {
        let names = if self.hooks.namespaces.is_empty() {
            Vec::new()
        } else {
            context.session.look(|state| state.namespaces().map(str::to_owned).collect())
        };
        let calls = names.iter().filter_map(|name| {
            let (name, hooks) = self.hooks.namespaces.get(name)?;
            let context = SessionContext { namespace: Some(name), ..context };
            Some(hooks.disconnect.as_ref()?(context, close.clone()))
        });
        calls.collect()
    }
}

impl fmt::Debug for Namespaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}
