//! What stands in for a backend in a program that was built without it: a refusal in a sentence.

#![allow(unused_macros, unused_imports, reason = "with every feature, nothing is left out")]

/// The backend's functions, refusing. The feature has the backend's name.
macro_rules! left_out {
    ($name:literal, prepare) => {
        crate::backend::left_out::left_out!($name);

        /// Refuses.
        ///
        /// # Errors
        /// Always [`crate::error::EngineError::Feature`].
        pub fn prepare(
            _folder: &crate::folder::EngineFolder,
            _options: &crate::engine::Options,
            _progress: &(dyn Fn(crate::engine::Progress) + Send + Sync),
        ) -> Result<(), crate::error::EngineError> {
            available()
        }
    };
    ($name:literal) => {
        /// Refuses.
        ///
        /// # Errors
        /// Always [`crate::error::EngineError::Feature`].
        pub fn available() -> Result<(), crate::error::EngineError> {
            Err(crate::error::EngineError::Feature { backend: $name, feature: $name })
        }

        /// Refuses.
        ///
        /// # Errors
        /// Always [`crate::error::EngineError::Feature`].
        pub fn open(
            _folder: &crate::folder::EngineFolder,
            _options: &crate::engine::Options,
        ) -> Result<Box<dyn crate::engine::Engine>, crate::error::EngineError> {
            Err(crate::error::EngineError::Feature { backend: $name, feature: $name })
        }
    };
}
pub(crate) use left_out;
