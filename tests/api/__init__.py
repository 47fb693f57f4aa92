"""Tests of the gateway and its API, over real HTTP and against a real Valkey."""
