"""Tests of the store layer, against a real Valkey."""
