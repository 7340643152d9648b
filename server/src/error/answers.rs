//! What a client receives when a handler or a hook returns an error of this crate.

use super::{
    ClusterError, EmitError, EnterError, HistoryError, JoinError, ListError, PublishError,
    RequestError, UserError,
};
use crate::complaints::{Quoted, limited};
use crate::failure::{Failure, INTERNAL};
use crate::refusal::Refusal;

impl From<EmitError> for Failure {
    fn from(error: EmitError) -> Self {
        match error {
            EmitError::Full { .. } | EmitError::Closed => Self::new(SESSION_CLOSED),
            EmitError::Encode(_) | EmitError::Invalid(_) | EmitError::HasHistory { .. } => {
                internal(&error)
            }
        }
    }
}

impl From<JoinError> for Failure {
    fn from(error: JoinError) -> Self {
        Self::new(match error {
            JoinError::InvalidName => INVALID_ROOM,
            JoinError::TooManyRooms { .. } => TOO_MANY_ROOMS,
            JoinError::Closed => SESSION_CLOSED,
        })
    }
}

impl From<UserError> for Failure {
    fn from(error: UserError) -> Self {
        Self::new(match error {
            UserError::InvalidName => "invalid-user",
            UserError::Closed => SESSION_CLOSED,
        })
    }
}

impl From<RequestError> for Failure {
    /// What another client has answered stays between it and the handler.
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Failed(_) | RequestError::Decode(_) => Self::new("request-failed"),
            RequestError::TimedOut { .. } => Self::new("request-timed-out"),
            RequestError::SessionLost { .. } => Self::new("request-lost"),
            RequestError::Send(error) => error.into(),
        }
    }
}

impl From<HistoryError> for Failure {
    fn from(error: HistoryError) -> Self {
        match error {
            HistoryError::NotKept => Self::new("no-history"),
            HistoryError::Emit(error) => error.into(),
            HistoryError::Join(error) => error.into(),
            HistoryError::Unavailable => Self::new(UNAVAILABLE),
        }
    }
}

impl From<PublishError> for Failure {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::InvalidTopic => Self::new("invalid-topic"),
            PublishError::NotKept => Self::new("no-history"),
            PublishError::Emit(error) => error.into(),
            PublishError::Unavailable => Self::new(UNAVAILABLE),
        }
    }
}

impl From<EnterError> for Failure {
    fn from(error: EnterError) -> Self {
        match error {
            EnterError::InvalidName => Self::new(INVALID_ROOM),
            EnterError::InfoTooLarge { .. } => Self::new("info-too-large"),
            EnterError::RoomFull { .. } => Self::new("room-full"),
            EnterError::TooManyRooms { .. } => Self::new(TOO_MANY_ROOMS),
            EnterError::Closed => Self::new(SESSION_CLOSED),
            EnterError::Encode(_) | EnterError::Invalid(_) => internal(&error),
        }
    }
}

impl From<ClusterError> for Failure {
    fn from(_: ClusterError) -> Self {
        Self::new(UNAVAILABLE)
    }
}

impl From<ListError> for Failure {
    fn from(error: ListError) -> Self {
        match error {
            ListError::Cluster(error) => error.into(),
            ListError::Decode(_) => internal(&error),
        }
    }
}

/// What the client receives for `?` in a connect hook: the code of the failure that it would be in
/// a handler.
macro_rules! refuses {
    ($($error:ty)*) => {$(
        impl From<$error> for Refusal {
            fn from(error: $error) -> Self {
                Failure::from(error).into()
            }
        }
    )*};
}

refuses!(EmitError JoinError UserError RequestError HistoryError EnterError ListError ClusterError);

/// What is the application's own fault is for its log and not for its clients.
fn internal(error: &dyn std::error::Error) -> Failure {
    limited!("a handler failed: {}", Quoted(error));
    Failure::new(INTERNAL)
}

const INVALID_ROOM: &str = "invalid-room";
const TOO_MANY_ROOMS: &str = "too-many-rooms";
const SESSION_CLOSED: &str = "session-closed";
const UNAVAILABLE: &str = "unavailable";

#[cfg(test)]
mod tests {
    use bowline_protocol::AnswerError;

    use super::{
        EmitError, EnterError, Failure, HistoryError, JoinError, Refusal, RequestError, UserError,
    };

    #[test]
    fn an_error_contains_what_the_client_can_act_on_and_nothing_else() {
        let secret = Failure::new("another-clients-words").with(&"its secret");
        let internal = || EmitError::HasHistory { room: "a room's name".to_owned() };
        let cases: [(Failure, &str); 9] = [
            (JoinError::TooManyRooms { limit: 1_000 }.into(), "too-many-rooms"),
            (UserError::InvalidName.into(), "invalid-user"),
            (EnterError::RoomFull { limit: 7 }.into(), "room-full"),
            (EmitError::Closed.into(), "session-closed"),
            (internal().into(), "internal"),
            (HistoryError::Emit(internal()).into(), "internal"),
            (HistoryError::Unavailable.into(), "unavailable"),
            (RequestError::Failed(secret).into(), "request-failed"),
            (RequestError::from(AnswerError::TimedOut { sent: false }).into(), "request-timed-out"),
        ];
        for (failure, code) in cases {
            assert_eq!(failure, Failure::new(code), "a code and no detail");
        }
        assert_eq!(Refusal::from(JoinError::InvalidName), Refusal::new(&"invalid-room"));
    }

    #[test]
    fn an_error_leads_to_its_cause() {
        use std::error::Error as _;

        let unwritable = serde_json::to_string(&std::collections::HashMap::from([((), ())]));
        let error = RequestError::from(EmitError::from(unwritable.unwrap_err()));
        let cause = error.source().and_then(|error| error.source()).unwrap();
        assert!(cause.is::<serde_json::Error>());
    }
}
