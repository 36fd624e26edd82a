//! Supervisor, finalizer, REST and the command line of Tipoff.
