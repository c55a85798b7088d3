//! On whose side an error lies.

use std::io;

/// On whose side an error lies. Every error of these crates has one, and the binary chooses its exit code
/// by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// What was given: a flag, a file, a name. The user can mend it by other input.
    Input,
    /// The machine, its disk or its memory, the network, or a server. The same input may work elsewhere or later.
    Environment,
    /// An assumption of the program does not hold. Nobody but its authors can mend it.
    Bug,
    /// Somebody wanted it to end.
    Interrupted,
}

impl ErrorKind {
    /// The kind of an error of the operating system that concerns a file which the user named: a path that
    /// leads nowhere, that may not be used, or whose content is not what it should be is [`Input`](Self::Input);
    /// everything else (a full or broken disk, no memory, a dead network) is [`Environment`](Self::Environment).
    pub fn of(error: &io::Error) -> Self {
        use io::ErrorKind::{
            AlreadyExists, DirectoryNotEmpty, InvalidData, InvalidFilename, InvalidInput,
            IsADirectory, NotADirectory, NotFound, PermissionDenied, ReadOnlyFilesystem,
            UnexpectedEof,
        };
        // The standard library's list may grow, so that this match cannot be exhaustive.
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
        // A name with a zero byte, or one that is too long.
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
