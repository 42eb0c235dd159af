"""What every wire format's reply is read with: finish words, usage, ids of calls, thinking in tags."""
