"""The tests of nbagent; a package so that tests can import `tests.harness`."""
