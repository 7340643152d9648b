//! The attachment that a hook is to check.

use std::future::{Ready, ready};

use actix_web::HttpRequest;

use super::FromConnect;
use crate::node::Attaching;
use crate::refusal::Refusal;

impl FromConnect<Self> for Attaching {
    type Taking = Ready<()>;

    fn take(_: &HttpRequest) -> Self::Taking {
        ready(())
    }

    fn from_connect((): (), context: &Self) -> Result<Self, Refusal> {
        Ok(context.clone())
    }
}
