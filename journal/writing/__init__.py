"""The write path: what is decided on the state of streams is appended, all of it or nothing."""
