//! Kinds of errors.

use std::io;

/// The side on which an error lies. Every error of these crates has a kind, from which the binary
/// chooses its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Something the user provided: a flag, a file, a name. Different input fixes it.
    Input,
    /// The machine, its disk or memory, the network, or a server. The same input may work elsewhere
    /// or later.
    Environment,
    /// An assumption of the program does not hold. Only its authors can fix that.
    Bug,
    /// Somebody asked the program to stop.
    Interrupted,
}

impl ErrorKind {
    /// Returns the kind of an operating system error about a file that the user named. A path that
    /// does not exist or may not be used, or whose content is not what it should be, is
    /// [`Input`](Self::Input); everything else (a full or broken disk, no memory, a dead network)
    /// is [`Environment`](Self::Environment).
    pub fn of(error: &io::Error) -> Self {
        use io::ErrorKind::{
            AlreadyExists, DirectoryNotEmpty, InvalidData, InvalidFilename, InvalidInput,
            IsADirectory, NotADirectory, NotFound, PermissionDenied, ReadOnlyFilesystem,
            UnexpectedEof,
        };
        // The standard library's enum may grow, so this match cannot be exhaustive.
        let is_input = matches!(
            error.kind(),
            NotFound
                | PermissionDenied
                | AlreadyExists
                | IsADirectory
                | NotADirectory
                | DirectoryNotEmpty
                | InvalidFilename
                | ReadOnlyFilesystem
                | InvalidInput
                | InvalidData
                | UnexpectedEof
        );
        match is_input {
            true => Self::Input,
            false => Self::Environment,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_path_is_input_and_a_broken_machine_is_not() {
        let kind = |kind: io::ErrorKind| ErrorKind::of(&kind.into());
        for input in [
            io::ErrorKind::NotFound,
            io::ErrorKind::PermissionDenied,
            io::ErrorKind::IsADirectory,
            io::ErrorKind::ReadOnlyFilesystem,
            io::ErrorKind::InvalidData,
        ] {
            assert_eq!(kind(input), ErrorKind::Input, "{input:?}");
        }
        for environment in [
            io::ErrorKind::StorageFull,
            io::ErrorKind::QuotaExceeded,
            io::ErrorKind::FileTooLarge,
            io::ErrorKind::OutOfMemory,
            io::ErrorKind::ConnectionRefused,
            io::ErrorKind::TimedOut,
            io::ErrorKind::Interrupted,
            io::ErrorKind::Other,
        ] {
            assert_eq!(kind(environment), ErrorKind::Environment, "{environment:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn numbers_of_the_system_have_kinds() {
        use rustix::io::Errno;
        let kind = |errno: Errno| ErrorKind::of(&errno.into());
        assert_eq!(kind(Errno::NOENT), ErrorKind::Input);
        assert_eq!(kind(Errno::ACCESS), ErrorKind::Input);
        // A name that is too long.
        assert_eq!(kind(Errno::NAMETOOLONG), ErrorKind::Input);
        for errno in [
            Errno::IO,
            Errno::NOSPC,
            Errno::NOMEM,
            Errno::MFILE,
            Errno::NODEV,
        ] {
            assert_eq!(kind(errno), ErrorKind::Environment, "{errno}");
        }
    }
}
